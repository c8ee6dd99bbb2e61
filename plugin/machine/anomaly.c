/* anomaly.c
 * What deserves a reader's eye on one segment.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "anomaly.h"

#define BIT(name) (UINT32_C(1) << TCP_ANOMALY_##name)

/* One segment, and who is who on it. */
struct scene {
    const struct log_view *shown;
    const struct log_end *snd, *rcv;
    const struct tcpfsm_segment *seg;
    unsigned src;
    int64_t stuck_ns;
};

/* The end made a transition by that event here; *step tells which. */
static bool did(const struct scene *s, unsigned end, enum tcp_event event, struct log_step *step)
{
    for (uint32_t n = 0; n < s->shown->count; n++) {
        if (log_step(s->shown, n, step) && step->end == end && step->event == event)
            return true;
    }
    return false;
}

static bool is_synchronized_state(uint8_t state)
{
    return state >= TCP_ESTABLISHED;
}

static bool is_syn(const struct tcpfsm_segment *seg)
{
    return (seg->flags & (TCP_SYN | TCP_RST)) == TCP_SYN;
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

    if (s->shown->reset_cause == RESET_IN_BETWEEN) /* which tells nothing of the end in whose name it came */
        return BIT(ABORT);
    if (from == TCP_CLOSED) { /* it had closed, or had reset: its first RST, ignored or not, has told of that */
        const bool closed = s->snd->event == TCP_EV_RCV_ACK_OF_FIN || s->snd->event == TCP_EV_TIMEOUT_2MSL;
        return closed ? BIT(DATA_AFTER_CLOSE) : 0;
    }
    if (!is_synchronized_state(from)) /* figures 9 and 10 */
        return BIT(HALF_OPEN);
    if (!has_form_of_refusal(s)) /* the RST of an abort, and that with which Windows refuses data after a close */
        return s->shown->reset_cause == RESET_DATA_AFTER_CLOSE ? BIT(DATA_AFTER_CLOSE) : BIT(ABORT);
    /* Closed by its application both ways, it refuses what comes in. */
    return from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT ? BIT(HALF_OPEN) : BIT(DATA_AFTER_CLOSE);
}

static uint32_t anomaly_of_rst(const struct scene *s)
{
    struct log_step step;

    if (!did(s, !s->src, TCP_EV_RCV_RST, &step))
        return s->rcv->previous == TCP_CLOSED || s->rcv->previous == TCP_LISTEN ? 0 : BIT(RST_IGNORED);
    if (step.left == TCP_TIME_WAIT) /* an end that resets right behind its own FIN has just closed in its own way */
        return s->snd->previous == TCP_LAST_ACK || s->snd->previous == TCP_CLOSING ? 0 : BIT(TIME_WAIT_CUT);
    if (is_synchronized_state(step.left))
        return why_reset(s);
    return step.left == TCP_SYN_SENT ? BIT(REFUSED) : 0; /* a reset in SYN_RCVD is a server's daily bread */
}

/* A SYN that does not move its receiver, whose connection is synchronized (RFC 9293 section 3.10.7.4). */
static bool is_challenged(const struct scene *s)
{
    return !(s->seg->flags & TCP_ACK) && is_synchronized_state(s->rcv->previous)
        && s->rcv->state == s->rcv->previous;
}

/* The receiver had ended its connection, and the sender knows nothing of it. */
static bool is_data_after_close(const struct scene *s)
{
    return s->seg->len > 0 && s->rcv->previous == TCP_CLOSED && s->rcv->state == TCP_CLOSED
        && s->snd->state != TCP_CLOSED;
}

/* A stay in CLOSE_WAIT that was too long, told once: it accuses only an end that is proved to have been there. */
static uint32_t stuck(bool proved)
{
    return proved ? BIT(STUCK) : BIT(STUCK_ASSUMED);
}

/* It left CLOSE_WAIT. A FIN that acknowledges the peer's is one more proof that it was there. */
static uint32_t anomaly_of_leaving(const struct scene *s, const struct log_step *step)
{
    const bool proved = log_confirmed_before(s->shown, step->end)
        || (step->event == TCP_EV_SND_FIN && s->shown->end[step->end].confirmed);

    if (!step->has_dwell || step->dwell_ns <= s->stuck_ns || (log_stuck_before(s->shown) & 1U << step->end))
        return 0;
    return stuck(proved);
}

