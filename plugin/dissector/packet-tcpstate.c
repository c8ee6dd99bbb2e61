/* packet-tcpstate.c
 * TCP State: annotates every TCP segment with the states of both endpoints.
 *
 * Hooked between IP and TCP: our handle for IP protocol 6 calls the TCP dissector and annotates
 * after it. So each TCP layer of a frame is seen on its own, with its own addresses, at the price
 * of one table look-up; see README.md, "How it hooks in".
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "packet-tcpstate.h"

#include "annotation.h"
#include "local_end.h"
#include "segment.h"

#include <epan/exceptions.h>
#include <epan/ipproto.h>
#include <epan/prefs.h>
#include <epan/tap.h>

static int proto_tcpstate;
static int tap_tcpstate;
static protocol_t *protocol;
static dissector_handle_t tcp_handle;
static ws_bool info_column; /* a preference: transitions go to the Info column too */

/* ------------------------------------------------------------------ the hook */

/* What pinfo says of a segment's ends. Kept from before the payload is dissected: a tunnel over TCP overwrites it. */
struct endpoints {
    address src, dst;
    uint32_t srcport, destport;
    int p2p_dir;
};

static struct endpoints endpoints_of(const packet_info *pinfo)
{
    const struct endpoints e = { pinfo->src, pinfo->dst, pinfo->srcport, pinfo->destport, pinfo->p2p_dir };
    return e;
}

static void set_endpoints(packet_info *pinfo, const struct endpoints *e)
{
    pinfo->src = e->src;
    pinfo->dst = e->dst;
    pinfo->srcport = e->srcport;
    pinfo->destport = e->destport;
    pinfo->p2p_dir = e->p2p_dir;
}

static bool has_endpoints(const packet_info *pinfo, const struct endpoints *e)
{
    return pinfo->src.data == e->src.data && pinfo->dst.data == e->dst.data && pinfo->src.type == e->src.type
        && pinfo->dst.type == e->dst.type && pinfo->srcport == e->srcport && pinfo->destport == e->destport
        && pinfo->p2p_dir == e->p2p_dir;
}

/* One segment between its arrival from IP and its annotation. */
struct hooked {
    struct header header;
    struct endpoints endpoints; /* of the segment */
    bool looked_at;             /* somebody would see an annotation */
    struct connection_arrival arrival;
};

static void tell_listeners(packet_info *pinfo, const struct tcpfsm_segment *seg, const struct connection_view *view)
{
    struct tcpstate_tap *said = wmem_new(pinfo->pool, struct tcpstate_tap);

    *said = (struct tcpstate_tap){
        .view = *view, .seg = *seg, .src = pinfo->src, .dst = pinfo->dst,
        .srcport = (uint16_t)pinfo->srcport, .destport = (uint16_t)pinfo->destport,
    };
    tap_queue_packet(tap_tcpstate, pinfo, said);
}

/* Whether anybody would see an annotation. */
static inline bool somebody_looks(proto_tree *tree)
{
    if (!tree && !info_column && !tap_listeners_require_dissection()) /* most often; what follows takes calls */
        return false;
    return have_tap_listener(tap_tcpstate) || info_column || annotation_is_wanted(tree);
}

static void annotate(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, const struct hooked *h)
{
    struct connection_view view;

    if (!connection_view(h->arrival.connection, pinfo, h->arrival.sender, &view))
        return;
    const struct tcpfsm_segment seg = header_read(&h->header);
    if (annotation_is_wanted(tree))
        annotation_add(tree, tvb, pinfo, &view, &seg);
    if (info_column && pinfo->cinfo && col_get_writable(pinfo->cinfo, COL_INFO))
        annotation_info_column(pinfo, &view);
    if (have_tap_listener(tap_tcpstate))
        tell_listeners(pinfo, &seg, &view);
}

static void follow(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, struct hooked *h, bool refused)
{
    struct connection_arrival *a = &h->arrival;

    if (!a->connection) {
        a->connection = connection_of_segment(a, pinfo, &h->header, refused);
        if (a->connection && !pinfo->fd->visited)
            connection_segment(a->connection, pinfo, &h->header, a->sender);
    }
    if (a->connection && h->looked_at)
        annotate(tvb, pinfo, tree, h);
}

/* With pinfo as it was before the TCP dissector had it. */
static void follow_as_before(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, struct hooked *h, bool refused)
{
    const uint8_t inner = pinfo->curr_layer_num;

    pinfo->curr_layer_num = h->arrival.layer;
    follow(tvb, pinfo, tree, h, refused);
    pinfo->curr_layer_num = inner;
}

