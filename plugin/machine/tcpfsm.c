/* tcpfsm.c
 * The state machine of one TCP connection, seen from outside: one segment, first as evidence of its
 * sender's state (evidence.c), then by its effect on its receiver (effect.c).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "arrival.h"
#include "closer.h"
#include "in_between.h"
#include "race.h"
#include "reset_cause.h"

#include <string.h>

/* TIME_WAIT lasts 2 MSL (RFC 9293 section 3.10.8). */
static void expire_time_wait(const struct arrival *a, struct tcpfsm_end *e, int64_t time_wait_us)
{
    if (e->state == TCP_TIME_WAIT && a->seg->time_us - e->since_us >= time_wait_us)
        enter_closed(a, e, TCP_CLOSED, TCP_EV_TIMEOUT_2MSL);
}

/* The first segment ever: who is the client, and what both were before. */
static void start(struct tcpfsm *m, unsigned sender, unsigned client_hint, const struct tcpfsm_segment *seg)
{
    struct tcpfsm_end *s = &m->end[sender], *r = &m->end[!sender];

    m->started = true;
    m->midstream = true;
    s->wscale = r->wscale = TCPFSM_NO_WSCALE;
    m->client = client_hint & 1;
    if ((seg->flags & (TCP_SYN | TCP_RST)) != TCP_SYN) { /* a RST is one, whatever else it claims to be */
        s->state = r->state = TCP_ESTABLISHED;
    } else if (!(seg->flags & TCP_ACK)) {
        m->client = sender;
        r->state = TCP_LISTEN;
    } else {
        m->client = !sender;
        s->state = TCP_LISTEN;
        r->state = TCP_SYN_SENT;
    }
}

/* Whether the segment ends where the latest, of the same sender, ended, and comes too soon to be a repetition of it. */
static bool may_copy_latest(const struct tcpfsm *m, unsigned sender, const struct tcpfsm_segment *seg, uint32_t end)
{
    const uint32_t elapsed_us = (uint32_t)(seg->time_us - m->latest.time_us);

    return m->latest.sender == sender && m->latest.end == end
        && elapsed_us < (m->rtt_us > REPEATS_AFTER_US ? m->rtt_us : REPEATS_AFTER_US);
}

static inline void note_latest(struct tcpfsm *m, unsigned sender, const struct tcpfsm_segment *seg, uint32_t end,
                               enum tcpfsm_latest_kind kind)
{
    const bool goes_on = kind == TCPFSM_LATEST_NEW_DATA && m->latest.kind == TCPFSM_LATEST_NEW_DATA
        && m->latest.sender == sender;

    m->latest = (struct tcpfsm_latest){
        .time_us = seg->time_us, .gap_us = goes_on ? m->latest.gap_us : seg->time_us - m->latest.time_us,
        .end = end, .sender = sender != 0, .kind = (uint8_t)kind,
    };
}

/* What a segment is, before its numbers are noted. */
static enum tcpfsm_latest_kind kind_of(const struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    if (!s->knows_snd_nxt || (seg->flags & (TCP_FIN | TCP_SYN | TCP_RST)))
        return TCPFSM_LATEST_OTHER;
    if (seg->len <= 1 && seg->seq == s->snd_nxt - 1)
        return TCPFSM_LATEST_KEEP_ALIVE;
    if (seg->len == 0)
        return TCPFSM_LATEST_EMPTY;
    return seq_gt(seg->seq + seg->len, s->snd_nxt) ? TCPFSM_LATEST_NEW_DATA : TCPFSM_LATEST_OTHER;
}

static void note_keep_alive(struct tcpfsm *m, unsigned sender, const struct tcpfsm_segment *seg)
{
    const struct tcpfsm_keep_alive before = m->keep_alive;
    const bool again = before.gap_us != 0 && before.sender == sender && before.next == m->end[sender].snd_nxt;

    m->keep_alive = (struct tcpfsm_keep_alive){
        .us = (uint32_t)seg->time_us, .gap_us = again ? (uint32_t)seg->time_us - before.us : UINT32_MAX,
        .next = m->end[sender].snd_nxt, .sender = (uint8_t)sender,
    };
}

/* What a segment proves of its sender, and does to its receiver. */
static void judge(const struct arrival *a)
{
    const bool syn = has(a->seg, TCP_SYN), ack = has(a->seg, TCP_ACK);
    bool copy = false;

    if (has(a->seg, TCP_RST)) {
        evidence_of_rst(a);
        effect_of_rst(a);
        return;
    }
    if (!syn && !ack)
        return; /* RFC 9293 section 3.10.7.4: without ACK it is dropped */

    if (!syn)
        evidence_of_ack(a);
    else if (ack)
        evidence_of_syn_ack(a);
    else
        copy = !evidence_of_syn(a);

    if (!(syn && a->snd->syn_pending)) /* else its numbers are not those of the connection */
        seq_note_sent(a->snd, a->rcv, a->seg, a->end, a->may_copy_latest);

    if (!syn)
        effect_of_ack(a);
    else if (ack)
        effect_of_syn_ack(a);
    else if (!copy)
        effect_of_syn(a);
}