static bool is_step(const struct log_step *step, enum tcp_event event, uint8_t left, uint8_t entered)
{
    return step->event == event && step->left == left && step->entered == entered;
}

/* What a single transition tells. */
static uint32_t anomaly_of_step(const struct scene *s, const struct log_step *step)
{
    if (step->left == TCP_CLOSE_WAIT)
        return anomaly_of_leaving(s, step);
    if (is_step(step, TCP_EV_RCV_FIN, TCP_FIN_WAIT_1, TCP_CLOSING))
        return s->shown->closed_by == TCP_CLOSER_SIMULTANEOUS ? BIT(SIMULTANEOUS_CLOSE) : 0;
    if (!is_syn(s->seg))
        return 0;
    if (is_step(step, TCP_EV_RCV_SYN, TCP_TIME_WAIT, TCP_SYN_RCVD)
        || is_step(step, TCP_EV_SND_SYN, TCP_TIME_WAIT, TCP_SYN_SENT))
        return BIT(TIME_WAIT_REUSED);
    return is_step(step, TCP_EV_RCV_SYN, TCP_SYN_SENT, TCP_SYN_RCVD) ? BIT(SIMULTANEOUS_OPEN) : 0;
}

/* The segment shows that a RST in its sender's name was not its own. */
static bool belies_rst(const struct scene *s)
{
    struct log_step step;

    return s->shown->reset_cause == RESET_IN_BETWEEN && did(s, s->src, TCP_EV_ALIVE_AFTER_OWN_RST, &step);
}

uint32_t anomalies_of(const struct log_view *shown, unsigned src, const struct tcpfsm_segment *seg,
                      int64_t stuck_ns)
{
    const struct scene scene = {
        .shown = shown, .snd = &shown->end[src], .rcv = &shown->end[!src], .seg = seg, .src = src,
        .stuck_ns = stuck_ns,
    };
    struct log_step step;
    uint32_t found = 0;

    for (uint32_t n = 0; n < shown->count; n++) {
        if (log_step(shown, n, &step))
            found |= anomaly_of_step(&scene, &step);
    }
    if (seg->flags & TCP_RST)
        found |= anomaly_of_rst(&scene) | (log_race_idle_ns(shown) >= 0 ? BIT(CLOSE_RACE) : 0);
    else if (is_syn(seg))
        found |= is_challenged(&scene) && !(found & BIT(TIME_WAIT_REUSED)) ? BIT(SYN_SYNCHRONIZED) : 0;
    else if (is_data_after_close(&scene))
        found |= BIT(DATA_AFTER_CLOSE);
    if (shown->in_between)
        found |= seg->flags & TCP_RST ? BIT(RESET_IN_BETWEEN) : BIT(FIN_IN_BETWEEN);
    if (belies_rst(&scene))
        found |= BIT(RESET_BELIED);
    if (log_stuck_by(shown) & 1U << src)
        found |= stuck(scene.snd->confirmed);
    return found;
}

unsigned ends_left_open(const struct log_view *shown, const struct final_view *final)
{
    struct log_step step;
    unsigned ends = 0;

    for (uint32_t n = 0; n < shown->count; n++) {
        if (!log_step(shown, n, &step))
            continue;
        const struct final_end *end = &final->end[step.end];
        /* Not where a proof put the end back: the state counts from when it was first entered. */
        if (end->left_open && end->state == step.entered && end->since_frame == shown->log->entry[shown->first].frame)
            ends |= 1U << step.end;
    }
    return ends;
}

enum tcp_anomaly anomaly_of_left_open(const struct final_view *final, unsigned ends)
{
    for (unsigned i = 0; i < 2; i++) {
        if (ends >> i & 1 && final_is_proved_leak(&final->end[i]))
            return TCP_ANOMALY_LEFT_OPEN;
    }
    return TCP_ANOMALY_LEFT_OPEN_ASSUMED;
}
