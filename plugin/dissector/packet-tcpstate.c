/* packet-tcpstate.c
 * TCP State: annotates every TCP segment with the states of both endpoints.
 *
 * Hooked between IP and TCP: our handle for IP protocol 6 finds the segment's pair of sockets, moves its machine on
 * the first pass, calls the TCP dissector, and annotates after it what is referenced. So each TCP layer of a frame is
 * seen on its own, with its own addresses, at the price of one table look-up; see ../README.md.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "packet-tcpstate.h"

#include "annotation.h"
#include "header.h"
#include "local_end.h"

#include <epan/dissectors/packet-ip.h>
#include <epan/exceptions.h>
#include <epan/ipproto.h>
#include <epan/prefs.h>
#include <epan/tap.h>

static int proto_tcpstate;
static int tap_tcpstate;
static bool enabled; /* the protocol, in the capture file that is open: Wireshark begins anew where that changes */
static dissector_handle_t tcp_handle;
ws_bool tcpstate_hide_addresses;
static ws_bool info_column; /* a preference: transitions are appended to the Info column */

/* ------------------------------------------------------------------ the hook */

enum { IPV4_HEADER_MIN = 20, IPV4_OPTIONS_MAX = 40 }; /* octets, RFC 791 section 3.1 */

/*
 * Reads what IP tells TCP of its own header. Octets that it states beyond those that the packet has are payload that
 * the packet lacks. That is for certain where they are more than the options of an IPv4 header can be, and where no
 * extension header follows that of IPv6.
 *  data      what IP tells, NULL: nothing
 *  reported  octets that follow the IP header
 */
static void read_ip(const void *data, uint32_t reported, struct tcpfsm_segment *seg)
{
    const ws_ip4 *ip4 = WS_IP4_PTR(data);
    const ws_ip6 *ip6 = WS_IP6_PTR(data);

    if (ip4) {
        const uint32_t present = reported + IPV4_HEADER_MIN;
        const uint32_t lacking = ip4->ip_len > present ? ip4->ip_len - present : 0;
        seg->hop_limit = ip4->ip_ttl;
        seg->ip_id = ip4->ip_id;
        seg->length_doubtful = lacking > 0;
        seg->len += lacking > IPV4_OPTIONS_MAX ? lacking : 0;
    } else if (ip6) {
        const uint32_t lacking = ip6->ip6_nxt == IP_PROTO_TCP && ip6->ip6_len > reported ? ip6->ip6_len - reported : 0;
        seg->hop_limit = ip6->ip6_hop;
        seg->length_doubtful = lacking > 0;
        seg->len += lacking;
    }
}

/*
 * The IPv4 header states no length, as where the network card is to cut the packet, and all of it may have come in the
 * smallest of Ethernet frames: what follows the TCP header is payload, or padding.
 */
static bool may_be_padding(const void *data, tvbuff_t *tvb, uint32_t reported)
{
    enum { ETHERNET_PAYLOAD_MIN = 46, IPV4_WITHOUT_OPTIONS = 0x45, IPV4_LENGTH = 2 };

    if (reported > ETHERNET_PAYLOAD_MIN - IPV4_HEADER_MIN || !WS_IP4_PTR(data))
        return false;
    const int header = tvb_raw_offset(tvb) - IPV4_HEADER_MIN;
    if (header < 0)
        return false;
    tvbuff_t *frame = tvb_get_ds_tvb(tvb);
    return tvb_get_uint8(frame, header) == IPV4_WITHOUT_OPTIONS && tvb_get_ntohs(frame, header + IPV4_LENGTH) == 0;
}

static bool all_zero(const uint8_t *octets, const uint8_t *end)
{
    while (octets < end && *octets == 0)
        octets++;
    return octets >= end;
}

/*
 * Reads the segment at the start of tvb. Returns its header, or NULL where it is no whole segment: fewer than 20
 * octets of header captured, a header length that cannot be, a fragment.
 *  data    what IP tells TCP of its own header
 */
static const uint8_t *read_segment(tvbuff_t *tvb, const packet_info *pinfo, const void *data,
                                   struct tcpfsm_segment *seg)
{
    const uint32_t reported = tvb_reported_length(tvb), captured = tvb_captured_length(tvb);

    if (pinfo->fragmented || captured < HEADER_MIN)
        return NULL;
    const uint8_t *header = tvb_get_ptr(tvb, 0, (int)captured);
    const uint32_t length = header_length(header);
    if (length < HEADER_MIN || length > reported)
        return NULL;
    header_read(header, captured, reported - length, time_ns(&pinfo->abs_ts) / 1000, seg);
    read_ip(data, reported, seg);
    if (seg->len > 0 && may_be_padding(data, tvb, reported)) {
        seg->length_doubtful = true;
        if (all_zero(header + length, header + captured))
            seg->len = 0;
    }
    return header;
}

/* One segment between its arrival from IP and its annotation. */
struct hooked {
    tvbuff_t *tvb;
    packet_info *pinfo;
    proto_tree *tree;
    const struct pair *pair;
    unsigned sender;           /* index of the end that sent it */
    struct annotated_segment segment;
    uint8_t layer;             /* as pinfo told it before TCP and the payload counted theirs */
    bool concluded;
};

