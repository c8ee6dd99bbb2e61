/* reset_cause.c
 * Why a RST was sent: told from its form, and from what both ends had sent before it.
 *
 * An answer to a segment that finds no connection, or one that cannot take it, has that segment's acknowledgement for
 * its number, and no ACK (RFC 9293 section 3.5.2). The reset of a connection by its own end (section 3.10.5) has the
 * end's next number; that of all known stacks bears an ACK. Windows answers with an ACK, too.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "in_between.h"
#include "reset_cause.h"

struct verdict {
    enum reset_cause cause;
    bool confirmed;
};

static struct verdict assumed(enum reset_cause cause)
{
    return (struct verdict){ cause, false };
}

/* It has the number of an acknowledgement that the receiver sent, and no ACK: the form of an answer. */
static bool is_answer(const struct arrival *a)
{
    return !has(a->seg, TCP_ACK) && a->rcv->has_acked && seq_le(a->seg->seq, a->rcv->rcv_acked);
}

/* The same, to the latest that was captured of the receiver. */
static bool answers_latest(const struct arrival *a)
{
    return is_answer(a) && a->seg->seq == a->rcv->last_ack;
}

/* The peer sent data that the end has never acknowledged. */
static bool has_data_for(const struct tcpfsm_end *peer, const struct tcpfsm_end *e)
{
    const uint32_t end = peer->knows_fin ? peer->fin : peer->snd_nxt;

    return peer->knows_snd_nxt && e->has_acked && seq_gt(end, e->rcv_acked);
}

static bool sent_fin(const struct tcpfsm_end *e)
{
    return e->knows_fin && (e->state == TCP_CLOSED || e->state >= TCP_FIN_WAIT_1);
}

/* Its FIN was captured, in order, and is the only one. */
static bool has_certain_fin(const struct tcpfsm_end *e)
{
    return e->knows_fin && !e->fin_inferred && !e->fin_disputed && !e->fin_over_hole && !e->fin_guess;
}

/* A SYN is refused: by RST,ACK that acknowledges it, from an end that has not answered it otherwise. */
static bool refuses_syn(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd, *r = a->rcv;

    return has(a->seg, TCP_ACK) && acks_latest_syn_of(r, a->seg->ack)
        && (r->syn_pending || !(r->synchronized || r->sent_syn_ack || s->sent_syn_ack));
}

/* The end has not been seen to be past its own SYN or SYN,ACK. */
static struct verdict cause_while_opening(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;
    const uint32_t number = a->seg->seq;

    if (has(a->seg, TCP_ACK)) /* its connection was complete, though that was not captured */
        return assumed(acks_latest_syn_of(s, number) ? RESET_ABORTED : RESET_UNKNOWN);
    if (!s->knows_iss)
        return assumed(RESET_CONNECTION_UNKNOWN);
    return assumed(acks_latest_syn_of(s, number) ? RESET_HANDSHAKE_GIVEN_UP : RESET_UNACCEPTABLE_ACK);
}

/* An answer to what found no connection, or one that its program had closed. */
static struct verdict cause_of_answer(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd, *r = a->rcv;
    /* A RST of the peer's own, or of someone in between, may have come first: then it is no longer known. */
    const bool certain = comes_as_others(a) && !a->m->midstream && answers_latest(a) && has_certain_fin(s)
        && !r->sent_rst && s->reset_cause != RESET_IN_BETWEEN;

    if (sent_fin(s) && has_data_for(r, s))
        return (struct verdict){ RESET_DATA_AFTER_CLOSE, certain };
    if (s->knows_snd_nxt && seq_lt(a->seg->seq, s->snd_nxt) && has_data_for(r, s))
        return assumed(RESET_DATA_AFTER_CLOSE); /* its FIN waits behind data that were not acknowledged */
    if (r->state == TCP_TIME_WAIT && (s->state == TCP_CLOSED || s->state == TCP_LAST_ACK))
        return (struct verdict){ RESET_OLD_DUPLICATE, certain && r->confirmed && a->seg->seq == s->fin + 1 };
    return assumed(RESET_CONNECTION_UNKNOWN);
}

/* What the end does after a RST of its own: a copy of that, or answers to what was on the way. */
static struct verdict cause_after_own(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;
    const struct verdict before = { (enum reset_cause)s->reset_cause, s->reset_confirmed };

    const bool was_answer = before.cause == RESET_CONNECTION_UNKNOWN
        || (before.cause == RESET_DATA_AFTER_CLOSE && before.confirmed);
    if (has(a->seg, TCP_ACK) && was_answer) /* captured after its answers to what was on the way */
        return assumed(RESET_ABORTED);
    if (has(a->seg, TCP_ACK) || (before.cause != RESET_ABORTED && before.cause != RESET_TIMEOUT))
        return before; /* a copy, or the same again */
    return assumed(RESET_CONNECTION_UNKNOWN); /* or its program's RST, captured behind an answer */
}

/*
 * The end has sent nothing since its latest keep-alive, which the peer has not answered; or did, but it took the end as
 * long as from one keep-alive to the next, so that the answers were lost behind the place of capture.
 */
static bool waits_for_keep_alive(const struct arrival *a)
{
    const struct tcpfsm_keep_alive *k = &a->m->keep_alive;
    const uint32_t waited_us = (uint32_t)a->seg->time_us - k->us;

    if (k->gap_us == 0 || k->sender != a->snd - a->m->end || !a->snd->knows_snd_nxt || k->next != a->snd->snd_nxt
        || waited_us < KEEP_ALIVE_LEAST_US)
        return false;
    return a->latest.kind == TCPFSM_LATEST_KEEP_ALIVE
        || (waited_us > k->gap_us - k->gap_us / 8 && waited_us < k->gap_us + k->gap_us / 8);
}

static struct verdict cause_of(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd, *r = a->rcv;

    if (a->in_between)
        return assumed(RESET_IN_BETWEEN);
    if (refuses_syn(a))
        return assumed(RESET_NOTHING_LISTENS);
    if (s->state == TCP_CLOSED && s->reset_cause != RESET_NONE && s->reset_cause != RESET_IN_BETWEEN)
        return cause_after_own(a);
    if (s->state == TCP_SYN_SENT || s->state == TCP_SYN_RCVD)
        return cause_while_opening(a);
    if (is_answer(a)) {
        const bool is_opening = s->state == TCP_ESTABLISHED && s->knows_iss && !s->synchronized;
        return is_opening ? cause_while_opening(a) : cause_of_answer(a);
    }
    if (!s->captured && !r->captured)
        return assumed(RESET_UNKNOWN);
    if (!has(a->seg, TCP_ACK) && (s->state == TCP_CLOSED || s->state == TCP_LISTEN))
        return assumed(RESET_CONNECTION_UNKNOWN); /* it answers what was not captured */
    if (waits_for_keep_alive(a))
        return assumed(RESET_TIMEOUT);
    /* In the form in which Windows answers: it is the first to acknowledge those data. */
    if (sent_fin(s) && has_data_for(r, s) && seq_gt(a->seg->ack, s->rcv_acked))
        return assumed(RESET_DATA_AFTER_CLOSE);
    return assumed(RESET_ABORTED); /* no capture proves that it answers nothing: that may be on its way here */
}

void reset_cause_note(const struct arrival *a)
{
    struct verdict v = cause_of(a);

    if (a->seg->length_doubtful)
        v.confirmed = false;
    a->snd->rst_seq = a->seg->seq;
    a->snd->reset_cause = a->m->reset_cause = v.cause & 0xf;
    a->snd->reset_confirmed = a->m->reset_confirmed = v.confirmed;
}
