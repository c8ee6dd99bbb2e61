/* flow_graph.c
 * Statistics > Flow Graph, "TCP State", and tshark -z flow,tcpstate,standard: transitions as its comments.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "views.h"

#include "names.h"

/* Stages of a connection, and how their rows look: dark text on a pale ground. */
enum stage { STAGE_OPEN, STAGE_OPENING, STAGE_CLOSING, STAGE_HALF_CLOSED, STAGE_ENDED, STAGE_RESET };
#define FOREGROUND 0x12272e
static const unsigned background[] = {
    [STAGE_OPEN] = 0xffffff,    [STAGE_OPENING] = 0xdaeaff, [STAGE_CLOSING] = 0xffdfb0, [STAGE_HALF_CLOSED] = 0xfff5b1,
    [STAGE_ENDED] = 0xe2e2e2, [STAGE_RESET] = 0xf9c9cf,
};

static bool is_either(const struct log_view *shown, enum tcp_state state)
{
    return shown->end[0].state == state || shown->end[1].state == state;
}

static enum stage stage_of(const struct tcpstate_tap *tap)
{
    const struct log_view *shown = &tap->view.shown;

    if (tap->segment.seg.flags & TCP_RST)
        return STAGE_RESET;
    if (is_either(shown, TCP_SYN_SENT) || is_either(shown, TCP_SYN_RCVD))
        return STAGE_OPENING;
    if (is_either(shown, TCP_LAST_ACK) || is_either(shown, TCP_CLOSING))
        return STAGE_CLOSING;
    if (is_either(shown, TCP_CLOSE_WAIT) || is_either(shown, TCP_FIN_WAIT_1) || is_either(shown, TCP_FIN_WAIT_2))
        return STAGE_HALF_CLOSED;
    return is_either(shown, TCP_TIME_WAIT) || is_either(shown, TCP_CLOSED) ? STAGE_ENDED : STAGE_OPEN;
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

static tap_packet_status packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                tap_flags_t flags _U_)
{
    struct ws_flow *flow = (struct ws_flow *)data;
    const struct tcpstate_tap *tap = (const struct tcpstate_tap *)tapped;
    struct ws_flow_item *item = sequence_analysis_create_sai_with_addresses(pinfo, flow);

    if (!item)
        return TAP_PACKET_DONT_REDRAW;
    use_own_address(&item->src, &tap->segment.src);
    use_own_address(&item->dst, &tap->segment.dst);
    item->frame = pinfo->num;
    item->srcport = tap->segment.srcport;
    item->destport = tap->segment.destport;
    item->label = label_of(&tap->segment.seg);
    item->comment = comment_of(&tap->view.shown);
    item->foreground = FOREGROUND;
    item->background = background[stage_of(tap)];
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