static void conclude(struct hooked *h)
{
    packet_info *pinfo = h->pinfo;
    struct pair_view view;

    h->concluded = true; /* before anything that may throw */
    if (!pair_view(h->pair, pinfo->num, h->layer, h->sender, &view))
        return;
    if (annotation_is_referenced(h->tree))
        annotation_add(h->tree, h->tvb, pinfo, &view, &h->segment);
    if (info_column && pinfo->cinfo && col_get_writable(pinfo->cinfo, COL_INFO))
        annotation_info_column(pinfo, &view);
    if (have_tap_listener(tap_tcpstate)) {
        struct tcpstate_tap *tapped = wmem_new(pinfo->pool, struct tcpstate_tap);
        *tapped = (struct tcpstate_tap){ .view = view, .segment = h->segment };
        tap_queue_packet(tap_tcpstate, pinfo, tapped);
    }
}

/* Called by Wireshark's exception code while the TCP dissector or the payload's throws. */
static void conclude_while_throwing(void *hooked)
{
    struct hooked *h = (struct hooked *)hooked;

    if (!h->concluded) /* else this is what threw */
        conclude(h);
}

/*
 * Has the TCP dissector dissect the segment, and annotates it after. Where that throws, on a truncated packet for
 * example, the segment is annotated by a clean-up that Wireshark's exception code (epan/except.h) runs on its way to
 * the catcher; except_setup_clean(), which would register it, is not exported, so it is made of except_setup_try()'s.
 * There is no setjmp here.
 */
static int dissect_and_annotate(struct hooked *h, const uint8_t *header, void *data)
{
    packet_info *pinfo = h->pinfo;
    struct except_stacknode node;
    struct except_catch unused;
    struct except_cleanup cleanup = { conclude_while_throwing, h };

    h->segment.src = pinfo->src; /* the payload's dissectors may put others into pinfo: a tunnel over TCP */
    h->segment.dst = pinfo->dst;
    h->segment.srcport = header_number16(header + HEADER_SRCPORT);
    h->segment.destport = header_number16(header + HEADER_DSTPORT);
    h->layer = pinfo->curr_layer_num;
    h->concluded = false;
    except_setup_try(&node, &unused, NULL, 0);
    node.except_type = XCEPT_CLEANUP;
    node.except_info.except_cleanup = &cleanup;
    const int dissected = call_dissector_only(tcp_handle, h->tvb, pinfo, h->tree, data);
    except_pop();
    if (dissected > 0) /* 0: the user has disabled TCP */
        conclude(h);
    return dissected;
}

/* Whether an annotation of the packet would be shown: a field, the Info column or the tap is referenced. */
static inline bool is_referenced(proto_tree *tree)
{
    if (!tree && !info_column && !tap_listeners_require_dissection()) /* most often; what follows takes calls */
        return false;
    return have_tap_listener(tap_tcpstate) || info_column || annotation_is_referenced(tree);
}

/*
 * Whether an ICMP error that quotes the segment at the start of tvb ends an attempt to connect: prohibited by an
 * administrator, or port or protocol unreachable (RFC 792, RFC 1812 section 5.2.7.1, RFC 4443 sections 3.1 and 3.4).
 * The error's header, of 8 octets, stands before the IP header that it quotes; one with options is not looked through.
 */
static bool is_refusal_by_icmp(tvbuff_t *tvb)
{
    enum { ICMP_HEADER = 8, IPV6_HEADER = 40, IPV6_NEXT = 6 };
    tvbuff_t *frame = tvb_get_ds_tvb(tvb);
    const int at = tvb_raw_offset(tvb), ip4 = at - IPV4_HEADER_MIN, ip6 = at - IPV6_HEADER;
    const bool quotes_ip4 = ip4 >= ICMP_HEADER && tvb_get_uint8(frame, ip4) == 0x45;

    if (!quotes_ip4 && !(ip6 >= ICMP_HEADER && tvb_get_uint8(frame, ip6) >> 4 == 6
                         && tvb_get_uint8(frame, ip6 + IPV6_NEXT) == IP_PROTO_TCP))
        return false;
    const int error = (quotes_ip4 ? ip4 : ip6) - ICMP_HEADER;
    const uint8_t type = tvb_get_uint8(frame, error), code = tvb_get_uint8(frame, error + 1);
    if (quotes_ip4)
        return type == 3 && (code == 2 || code == 3 || code == 9 || code == 10 || code == 13);
    return (type == 1 && (code == 1 || code == 4 || code == 5 || code == 6)) || (type == 4 && code == 1);
}

