/* flow.c
 * Which part of a split capture a frame belongs to.
 *
 * A connection is told by its ports alone: they are the same wherever a segment was captured, while addresses may be
 * rewritten (source routes, RFC 8200 section 4.4) and have nothing to do with how the parts balance. Tunnels that are
 * common in large captures are looked into, for the same connection may be captured within and without.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "flow.h"

#include <stddef.h>
#include <string.h>

/* Numbers of protocols, by IANA. */
enum {
    TYPE_IPV4 = 0x0800, TYPE_VLAN = 0x8100, TYPE_IPV6 = 0x86dd, TYPE_MPLS = 0x8847, TYPE_MPLS_MULTICAST = 0x8848,
    TYPE_PPPOE = 0x8864, TYPE_QINQ = 0x88a8, TYPE_QINQ_OLD = 0x9100, TYPE_BRIDGED = 0x6558, /* Ethernet, within GRE */
};
enum {
    PROTOCOL_HOPOPTS = 0, PROTOCOL_ICMP = 1, PROTOCOL_IPIP = 4, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17,
    PROTOCOL_IPV6 = 41, PROTOCOL_ROUTING = 43, PROTOCOL_FRAGMENT = 44, PROTOCOL_GRE = 47, PROTOCOL_AH = 51,
    PROTOCOL_ICMPV6 = 58, PROTOCOL_DSTOPTS = 60,
};
enum { PORT_VXLAN = 4789 };
enum { PPP_IPV4 = 0x0021, PPP_IPV6 = 0x0057 };
enum { DATAGRAM_IPV6 = 256 }; /* flow_datagram.protocol */

/* No frame has more headers before its TCP header that Wireshark would look through and that are worth a look. */
enum { LAYERS_MAX = 24 };

/* What is left of a frame, and what is known of it. */
struct reader {
    const uint8_t *at;
    uint32_t left;    /* octets */
    unsigned layers;  /* that were read */
    bool quoted;      /* by an ICMP error */
    struct flow *flow;
};

static void read_ethertype(struct reader *r, uint32_t type);
static void read_ethernet(struct reader *r);
static void read_ip(struct reader *r);

static uint32_t number16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t number32(const uint8_t *at)
{
    return number16(at) << 16 | number16(at + 2);
}

/* Goes on behind so many octets. Returns whether they are there. */
static bool skip(struct reader *r, uint32_t octets)
{
    if (r->left < octets)
        return false;
    r->at += octets;
    r->left -= octets;
    return true;
}

/* Each bit of the result depends on each of the word's: the finaliser of SplitMix64 (Steele et al., OOPSLA 2014). */
static uint64_t mixed(uint64_t word)
{
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    return word ^ (word >> 31);
}

/* ------------------------------------------------------------------ within IP */

static void read_ports(struct reader *r)
{
    enum { PORTS = 4 };

    r->flow->is_tcp = !r->quoted;
    if (r->left < PORTS)
        return;
    const uint64_t a = number16(r->at), b = number16(r->at + 2);
    r->flow->hash = mixed(a < b ? a << 16 | b : b << 16 | a);
}

/* RFC 792, RFC 4443: what an error quotes stands behind 8 octets. */
static void read_icmp(struct reader *r, bool is_error)
{
    enum { ICMP_HEADER = 8 };

    if (!is_error || r->quoted || !skip(r, ICMP_HEADER))
        return;
    r->quoted = true;
    read_ip(r);
}

/* RFC 2784, RFC 2890. */
static void read_gre(struct reader *r)
{
    enum { CHECKSUM = 0x8000, KEY = 0x2000, SEQUENCE = 0x1000, VERSION = 7, GRE_HEADER = 4 };

    if (r->left < GRE_HEADER)
        return;
    const uint32_t flags = number16(r->at), type = number16(r->at + 2);
    const uint32_t options = !!(flags & CHECKSUM) + !!(flags & KEY) + !!(flags & SEQUENCE);
    if ((flags & VERSION) == 0 && skip(r, GRE_HEADER + 4 * options))
        read_ethertype(r, type);
}