/*
 * The end is open, all numbers are known, and nothing was ever seen of a FIN: the peer has all that the end has sent,
 * all of it was captured, and it has acknowledged no more.
 */
static bool is_calm(const struct tcpfsm_end *e, const struct tcpfsm_end *peer)
{
    if (e->state != TCP_ESTABLISHED || e->held_count > 0 || e->data_end != e->snd_nxt || peer->rcv_nxt != e->snd_nxt)
        return false;
    const bool knows_all = e->synchronized & e->captured & e->has_acked & e->knows_snd_nxt & e->knows_data_end
        & e->knows_rcv_nxt & e->hop_settled;
    const bool doubts = e->has_other_iss | e->syn_pending | e->knows_fin | e->fin_disputed | e->fin_over_hole
        | e->fin_ack_provable | e->peer_fin_arrived | e->lacks_octets;

    return knows_all && !doubts;
}

/*
 * What most segments are: data or an ACK that begins where its sender's last segment ended, acknowledges no more than
 * its receiver sent, comes by the same way as others, and is taken, on a calm connection. It proves nothing new and
 * changes nothing that is shown: only numbers move. (Numbers half the circle apart are both before and after each
 * other: asked as the rules for all segments ask it.)
 */
static bool only_moves_numbers(const struct tcpfsm *m, const struct tcpfsm_end *s, const struct tcpfsm_end *r,
                               const struct tcpfsm_segment *seg)
{
    return m->calm && !seg->length_doubtful && seg->hop_limit == s->hop_limit
        && (seg->flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK
        && s->confirmed && seg->seq == s->snd_nxt && !seq_gt(seg->ack, r->snd_nxt)
        && !seq_lt(seg->seq + seg->len, r->rcv_acked) /* not dropped */
        && seg->time_us - m->latest.time_us < RTO_LEAST_US; /* else it may be a repetition, or a keep-alive */
}

static bool awaits_ack_of_fin(enum tcp_state state)
{
    return state == TCP_FIN_WAIT_1 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

/*
 * Whether the segment may have moved its receiver, though by what was captured it did not: the capture may lack what
 * the receiver had been sent, what it had sent, or the window it had offered. Only what changes nothing under every
 * reading is certain.
 */
static bool may_have_moved(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd, *r = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;

    if (r->state == TCP_SYN_SENT) { /* moved by what acknowledges its SYN: section 3.10.7.3 */
        const bool acks_other = r->has_other_iss && seg->ack == r->iss_other + 1;
        const bool acks_more = seq_gt(seg->ack, r->syn_pending ? r->iss_other : r->iss);
        return has(seg, TCP_ACK) && (acks_other || (acks_more && !has(seg, TCP_RST)));
    }
    if (has(seg, TCP_RST)) /* 4.4BSD takes one with an old number, too; RFC 793 any within the window */
        return r->state != TCP_CLOSED;
    if (r->state == TCP_TIME_WAIT && has(seg, TCP_SYN)) /* which may be over: stacks differ, from 10 s to 5 min */
        return true;
    if (has(seg, TCP_ACK) && awaits_ack_of_fin(r->state) && acks_fin_of(r, seg->ack))
        return true; /* whatever its number: lwIP and 4.4BSD take the acknowledgement all the same */
    if (seq_is_dropped(r, a->end))
        return false;
    if (!has(seg, TCP_ACK)) /* a new SYN in the window: a challenge ACK is due; by RFC 793 section 3.9, a RST */
        return has(seg, TCP_SYN) && !seq_beyond_window(r, seg->seq)
            && (!r->knows_rcv_nxt || seq_ge(seg->seq, r->rcv_nxt));
    switch (r->state) {
    case TCP_SYN_RCVD:
        return !r->knows_iss || seq_gt(seg->ack, r->iss);
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT_1:
    case TCP_FIN_WAIT_2:
        break;
    default:
        return false;
    }
    /* The peer's FIN, or what fills the hole before it. */
    return has(seg, TCP_FIN) || (s->knows_fin && seg->len > 0);
}

/*
 * A SYN or FIN again that its receiver has acknowledged, sooner upon another segment than a timer would run: it
 * answers what came before that acknowledgement (4.4BSD repeats its FIN with each ACK). What is captured ahead of it
 * may wait in its sender's queue, and move that yet.
 */
static bool may_be_moved_yet(const struct arrival *a)
{
    const struct tcpfsm_end *r = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;

    return (seg->flags & (TCP_SYN | TCP_FIN)) && r->has_acked && seq_le(a->end, r->rcv_acked)
        && seg->time_us - a->latest.time_us < REPEATS_AFTER_US;
}

/* Any segment, by all rules. */
static bool arrive(const struct arrival *a, bool first, int64_t time_wait_us)
{
    struct tcpfsm *m = a->m;
    struct tcpfsm_outcome *out = a->out;
    const bool snd_confirmed = a->snd->confirmed, rcv_confirmed = a->rcv->confirmed;
    bool news = first;
    expire_time_wait(a, &m->end[0], time_wait_us);
    expire_time_wait(a, &m->end[1], time_wait_us);
    if (has(a->seg, TCP_RST)) {
        const uint8_t cause = m->reset_cause;
        const bool cause_confirmed = m->reset_confirmed;
        reset_cause_note(a);
        news |= (m->reset_cause != cause) | (m->reset_confirmed != cause_confirmed);
        race_decide(a);
    }
    const bool moves_yet = may_be_moved_yet(a);
    judge(a);
    if (moves_yet)
        a->snd->confirmed = false;
    if (a->in_between) { /* the end in whose name it came may know nothing of it */
        out->in_between = news = true;
        a->snd->confirmed = false;
        a->snd->fin_disputed |= has(a->seg, TCP_FIN);
    } else if (!has(a->seg, TCP_RST)) {
        in_between_note(a->snd, a->seg);
    }
    if (a->rcv->confirmed && may_have_moved(a))
        a->rcv->confirmed = false;
    if (a->seg->length_doubtful) { /* so are its numbers, and which of them is its FIN's */
        a->snd->confirmed = a->rcv->confirmed = false;
        a->snd->fin_disputed = true;
    }
    m->calm = is_calm(a->rcv, a->snd) && is_calm(a->snd, a->rcv);
    if (m->calm) {
        seq_note_scale(a->snd, a->rcv);
        seq_note_scale(a->rcv, a->snd);
    }
    if (out->opened) {
        m->closed_by = TCP_CLOSER_NONE;
        m->reset_cause = RESET_NONE;
        m->reset_confirmed = false;
        m->race = (struct tcpfsm_race){ 0 };
    }
    news |= out->opened | out->tries_on | (out->end[0].count + out->end[1].count > 0);
    if (news || (a->seg->flags & (TCP_FIN | TCP_RST))) {
        const enum tcp_closer closer = closer_of(m);
        news |= closer != (enum tcp_closer)m->closed_by;
        m->closed_by = closer & 7;
    }
    return news | (a->snd->confirmed != snd_confirmed) | (a->rcv->confirmed != rcv_confirmed);
}

bool tcpfsm_segment(struct tcpfsm *m, unsigned sender, unsigned client_hint,
                    const struct tcpfsm_segment *seg, int64_t time_wait_us,
                    struct tcpfsm_outcome *out)
{
    struct tcpfsm_end *snd = &m->end[sender], *rcv = &m->end[!sender];
    const bool first = !m->started;
    struct tcpfsm_segment syn;

    if (first)
        start(m, sender, client_hint, seg);
    *out = (struct tcpfsm_outcome){ .end = { { .previous = m->end[0].state }, { .previous = m->end[1].state } } };
    if (only_moves_numbers(m, snd, rcv, seg) && in_between_note_in_order(snd, seg)) {
        note_latest(m, sender, seg, seg->seq + seg->len, seg->len > 0 ? TCPFSM_LATEST_NEW_DATA : TCPFSM_LATEST_EMPTY);
        seq_note_sent_in_order(snd, rcv, seg);
        return false;
    }
    if (has(seg, TCP_SYN | TCP_FIN) && !has(seg, TCP_ACK)) { /* no stack opens and closes at once, nor obeys that */
        syn = *seg;
        syn.flags &= (uint8_t)~TCP_FIN;
        seg = &syn;
    }
    const uint32_t end = seq_end(seg);
    const struct arrival a = {
        .m = m, .snd = snd, .rcv = rcv, .seg = seg, .out = out, .data_end = seq_data_end(seg), .end = end,
        .may_copy_latest = may_copy_latest(m, sender, seg, end),
        .in_between = (seg->flags & (TCP_RST | TCP_FIN)) && is_in_between(snd, rcv, seg), .latest = m->latest,
    };
    const enum tcpfsm_latest_kind kind = kind_of(snd, seg);
    if (!first)
        race_note(m, sender, seg);
    note_latest(m, sender, seg, a.end, kind);
    if (kind == TCPFSM_LATEST_KEEP_ALIVE)
        note_keep_alive(m, sender, seg);
    return arrive(&a, first, time_wait_us);
}

bool tcpfsm_icmp_error(struct tcpfsm *m, unsigned sender, uint32_t seq, int64_t time_us, struct tcpfsm_outcome *out)
{
    struct tcpfsm_end *e = &m->end[sender & 1], *peer = &m->end[!(sender & 1)];
    const struct tcpfsm_segment quoted = { .seq = seq, .time_us = time_us };
    const struct arrival a = { .m = m, .snd = e, .rcv = peer, .seg = &quoted, .out = out };

    *out = (struct tcpfsm_outcome){ .end = { { .previous = m->end[0].state }, { .previous = m->end[1].state } } };
    if (!awaits_answer_to(e, &quoted))
        return false;
    enter_closed(&a, e, TCP_CLOSED, TCP_EV_RCV_ICMP);
    if (peer->state == TCP_SYN_RCVD && !peer->sent_syn_ack) /* the SYN never came */
        enter_closed(&a, peer, TCP_CLOSED, TCP_EV_RCV_ICMP);
    m->closed_by = closer_of(m) & 7;
    return true;
}