/* A segment that an ICMP error quotes: no segment on its way. Where the error ends an attempt, it is annotated. */
static int dissect_quoted(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data)
{
    enum { QUOTED_MIN = 8 }; /* octets of TCP that every error quotes */
    const uint8_t *header = tvb_captured_length(tvb) >= QUOTED_MIN ? tvb_get_ptr(tvb, 0, QUOTED_MIN) : NULL;
    struct hooked h = { .tvb = tvb, .pinfo = pinfo, .tree = tree };
    struct pair_view view;

    if (header && is_refusal_by_icmp(tvb))
        h.pair = pair_refused(pinfo, header, &h.sender);
    if (!h.pair || !is_referenced(tree)
        || !pair_view(h.pair, pinfo->num, pinfo->curr_layer_num, h.sender, &view) || view.shown.count == 0)
        return call_dissector_only(tcp_handle, tvb, pinfo, tree, data);
    return dissect_and_annotate(&h, header, data);
}

static int dissect_tcpstate(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data)
{
    const bool referenced = is_referenced(tree);
    struct hooked h;
    const uint8_t *header;

    if (pinfo->flags.in_error_pkt && enabled)
        return dissect_quoted(tvb, pinfo, tree, data);
    if (!pinfo->fd->visited)
        pairs_note_time(pinfo);
    if ((!referenced && pinfo->fd->visited) || !enabled
        || !(header = read_segment(tvb, pinfo, data, &h.segment.seg)))
        return call_dissector_only(tcp_handle, tvb, pinfo, tree, data);

    struct pair *pair = pair_find(pinfo, header, &h.sender);
    if (pair && !pinfo->fd->visited)
        pair_segment(pair, pinfo, h.sender, &h.segment.seg);
    if (!pair || !referenced)
        return call_dissector_only(tcp_handle, tvb, pinfo, tree, data);

    h.tvb = tvb;
    h.pinfo = pinfo;
    h.tree = tree;
    h.pair = pair;
    return dissect_and_annotate(&h, header, data);
}

/* ------------------------------------------------------------------ registration */

static void register_preferences(void)
{
    static const enum_val_t endpoints[] = {
        { "auto", "Automatic", LOCAL_AUTO },
        { "client", "Client", LOCAL_CLIENT },
        { "server", "Server", LOCAL_SERVER },
        { "sender", "Sender of each segment", LOCAL_SENDER },
        { NULL, NULL, 0 }
    };
    module_t *module = prefs_register_protocol(proto_tcpstate, local_networks_apply);

    prefs_register_enum_preference(module, "local_endpoint", "Local endpoint",
        "Which end of a connection is local. Automatic: the end in the local networks, else by the direction "
        "in the capture, else the end that opened the connection.",
        &local_endpoint, endpoints, false);
    prefs_register_string_preference(module, "local_networks", "Local networks",
        "Addresses and networks whose end of a connection is local, separated by commas, "
        "for example 192.0.2.0/24, 2001:db8::1.",
        &local_networks);
    prefs_register_uint_preference(module, "time_wait", "TIME_WAIT (seconds)",
        "How long an end stays in TIME_WAIT, in seconds: 240 by RFC 9293 (twice its MSL of two minutes), "
        "60 on Linux, 120 on Windows.",
        10, &pair_time_wait_s);
    prefs_register_uint_preference(module, "stuck_after", "Stuck after (seconds)",
        "How long an end may stay in a state of opening or closing, in seconds, before it counts as stuck or left "
        "open.",
        10, &pair_stuck_after_s);
    prefs_register_bool_preference(module, "info_column", "Transitions in the Info column",
        "Whether the Info column tells each segment's changes of state.",
        &info_column);
    prefs_register_bool_preference(module, "hide_addresses", "Documentation addresses in the page",
        "Whether the page of -z tcpstate,page has documentation addresses (RFC 5737, RFC 3849) in place of those "
        "captured. Ports are kept.",
        &tcpstate_hide_addresses);
}

static void begin_file(void)
{
    enabled = proto_is_protocol_enabled(find_protocol_by_id(proto_tcpstate));
    local_networks_apply(); /* another profile may have changed the preference without a call */
    pairs_forget();
}

int proto_register_tcpstate(void)
{
    proto_tcpstate = proto_register_protocol("TCP State", "TCP State", "tcpstate");
    tap_tcpstate = register_tap("tcpstate");
    register_init_routine(begin_file);
    annotation_register(proto_tcpstate);
    register_preferences();
    return proto_tcpstate;
}

void proto_reg_handoff_tcpstate(void)
{
    /*
     * In name only and under "tcp": frame.protocols and layer numbers stay as they were. Named as what Wireshark keeps
     * for itself, and not to be switched off: neither completed in filters nor in Enabled Protocols.
     */
    const int proto_tcp = proto_get_id_by_filter_name("tcp");
    const int proto_hook = proto_register_protocol_in_name_only("TCP State hook", "TCP State hook", "_ws.tcpstate",
                                                                proto_tcp, FT_PROTOCOL);

    proto_set_cant_toggle(proto_hook);
    tcp_handle = find_dissector_add_dependency("tcp", proto_tcpstate);
    dissector_delete_uint("ip.proto", IP_PROTO_TCP, tcp_handle);
    dissector_add_uint("ip.proto", IP_PROTO_TCP, create_dissector_handle(dissect_tcpstate, proto_hook));
}