/* VXLAN, RFC 7348; no other tunnel over UDP. */
static void read_udp(struct reader *r)
{
    enum { UDP_HEADER = 8, VXLAN_HEADER = 8 };

    if (r->left >= UDP_HEADER && number16(r->at + 2) == PORT_VXLAN && skip(r, UDP_HEADER + VXLAN_HEADER))
        read_ethernet(r);
}

static void read_protocol(struct reader *r, uint32_t protocol)
{
    const uint32_t type = r->left > 0 ? r->at[0] : 0;

    switch (protocol) {
    case PROTOCOL_TCP:
        read_ports(r);
        break;
    case PROTOCOL_ICMP:
        read_icmp(r, type == 3 || type == 4 || type == 5 || type == 11 || type == 12);
        break;
    case PROTOCOL_ICMPV6:
        read_icmp(r, type >= 1 && type <= 4);
        break;
    case PROTOCOL_IPIP:
    case PROTOCOL_IPV6:
        read_ip(r);
        break;
    case PROTOCOL_GRE:
        read_gre(r);
        break;
    case PROTOCOL_UDP:
        read_udp(r);
        break;
    }
}

/* ------------------------------------------------------------------ IP */

/* The addresses tell, as long as nothing within does: the same for both directions. */
static void note_addresses(struct reader *r, const uint8_t *source, const uint8_t *destination, uint32_t octets)
{
    uint64_t sum = 0;

    for (uint32_t at = 0; at < octets; at += 4)
        sum += mixed(number32(source + at) + ((uint64_t)at << 32))
               + mixed(number32(destination + at) + ((uint64_t)at << 32));
    r->flow->hash = mixed(sum);
}

/*
 * Notes that the packet is a fragment. Returns whether it is the first one, behind whose header the ports are. Of a
 * frame with fragments in fragments the outer ones count.
 *  offset  where its octets belong in the datagram, in any unit
 *  more    it is not the last one
 */
static bool note_fragment(struct reader *r, uint32_t offset, bool more, const struct flow_datagram *datagram)
{
    if (!r->quoted && r->flow->fragment == FLOW_WHOLE) {
        r->flow->fragment = offset == 0 ? FLOW_FRAGMENT_FIRST : more ? FLOW_FRAGMENT_LATER : FLOW_FRAGMENT_LAST;
        r->flow->datagram = *datagram;
    }
    return offset == 0;
}

static void read_ipv4(struct reader *r)
{
    enum { HEADER_MIN = 20, MORE_FRAGMENTS = 0x2000, OFFSET = 0x1fff };
    const uint8_t *ip = r->at;

    if (r->left < HEADER_MIN)
        return;
    const uint32_t header = 4 * (ip[0] & 15u), total = number16(ip + 2), fragment = number16(ip + 6);
    if (header < HEADER_MIN || (total != 0 && total < header))
        return;
    note_addresses(r, ip + 12, ip + 16, 4);
    if (fragment & (MORE_FRAGMENTS | OFFSET)) {
        struct flow_datagram datagram = { .id = number16(ip + 4), .protocol = ip[9] };
        memcpy(datagram.address[0], ip + 12, 4);
        memcpy(datagram.address[1], ip + 16, 4);
        if (!note_fragment(r, fragment & OFFSET, fragment & MORE_FRAGMENTS, &datagram))
            return;
    }
    const uint32_t protocol = ip[9];
    if (skip(r, header))
        read_protocol(r, protocol);
}

static void read_ipv6(struct reader *r)
{
    enum { HEADER = 40, FRAGMENT_HEADER = 8, EXTENSION_MIN = 8, MORE_FRAGMENTS = 1, OFFSET = 0xfff8 };
    const uint8_t *ip = r->at;

    if (!skip(r, HEADER))
        return;
    note_addresses(r, ip + 8, ip + 24, 16);
    for (uint32_t next = ip[6];; r->layers++) {
        const bool is_fragment = next == PROTOCOL_FRAGMENT, is_ah = next == PROTOCOL_AH;
        if (!is_fragment && !is_ah && next != PROTOCOL_HOPOPTS && next != PROTOCOL_ROUTING
            && next != PROTOCOL_DSTOPTS) {
            read_protocol(r, next);
            return;
        }
        if (r->left < EXTENSION_MIN || r->layers > LAYERS_MAX)
            return;
        const uint8_t *extension = r->at;
        if (is_fragment) {
            const uint32_t place = number16(extension + 2);
            struct flow_datagram datagram = { .id = number32(extension + 4), .protocol = DATAGRAM_IPV6 };
            memcpy(datagram.address, ip + 8, sizeof datagram.address);
            if ((place & (OFFSET | MORE_FRAGMENTS)) /* else an atomic fragment: RFC 6946 */
                && !note_fragment(r, place & OFFSET, place & MORE_FRAGMENTS, &datagram))
                return;
        }
        next = extension[0];
        if (!skip(r, is_fragment ? FRAGMENT_HEADER : is_ah ? 4 * (extension[1] + 2u) : 8 * (extension[1] + 1u)))
            return;
    }
}

