/* anomaly.c
 * What deserves a reader's eye on one segment.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "anomaly.h"

#include "closer.h"

#define BIT(name) (UINT32_C(1) << TCP_ANOMALY_##name)

/* One segment, and who is who on it. */
struct scene {
    const struct history_view *shown;
    const struct history_end *snd, *rcv;
    const struct tcpfsm_segment *seg;
    unsigned src;
    int64_t now_ns, stuck_ns;
};

/* The end made a transition by that event here; *step tells which. */
static bool did(const struct scene *s, unsigned end, enum tcp_event event, struct history_step *step)
{
    for (uint32_t n = 0; n < s->shown->count; n++) {
        if (history_step(s->shown, n, step) && step->end == end && step->event == event)
            return true;
    }
    return false;
}

static bool either_did(const struct scene *s, enum tcp_event event, uint8_t left, uint8_t entered)
{
    struct history_step step;

    for (uint32_t n = 0; n < s->shown->count; n++) {
        if (history_step(s->shown, n, &step) && step.event == event && step.left == left && step.entered == entered)
            return true;
    }
    return false;
}

static bool is_synchronized_state(uint8_t state)
{
    return state >= TCP_ESTABLISHED;
}

/* The RST that RFC 9293 section 3.10.7.1 prescribes where there is no connection, not that of an abort. */
static bool has_form_of_refusal(const struct scene *s)
{
    return !(s->seg->flags & TCP_ACK);
}

/* A RST that ended a synchronized connection: why was it sent? */
static uint32_t why_reset(const struct scene *s)
{
    const uint8_t from = s->snd->previous;

    if (!is_synchronized_state(from)) /* figures 9 and 10 */
        return BIT(HALF_OPEN);
    if (!has_form_of_refusal(s))
        return BIT(ABORT);
    /* Closed by its application both ways, it refuses what comes in. */
    const bool closing = from == TCP_FIN_WAIT_1 || from == TCP_FIN_WAIT_2;
    return closing && s->rcv->previous == TCP_CLOSE_WAIT ? BIT(DATA_AFTER_CLOSE) : BIT(HALF_OPEN);
}

static uint32_t anomaly_of_rst(const struct scene *s)
{
    struct history_step step;

    if (!did(s, !s->src, TCP_EV_RCV_RST, &step))
        return s->rcv->previous == TCP_CLOSED || s->rcv->previous == TCP_LISTEN ? 0 : BIT(RST_IGNORED);
    if (step.left == TCP_TIME_WAIT)
        return BIT(TIME_WAIT_CUT);
    if (is_synchronized_state(step.left))
        return why_reset(s);
    return step.left == TCP_SYN_SENT ? BIT(REFUSED) : 0; /* a reset in SYN_RCVD is a server's daily bread */
}

static uint32_t anomaly_of_syn(const struct scene *s)
{
    const bool ignored = is_synchronized_state(s->rcv->previous) && s->rcv->state == s->rcv->previous;
    uint32_t found = 0;

    if (either_did(s, TCP_EV_RCV_SYN, TCP_TIME_WAIT, TCP_SYN_RCVD)
        || either_did(s, TCP_EV_SND_SYN, TCP_TIME_WAIT, TCP_SYN_SENT))
        found |= BIT(TIME_WAIT_REUSED);
    else if (ignored && !(s->seg->flags & TCP_ACK))
        found |= BIT(SYN_SYNCHRONIZED);
    if (either_did(s, TCP_EV_RCV_SYN, TCP_SYN_SENT, TCP_SYN_RCVD))
        found |= BIT(SIMULTANEOUS_OPEN);
    return found;
}

/* The receiver had ended its connection in this capture, and the sender knows nothing of it. */
static bool is_data_after_close(const struct scene *s)
{
    return s->seg->len > 0 && s->rcv->previous == TCP_CLOSED && s->rcv->state == TCP_CLOSED
        && s->rcv->since_frame != 0 && s->snd->state != TCP_CLOSED;
}

/*
 * An end that leaves CLOSE_WAIT after too long, or does nothing in it but answer and keep alive. Not so one that
 * sends data: half-closed transfers take their time. What the peer, in FIN_WAIT_2, sends does not tell them apart.
 */
static bool is_stuck(const struct scene *s)
{
    struct history_step step;

    for (uint32_t n = 0; n < s->shown->count; n++) {
        if (history_step(s->shown, n, &step) && step.left == TCP_CLOSE_WAIT && step.has_dwell
            && step.dwell_ns > s->stuck_ns)
            return true;
    }
    return s->snd->state == TCP_CLOSE_WAIT && s->seg->len <= 1 && s->snd->since_frame != 0
        && history_elapsed_ns(s->snd->since_ns, s->now_ns) > s->stuck_ns;
}

uint32_t anomalies_of(const struct history_view *shown, unsigned src, const struct tcpfsm_segment *seg,
                      int64_t now_ns, int64_t stuck_ns)
{
    const struct scene scene = {
        .shown = shown, .snd = &shown->end[src], .rcv = &shown->end[!src], .seg = seg, .src = src,
        .now_ns = now_ns, .stuck_ns = stuck_ns,
    };
    uint32_t found = 0;

    if (seg->flags & TCP_RST)
        found |= anomaly_of_rst(&scene);
    else if (seg->flags & TCP_SYN)
        found |= anomaly_of_syn(&scene);
    else if (is_data_after_close(&scene))
        found |= BIT(DATA_AFTER_CLOSE);
    if (shown->closed_by == TCP_CLOSER_SIMULTANEOUS && either_did(&scene, TCP_EV_RCV_FIN, TCP_FIN_WAIT_1, TCP_CLOSING))
        found |= BIT(SIMULTANEOUS_CLOSE);
    if (is_stuck(&scene))
        found |= BIT(STUCK);
    return found;
}
