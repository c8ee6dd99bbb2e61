/* flow_graph.c
 * Statistics > Flow Graph, "TCP State", and tshark -z flow,tcpstate,standard: transitions as its comments.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "views.h"

#include <wsutil/report_message.h>

#include "names.h"

/* Colours of the profile "TCP State", in its order: the first that fits counts. 0xRRGGBB. */
enum { BLACK = 0x000000, WHITE = 0xffffff };
static const struct colour {
    unsigned background, foreground;
    uint8_t state[2]; /* enum tcp_state: of either end */
} colours[] = {
    { 0xcc79a7, BLACK, { TCP_CLOSING, TCP_CLOSING } },
    { 0x56b4e9, BLACK, { TCP_LAST_ACK, TCP_LAST_ACK } },
    { 0xf0e442, BLACK, { TCP_FIN_WAIT_1, TCP_FIN_WAIT_1 } },
    { 0xe69f00, BLACK, { TCP_FIN_WAIT_2, TCP_CLOSE_WAIT } },
    { 0x009e73, BLACK, { TCP_TIME_WAIT, TCP_TIME_WAIT } },
    { 0x6e6e6e, WHITE, { TCP_CLOSED, TCP_CLOSED } },
    { 0xdddddd, BLACK, { TCP_SYN_SENT, TCP_SYN_RCVD } },
};
static const struct colour reset = { 0xd55e00, BLACK, { 0 } };
static const struct colour half_open = { 0x0072b2, WHITE, { 0 } }; /* before that of CLOSED */
static const struct colour other = { WHITE, BLACK, { 0 } };

static bool is_half_open(const struct log_view *shown)
{
    const uint8_t one = shown->end[0].state, two = shown->end[1].state;

    return (one == TCP_ESTABLISHED && two == TCP_CLOSED) || (one == TCP_CLOSED && two == TCP_ESTABLISHED);
}

static const struct colour *colour_of(const struct tcpstate_tap *tap)
{
    const struct log_view *shown = &tap->view.shown;

    if (tap->segment.seg.flags & TCP_RST)
        return &reset;
    if (is_half_open(shown))
        return &half_open;
    for (unsigned n = 0; n < array_length(colours); n++) {
        for (unsigned end = 0; end < 2; end++) {
            const uint8_t state = shown->end[end].state;
            if (state == colours[n].state[0] || state == colours[n].state[1])
                return &colours[n];
        }
    }
    return &other;
}

/* "FIN_WAIT_1 | CLOSE_WAIT?", client first; empty where nothing changed. Wireshark shows about 20 em of it. */
static char *comment_of(const struct log_view *shown)
{
    struct log_step step;
    bool changed = false;

    for (uint32_t n = 0; n < shown->count; n++)
        changed |= log_step(shown, n, &step);
    if (!changed)
        return g_strdup("");
    const struct log_end *c = &shown->end[shown->client], *s = &shown->end[!shown->client];
    return g_strdup_printf("%s | %s", tcp_state_text(c->state, c->confirmed), tcp_state_text(s->state, s->confirmed));
}

/* In print there is room for this much above an arrow; a number that is cut would mislead. */
#define LABEL_MAX 20

/* "FIN,ACK Seq=100", "PSH,ACK Len=15". */
static char *label_of(const struct tcpfsm_segment *seg)
{
    char flags[FLAGS_TEXT_SIZE];
    GString *label = g_string_new(tcp_flags_text(seg->flags, flags)), *number = g_string_new(NULL);

    if (seg->len)
        g_string_printf(number, " Len=%u", seg->len);
    else
        g_string_printf(number, " Seq=%u", seg->seq);
    if (label->len + number->len <= LABEL_MAX)
        g_string_append(label, number->str);
    g_string_free(number, true);
    return g_string_free(label, false);
}

/* The segment's own address, where Wireshark put that of the innermost layer. */
static void use_own_address(address *to, const address *own)
{
    free_address(to);
    copy_address(to, own);
}

/* Whether an item that Wireshark has just made for a packet reads as one. */
static bool is_new_item(const struct ws_flow_item *item, const packet_info *pinfo)
{
    return item->frame == 0 && !item->label && item->time && !item->comment && !item->has_colour && !item->display &&
           ((addresses_equal(&item->src, &pinfo->src) && addresses_equal(&item->dst, &pinfo->dst)) ||
            (addresses_equal(&item->src, &pinfo->net_src) && addresses_equal(&item->dst, &pinfo->net_dst)));
}

static bool is_new_flow(const struct ws_flow *flow)
{
    return !flow->name && flow->conversations == 0 && flow->items && !flow->items->head && flow->items->length == 0;
}

/* Whether Wireshark finds the nodes of a new item, in a flow for this alone: the first and last members lie right. */
static bool finds_nodes(struct ws_flow_item *item)
{
    struct ws_flow *flow = sequence_analysis_info_new();
    bool found = false;

    if (is_new_flow(flow)) {
        item->display = true;
        item->src_node = item->dst_node = UINT_MAX;
        g_queue_push_tail(flow->items, item);
        found = sequence_analysis_get_nodes(flow) == 1 && item->src_node == 0 &&
                item->dst_node == (addresses_equal(&item->src, &item->dst) ? 0 : 1);
        g_queue_pop_tail(flow->items);
    }
    sequence_analysis_info_free(flow);
    return found;
}

/*
 * Whether the running Wireshark's flow graphs are those that ws_compat.h declares. Asked once, of the first item; the
 * user is told if they are not.
 */
static bool is_as_declared(struct ws_flow_item *item, const packet_info *pinfo)
{
    static enum { UNKNOWN, YES, NO } known = UNKNOWN;

    if (known == UNKNOWN) {
        known = is_new_item(item, pinfo) && finds_nodes(item) ? YES : NO;
        if (known == NO)
            report_failure("TCP State: this Wireshark's flow graphs are not as the plugin knows them; there is none of "
                           "type \"TCP State\".");
    }
    return known == YES;
}

static tap_packet_status packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                tap_flags_t flags _U_)
{
    struct ws_flow *flow = (struct ws_flow *)data;
    const struct tcpstate_tap *tap = (const struct tcpstate_tap *)tapped;
    const struct colour *colour = colour_of(tap);
    struct ws_flow_item *item = sequence_analysis_create_sai_with_addresses(pinfo, flow);

    if (!item)
        return TAP_PACKET_DONT_REDRAW;
    if (!is_as_declared(item, pinfo)) {
        g_free(item); /* whose members cannot be known */
        return TAP_PACKET_DONT_REDRAW;
    }
    use_own_address(&item->src, &tap->segment.src);
    use_own_address(&item->dst, &tap->segment.dst);
    item->frame = pinfo->num;
    item->srcport = tap->segment.srcport;
    item->destport = tap->segment.destport;
    item->label = label_of(&tap->segment.seg);
    item->comment = comment_of(&tap->view.shown);
    item->foreground = colour->foreground;
    item->background = colour->background;
    item->has_colour = true;
    item->display = true;
    item->line_style = 1;
    g_queue_push_tail(flow->items, item);
    return TAP_PACKET_REDRAW;
}

void flow_graph_register(int proto)
{
    register_seq_analysis("tcpstate", "TCP State", proto, "tcpstate", TL_REQUIRES_NOTHING, packet);
}