static void read_ip(struct reader *r)
{
    if (r->left == 0 || ++r->layers > LAYERS_MAX)
        return;
    if (r->at[0] >> 4 == 4)
        read_ipv4(r);
    else if (r->at[0] >> 4 == 6)
        read_ipv6(r);
}

/* ------------------------------------------------------------------ below IP */

/* RFC 3032: behind the label at the bottom of the stack, IP tells its own version. */
static void read_mpls(struct reader *r)
{
    enum { LABEL = 4, BOTTOM = 1 };

    while (r->left >= LABEL) {
        const bool is_last = r->at[2] & BOTTOM;
        skip(r, LABEL);
        if (is_last) {
            read_ip(r);
            return;
        }
    }
}

/* RFC 2516, without compression of the protocol field. */
static void read_pppoe(struct reader *r)
{
    enum { PPPOE_HEADER = 6, PPP_PROTOCOL = 2 };

    if (r->left < PPPOE_HEADER + PPP_PROTOCOL)
        return;
    const uint32_t protocol = number16(r->at + PPPOE_HEADER);
    skip(r, PPPOE_HEADER + PPP_PROTOCOL);
    if (protocol == PPP_IPV4 || protocol == PPP_IPV6)
        read_ip(r);
}

static void read_ethertype(struct reader *r, uint32_t type)
{
    enum { TAG = 4 };

    while ((type == TYPE_VLAN || type == TYPE_QINQ || type == TYPE_QINQ_OLD) && r->left >= TAG) {
        type = number16(r->at + 2);
        skip(r, TAG);
    }
    if (type == TYPE_IPV4 || type == TYPE_IPV6)
        read_ip(r);
    else if (type == TYPE_MPLS || type == TYPE_MPLS_MULTICAST)
        read_mpls(r);
    else if (type == TYPE_PPPOE)
        read_pppoe(r);
    else if (type == TYPE_BRIDGED)
        read_ethernet(r);
}

static void read_ethernet(struct reader *r)
{
    enum { ADDRESSES = 12, ETHERNET_HEADER = 14 };

    if (++r->layers > LAYERS_MAX || r->left < ETHERNET_HEADER)
        return;
    const uint32_t type = number16(r->at + ADDRESSES);
    skip(r, ETHERNET_HEADER);
    read_ethertype(r, type);
}

void flow_of(enum flow_link link, const uint8_t *data, uint32_t captured, struct flow *flow)
{
    enum { LOOP_HEADER = 4, SLL_HEADER = 16, SLL_TYPE = 14, SLL2_HEADER = 20, SLL2_TYPE = 0 };
    struct reader r = { .at = data, .left = captured, .flow = flow };

    *flow = (struct flow){ 0 };
    switch (link) {
    case FLOW_LINK_OTHER:
        break;
    case FLOW_LINK_ETHERNET:
        read_ethernet(&r);
        break;
    case FLOW_LINK_IP:
        read_ip(&r);
        break;
    case FLOW_LINK_LOOP:
        if (skip(&r, LOOP_HEADER))
            read_ip(&r);
        break;
    case FLOW_LINK_SLL:
        if (skip(&r, SLL_HEADER))
            read_ethertype(&r, number16(data + SLL_TYPE));
        break;
    case FLOW_LINK_SLL2:
        if (skip(&r, SLL2_HEADER))
            read_ethertype(&r, number16(data + SLL2_TYPE));
        break;
    }
}
