/* local_end.c
 * Which end of a connection is local.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "local_end.h"

#include <wiretap/wtap.h>
#include <wsutil/inet_addr.h>
#include <wsutil/report_message.h>

#include <string.h>

const value_string local_by_names[] = {
    { LOCAL_BY_PREFERENCE,   "preference local_endpoint" },
    { LOCAL_BY_NETWORKS,     "preference local_networks" },
    { LOCAL_BY_DIRECTION,    "direction in the capture" },
    { LOCAL_BY_INITIATOR,    "initiator" },
    { LOCAL_BY_HIGHER_PORT,  "higher port" },
    { LOCAL_BY_FIRST_SENDER, "first sender" },
    { 0, NULL }
};

int local_endpoint = LOCAL_AUTO;
const char *local_networks = "";

struct network {
    address_type type; /* AT_IPv4 or AT_IPv6 */
    unsigned bits;     /* length of the prefix */
    uint8_t octets[16];
};

static wmem_array_t *networks; /* of struct network; lives as long as the program */
static char *applied;          /* the preference that they are of; likewise */

static bool parse_network(const char *text, struct network *network)
{
    char **parts = g_strsplit(text, "/", 2);
    unsigned longest = 0;
    bool ok = true;

    memset(network, 0, sizeof *network);
    if (ws_inet_pton4(parts[0], (ws_in4_addr *)network->octets)) {
        network->type = AT_IPv4;
        longest = 32;
    } else if (ws_inet_pton6(parts[0], (ws_in6_addr *)network->octets)) {
        network->type = AT_IPv6;
        longest = 128;
    } else {
        ok = false;
    }
    network->bits = longest;
    if (ok && parts[1]) {
        guint64 bits;
        ok = g_ascii_string_to_unsigned(parts[1], 10, 0, longest, &bits, NULL);
        network->bits = ok ? (unsigned)bits : 0;
    }
    g_strfreev(parts);
    return ok;
}

void local_networks_apply(void)
{
    const char *preference = local_networks ? local_networks : "";

    if (strcmp(applied ? applied : "", preference) == 0)
        return;
    wmem_free(wmem_epan_scope(), applied);
    applied = wmem_strdup(wmem_epan_scope(), preference);
    if (networks)
        wmem_destroy_array(networks);
    networks = wmem_array_new(wmem_epan_scope(), sizeof(struct network));

    char **parts = g_strsplit(preference, ",", -1);
    for (char **part = parts; *part; part++) {
        struct network network;
        const char *text = g_strstrip(*part);
        if (parse_network(text, &network))
            wmem_array_append_one(networks, network);
        else if (*text)
            report_failure("TCP State: \"%s\" in the preference tcpstate.local_networks is no IPv4 or IPv6 "
                           "address or network such as 192.0.2.0/24 or 2001:db8::/32. It is ignored; "
                           "the others hold.", text);
    }
    g_strfreev(parts);
}

static bool contains(const struct network *network, const struct local_question *q, unsigned end)
{
    const unsigned whole = network->bits / 8, rest = network->bits % 8;
    uint8_t octets[PAIR_ADDRESS_MAX];

    if (network->type != q->type)
        return false;
    pair_address(q->pair, end, octets);
    if (memcmp(network->octets, octets, whole) != 0)
        return false;
    return rest == 0 || (network->octets[whole] ^ octets[whole]) >> (8 - rest) == 0;
}

static bool is_in_networks(const struct local_question *q, unsigned end)
{
    for (unsigned i = 0; networks && i < wmem_array_get_count(networks); i++) {
        if (contains((const struct network *)wmem_array_index(networks, i), q, end))
            return true;
    }
    return false;
}

/* Of Linux cooked frames Wireshark tells the direction of received ones only: packet type 4 is "sent by us". */
static enum direction cooked_direction(const packet_info *pinfo)
{
    enum { TO_US = 0, BROADCAST = 1, MULTICAST = 2, SENT_BY_US = 4 };
    const int encapsulation = pinfo->rec->rec_header.packet_header.pkt_encap;
    unsigned type;

    if ((encapsulation != WTAP_ENCAP_SLL && encapsulation != WTAP_ENCAP_SLL2) || !pinfo->data_src)
        return DIRECTION_UNKNOWN;
    tvbuff_t *frame = get_data_source_tvb((const struct data_source *)pinfo->data_src->data);
    if (encapsulation == WTAP_ENCAP_SLL && tvb_captured_length(frame) >= 2)
        type = tvb_get_ntohs(frame, 0);
    else if (encapsulation == WTAP_ENCAP_SLL2 && tvb_captured_length(frame) >= 11)
        type = tvb_get_uint8(frame, 10);
    else
        return DIRECTION_UNKNOWN;
    if (type == SENT_BY_US)
        return DIRECTION_OUT;
    return type == TO_US || type == BROADCAST || type == MULTICAST ? DIRECTION_IN : DIRECTION_UNKNOWN;
}

enum direction local_direction(const packet_info *pinfo)
{
    switch (pinfo->p2p_dir) {
    case P2P_DIR_SENT:
        return DIRECTION_OUT;
    case P2P_DIR_RECV:
        return DIRECTION_IN;
    default:
        return cooked_direction(pinfo);
    }
}

unsigned local_end(const struct local_question *q, enum local_by *by)
{
    if (local_endpoint != LOCAL_AUTO) {
        *by = LOCAL_BY_PREFERENCE; /* LOCAL_SENDER changes per segment: whoever shows the states turns to it */
        return local_endpoint == LOCAL_SERVER ? !q->client : q->client;
    }
    const bool is_local[2] = { is_in_networks(q, 0), is_in_networks(q, 1) };
    if (is_local[0] != is_local[1]) {
        *by = LOCAL_BY_NETWORKS;
        return is_local[1];
    }
    if (q->direction != DIRECTION_UNKNOWN) {
        *by = LOCAL_BY_DIRECTION;
        return q->direction == DIRECTION_OUT ? q->sender : !q->sender;
    }
    if (q->knows_client)
        *by = LOCAL_BY_INITIATOR;
    else if (pair_port(q->pair, 0) != pair_port(q->pair, 1))
        *by = LOCAL_BY_HIGHER_PORT;
    else
        *by = LOCAL_BY_FIRST_SENDER;
    return q->client;
}
