/* evidence.c
 * What an endpoint sends proves the state it was in; where that contradicts what was assumed of
 * it, the proof wins. A state is confirmed in the files evidence*.c, or nowhere.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "in_between.h"

/* The segment holds a number that was never captured of its sender before. */
static bool is_new(const struct arrival *a)
{
    return !a->snd->knows_snd_nxt || seq_gt(a->end, a->snd->snd_nxt);
}

/* The segment repeats what was captured before, later than a copy would come. */
static bool is_repetition(const struct arrival *a)
{
    return !a->may_copy_latest && !(has(a->seg, TCP_FIN) && is_copy(a->snd, a->seg));
}

/* Why an end that was taken to have closed is seen to live. */
static enum tcp_event event_of_life(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;

    if (s->by_rst)
        return TCP_EV_ALIVE_AFTER_RST;
    if (s->sent_rst)
        return TCP_EV_ALIVE_AFTER_OWN_RST;
    return s->knows_fin && has(a->seg, TCP_FIN) ? TCP_EV_FIN_REPEATED : TCP_EV_ALIVE_AFTER_CLOSE;
}

/* The end was taken to have closed by a RST, its own or the peer's. */
static bool is_reset(const struct tcpfsm_end *e)
{
    return e->by_rst || e->sent_rst;
}

/* A round trip, where the capture lacks the handshake that would tell: most are shorter. */
#define RTT_UNKNOWN_US 200000

/*
 * A segment of an end that was taken to have closed shows that it lives. Not so what it may have sent before: within a
 * round trip of a RST all was in flight; if the sender of the RST is silent since, any new data may have been, however
 * late they are captured. A live end repeats by a timer, and answers a RST that it does not accept, or a FIN.
 */
static bool shows_life(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;
    const struct tcpfsm_segment *seg = a->seg;
    const int64_t rtt_us = a->m->rtt_us ? a->m->rtt_us : RTT_UNKNOWN_US;

    if (is_reset(s) && seg->time_us - s->since_us < rtt_us)
        return false;
    if (is_new(a))
        return !s->by_rst || !a->rcv->sent_rst;
    if (has(seg, TCP_FIN) && is_repetition(a))
        return !is_reset(s) || seg->time_us - s->since_us >= RTO_LEAST_US;
    if (!s->has_acked || seq_lt(seg->ack, s->rcv_acked))
        return false;
    /* One that has answered by a RST itself knows of no connection, and refuses none. */
    const bool may_refuse_rst = s->by_rst && s->reset_cause == RESET_NONE;
    return seg->ack != s->rcv_acked || (may_refuse_rst && is_repetition(a)) || (s->sent_rst && s->fin_asks);
}

/* The end is again in its last live state. */
static void resume(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;

    if (s->sent_rst && !s->by_rst)
        in_between_note_belied(a);
    enter(a, s, s->syn_pending ? TCP_SYN_SENT : (enum tcp_state)s->live, event_of_life(a));
    if (!s->syn_pending)
        s->live = TCP_CLOSED;
    s->sent_rst = false;
}

/* ACK, data or FIN from an end that lives. */
static void evidence_of_living(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;
    const struct tcpfsm_end *p = a->rcv;

    if (s->syn_pending)
        decide_pending_syn(a);
    if (p->state == TCP_SYN_SENT && !p->syn_pending && s->state != TCP_SYN_SENT && p->captured
        && !(s->state == TCP_SYN_RCVD && s->sent_syn_ack) && !acks_syn_of(p, a->seg->ack)) {
        if (keeps_old_connection(a))
            evidence_of_opening(a);
        else if (seq_gt(a->seg->ack, s->rcv_acked)) /* what it has of its peer now, a FIN perhaps, was not captured */
            s->confirmed = false;
        return; /* it answers a new SYN out of its old connection: figure 9 */
    }
    if (evidence_of_opening(a))
        evidence_of_closing(a);
}

/* The end acknowledges a SYN of a new connection, but as far as the capture tells it is in the old one. */
static bool answers_new_syn(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd, *p = a->rcv;

    return p->state == TCP_SYN_SENT && s->synchronized && is_synchronized((enum tcp_state)s->state)
        && acks_latest_syn_of(p, a->seg->ack);
}

/*
 * It acknowledges less than its sender had before, or no more and, without data, bears a number below its next:
 * captured late, it proves what its sender was in then.
 */
static bool is_late(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;
    const struct tcpfsm_segment *seg = a->seg;

    if (!s->has_acked || seg->ack != s->rcv_acked)
        return s->has_acked && seq_lt(seg->ack, s->rcv_acked);
    return seg->len == 0 && !has(seg, TCP_FIN) && seq_lt(seg->seq, s->snd_nxt);
}

/*
 * It was reset after its peer had closed, and its own first FIN, on its way then, does not acknowledge the peer's: it
 * left before that came. (Where the peer has sent but a RST, that came first here.)
 */
static bool is_fin_in_flight(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;

    return has(a->seg, TCP_FIN) && is_reset(s) && !s->knows_fin && is_new(a)
        && !is_beyond_any_window(s, a->end) && a->rcv->knows_fin && !acks_fin_of(a->rcv, a->seg->ack);
}

void evidence_of_ack(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;
    const uint8_t before = s->state;
    const bool confirmed = s->confirmed, late = is_late(a);
    bool doubtful = false;

    if (s->state != TCP_SYN_SENT && a->rcv->fin_acked && acks_other_than_fin(a->rcv, a->seg->ack))
        begin_not_captured(a);
    if (s->state == TCP_CLOSED) {
        if (s->live != TCP_CLOSED && shows_life(a)) {
            doubtful = is_reset(s); /* the wire may have changed the order: this segment proves nothing else */
            resume(a);
        }
        if (s->state == TCP_CLOSED) {
            s->fin_uncovered |= is_fin_in_flight(a);
            s->confirmed = false; /* most likely it was in flight when it closed; but it did speak */
            return;
        }
    }
    doubtful |= answers_new_syn(a);
    evidence_of_living(a);
    if (doubtful)
        s->confirmed = false;
    else if (late)
        s->confirmed &= confirmed && s->state == before;
}