/* The TCP dissector is done with the segment, or has refused it. */
static void conclude(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, struct hooked *h, bool refused)
{
    if (has_endpoints(pinfo, &h->endpoints)) {
        follow_as_before(tvb, pinfo, tree, h, refused);
        return;
    }
    const struct endpoints inner = endpoints_of(pinfo);
    set_endpoints(pinfo, &h->endpoints);
    follow_as_before(tvb, pinfo, tree, h, refused);
    set_endpoints(pinfo, &inner);
}

/* Has the TCP dissector dissect the segment, and comes after it. */
static int dissect_and_conclude(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data, struct hooked *h)
{
    volatile int dissected = 1; /* stays so where TCP throws, on a truncated packet: annotated all the same */

    TRY {
        dissected = call_dissector_only(tcp_handle, tvb, pinfo, tree, data);
    }
    FINALLY {
        conclude(tvb, pinfo, tree, h, dissected <= 0); /* 0: the user has disabled TCP */
    }
    ENDTRY;
    return dissected;
}

/* Follows a segment, and annotates it if somebody looks. */
static G_NO_INLINE int dissect_and_follow(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data,
                                          const struct header *header, bool looked_at)
{
    if (!proto_is_protocol_enabled(protocol)) /* the user has switched it off: then no connection is known either */
        return call_dissector_only(tcp_handle, tvb, pinfo, tree, data);

    struct hooked h = {
        .header = *header, .endpoints = endpoints_of(pinfo), .looked_at = looked_at,
        .arrival = connection_arrives(pinfo, header),
    };
    h.endpoints.srcport = header_number16(header->octets + HEADER_SRCPORT);
    h.endpoints.destport = header_number16(header->octets + HEADER_DSTPORT);
    if (h.arrival.connection && !pinfo->fd->visited)
        connection_segment(h.arrival.connection, pinfo, header, h.arrival.sender);
    return dissect_and_conclude(tvb, pinfo, tree, data, &h);
}

/* On the first pass, a segment at which nobody looks, and of a connection that is not known before TCP has it. */
static G_NO_INLINE int dissect_unseen(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data,
                                      struct header header)
{
    struct connection_opening opening;

    if (!proto_is_protocol_enabled(protocol) || !connection_may_open(pinfo, &header, &opening))
        return dissect_and_follow(tvb, pinfo, tree, data, &header, false);
    const int dissected = call_dissector_only(tcp_handle, tvb, pinfo, tree, data);
    if (dissected > 0)
        connection_opens(&opening, pinfo, &header);
    return dissected;
}

static G_NO_INLINE int dissect_looked_at(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data)
{
    struct header header;

    if (!pinfo->fd->visited)
        connection_count_streams();
    if (!segment_find(tvb, pinfo, &header))
        return call_dissector_only(tcp_handle, tvb, pinfo, tree, data);
    return dissect_and_follow(tvb, pinfo, tree, data, &header, true);
}

static int dissect_tcpstate(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data)
{
    struct header header;

    if (somebody_looks(tree))
        return dissect_looked_at(tvb, pinfo, tree, data);
    if (pinfo->fd->visited)
        return call_dissector_only(tcp_handle, tvb, pinfo, tree, data);
    connection_count_streams();
    if (!segment_find(tvb, pinfo, &header) || connection_takes(pinfo, header))
        return call_dissector_only(tcp_handle, tvb, pinfo, tree, data);
    return dissect_unseen(tvb, pinfo, tree, data, header);
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
        10, &connection_time_wait_s);
    prefs_register_uint_preference(module, "stuck_after", "Stuck after (seconds)",
        "How long CLOSE_WAIT or FIN_WAIT_2 may last, in seconds, before expert information calls it stuck.",
        10, &annotation_stuck_after_s);
    prefs_register_bool_preference(module, "info_column", "Transitions in the Info column",
        "Whether the Info column tells each segment's changes of state.",
        &info_column);
}

int proto_register_tcpstate(void)
{
    proto_tcpstate = proto_register_protocol("TCP State", "TCP State", "tcpstate");
    tap_tcpstate = register_tap("tcpstate");
    register_init_routine(connection_forget_all);
    annotation_register(proto_tcpstate);
    register_preferences();
    return proto_tcpstate;
}

void proto_reg_handoff_tcpstate(void)
{
    /* In name only and under "tcp": frame.protocols, layer numbers and Enabled Protocols stay as they were. */
    const int proto_tcp = proto_get_id_by_filter_name("tcp");
    const int proto_hook = proto_register_protocol_in_name_only("TCP State hook", "TCP State hook", "tcpstate_hook",
                                                                proto_tcp, FT_PROTOCOL);

    protocol = find_protocol_by_id(proto_tcpstate);
    tcp_handle = find_dissector_add_dependency("tcp", proto_tcpstate);
    dissector_delete_uint("ip.proto", IP_PROTO_TCP, tcp_handle);
    dissector_add_uint("ip.proto", IP_PROTO_TCP, create_dissector_handle(dissect_tcpstate, proto_hook));
}
