/* call.c
 * The user calls (RFC 9293 section 3.9.1) that a segment shows of the end that sent it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "call.h"

/* A RST that a program's ABORT sends (RFC 9293 section 3.10.5), not an answer to what no connection expects. */
static bool is_abort(const struct log_step *step, const struct tcpfsm_segment *seg)
{
    switch ((enum tcp_state)step->left) {
    case TCP_SYN_RCVD:
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT_1:
    case TCP_FIN_WAIT_2:
    case TCP_CLOSE_WAIT:
        return (seg->flags & TCP_ACK) != 0;
    default:
        return false;
    }
}

static unsigned call_of_step(const struct log_step *step, const struct tcpfsm_segment *seg)
{
    switch ((enum tcp_event)step->event) {
    case TCP_EV_SND_SYN:
        return TCP_CALL_BIT(OPEN_ACTIVE);
    case TCP_EV_SND_FIN:
        return TCP_CALL_BIT(CLOSE);
    case TCP_EV_SND_RST:
        return is_abort(step, seg) ? TCP_CALL_BIT(ABORT) : 0;
    default:
        return 0;
    }
}

/* The first SYN,ACK of an end that did not send a SYN before: it had listened. */
static bool shows_passive_open(const struct log_view *shown, unsigned src, const struct tcpfsm_segment *seg)
{
    return (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK) && src != shown->client
        && shown->count > 0 && !log_confirmed_before(shown, src) && shown->end[src].state == TCP_SYN_RCVD
        && log_entered_from(shown, src) != TCP_SYN_SENT;
}

unsigned calls_of(const struct log_view *shown, unsigned src, const struct tcpfsm_segment *seg)
{
    unsigned calls = seg->len > 0 && !(seg->flags & TCP_RST) ? TCP_CALL_BIT(SEND) : 0;
    struct log_step step;

    if (shown->in_between)
        return 0; /* of the end in whose name it came */
    for (uint32_t n = 0; n < shown->count; n++) {
        if (log_step(shown, n, &step) && step.end == src)
            calls |= call_of_step(&step, seg);
    }
    return shows_passive_open(shown, src, seg) ? calls | TCP_CALL_BIT(OPEN_PASSIVE) : calls;
}
