/* evidence_closing.c
 * What segments of a synchronized end prove of its FIN and of its peer's: ESTABLISHED and all states after it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "arrival.h"

/*
 * Data beyond the end's FIN, or a FIN elsewhere: what was taken for its FIN was none, but inferred in error or
 * forged. Not so once the peer has acknowledged a FIN that was captured: then this segment is the stray.
 */
static bool contradicts_fin(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;

    if (!s->knows_fin || (s->fin_acked && !s->fin_inferred))
        return false;
    if (has(a->seg, TCP_FIN))
        return a->data_end != s->fin;
    /* The octet of a keep-alive stands at the FIN's own number. */
    return a->seg->len > 0 && seq_gt(a->data_end, s->fin_inferred ? s->fin : s->fin + 1);
}

/* A FIN is an end's last number (section 3.4): octets beyond it were captured, or another FIN. */
static bool disputes_fin(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;

    return s->knows_fin ? a->data_end != s->fin : s->knows_data_end && seq_lt(a->data_end, s->data_end);
}

/* Both ends go back to where they were without the FIN of s, which is known to have sent all below next. */
static void retract_fin(const struct arrival *a, struct tcpfsm_end *s, struct tcpfsm_end *p, uint32_t next)
{
    static const uint8_t open_again[] = {
        [TCP_FIN_WAIT_1] = TCP_ESTABLISHED, [TCP_FIN_WAIT_2] = TCP_ESTABLISHED,
        [TCP_CLOSING] = TCP_CLOSE_WAIT, [TCP_LAST_ACK] = TCP_CLOSE_WAIT, [TCP_TIME_WAIT] = TCP_CLOSE_WAIT,
    };
    static const uint8_t peer_open_again[] = {
        [TCP_CLOSE_WAIT] = TCP_ESTABLISHED, [TCP_CLOSING] = TCP_FIN_WAIT_1,
        [TCP_LAST_ACK] = TCP_FIN_WAIT_1, [TCP_TIME_WAIT] = TCP_FIN_WAIT_2,
    };

    if (!s->fin_inferred) {
        s->fin_disputed = true;
        s->data_end = s->snd_nxt = next; /* all that was known of it may be the forger's */
    }
    s->knows_fin = s->fin_inferred = s->fin_lost = s->fin_uncovered = s->fin_acked = s->fin_ack_dropped = false;
    p->peer_fin_arrived = p->covered_peer_fin = p->close_wait_proved = false;
    p->fin_uncovered = p->knows_fin;
    if (open_again[s->live]) /* where it would be, if it was only assumed to have closed */
        s->live = open_again[s->live];
    if (peer_open_again[p->live])
        p->live = peer_open_again[p->live];
    if (open_again[s->state])
        enter(a, s, open_again[s->state], TCP_EV_NOT_A_FIN);
    if (peer_open_again[p->state])
        enter(a, p, peer_open_again[p->state], TCP_EV_NOT_A_FIN);
}

/* Its FIN left before it had the peer's: whatever was assumed, from FIN_WAIT_1. */
static void enter_fin_wait_1(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;
    const bool open = s->state == TCP_SYN_RCVD || s->state == TCP_ESTABLISHED;
    const bool after_peers = s->state == TCP_CLOSE_WAIT || s->state == TCP_LAST_ACK;

    enter(a, s, TCP_FIN_WAIT_1, open ? TCP_EV_SND_FIN : after_peers ? TCP_EV_FIN_BEFORE_PEERS : TCP_EV_FIN_REPEATED);
}

/* Both FINs were captured, and there is no doubt which they are. */
static bool knows_both_fins(const struct tcpfsm_end *s, const struct tcpfsm_end *p)
{
    return !s->fin_lost && !s->fin_disputed && !p->fin_inferred && !p->fin_disputed;
}

/* A FIN that acknowledges the peer's: LAST_ACK, or CLOSING if it left once before without that (section 3.6). */
static void evidence_of_fin_after_peers(const struct arrival *a, bool first)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;

    /* It has sent from beyond this FIN before, and did not acknowledge the peer's then. */
    if (first && !s->covered_peer_fin && s->knows_snd_nxt && seq_le(a->end, s->snd_nxt)) {
        s->fin_uncovered = true;
        s->fin_lost |= s->lacks_octets; /* the peer's acknowledgement tells, not that segment itself */
    }
    if (s->fin_uncovered) {
        if (s->state == TCP_TIME_WAIT)
            enter(a, s, TCP_CLOSING, TCP_EV_FIN_REPEATED);
        else if (s->state != TCP_CLOSING)
            enter_fin_wait_1(a);
        take_peer_fin(a, s, p);
        s->confirmed = knows_both_fins(s, p);
    } else {
        take_peer_fin(a, s, p);
        enter(a, s, TCP_LAST_ACK, TCP_EV_SND_FIN);
        /* Without proof of CLOSE_WAIT it may be a retransmission, the first one lost on its way here: CLOSING. */
        s->confirmed = s->close_wait_proved && knows_both_fins(s, p);
    }
}

/* What it sends now left, most likely, before the peer's FIN came: that was captured less than a round trip ago. */
static bool crosses_peer_fin(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;
    const bool dated = s->state == TCP_CLOSING || s->state == TCP_TIME_WAIT;

    return dated && a->seg->time_us - s->since_us < (int64_t)a->m->rtt_us;
}

/*
 * The peer's FIN was captured, but lost on its way: what left before that came is here after a round trip and the least
 * time to a retransmission, and this one, later, does not acknowledge it.
 */
static bool lacks_peer_fin(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;

    return s->state == TCP_CLOSE_WAIT && a->rcv->knows_fin && !s->covered_peer_fin && a->m->rtt_us > 0
        && a->seg->time_us - s->since_us >= (int64_t)a->m->rtt_us + RTO_LEAST_US;
}

/* The peer's FIN is to come once more. */
static void await_peer_fin(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;

    s->rcv_nxt = a->rcv->fin;
    s->peer_fin_arrived = false;
}

/* A FIN that does not acknowledge a FIN of the peer: FIN_WAIT_1, whatever was assumed. */
static void evidence_of_fin_before_peers(const struct arrival *a, bool first)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const bool crossed = has_peer_fin(s, p);

    if (crossed && s->covered_peer_fin && !first)
        return; /* it has answered the peer's FIN since: captured late */
    if (crossed && crosses_peer_fin(a))
        return; /* on its way when the peer's came: proves nothing new */
    s->fin_uncovered = true;
    enter_fin_wait_1(a);
    s->confirmed = !disputes_fin(a) && !hides_fin(p, a->seg->ack)
        && !(s->knows_data_end && seq_gt(a->seg->seq, s->data_end));
    if (crossed && first) { /* the peer's FIN was on its way: figure 13 */
        take_peer_fin(a, s, p);
    } else if (crossed) { /* a retransmission without it: the peer's FIN was lost */
        await_peer_fin(a);
    }
}

/*
 * The sender's retransmission timer may have run out (RFC 6298 section 5): something of it is not acknowledged, and
 * nothing has come for so long. What it sends then may be older than it looks.
 */
static bool may_have_timed_out(const struct arrival *a)
{
    return a->seg->time_us - a->latest.time_us >= RTO_LEAST_US
        && !(a->rcv->has_acked && a->rcv->rcv_acked == a->snd->snd_nxt);
}

/*
 * The data may have been sent before, and a FIN after them, which was lost on its way here: they were captured already,
 * or come as a timer repeats what the capture may lack, or the capture lacks octets of the end, so it may lack their
 * first time, too; or it began with them, and lacks an acknowledgement of what it has.
 */
static bool may_repeat_data(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;

    if (seg->len == 0)
        return false;
    if (s->knows_snd_nxt && seq_le(a->data_end, s->snd_nxt)) /* a copy proves what was proved */
        return !a->may_copy_latest || !s->confirmed;
    const bool may_be_older = !s->captured
        || (!s->knows_iss && !(p->has_acked && seq_gt(p->rcv_acked, s->begun)));
    const bool behind_hole = is_synchronized((enum tcp_state)p->state) && p->knows_rcv_nxt
        && seq_gt(seg->seq, p->rcv_nxt);
    return s->lacks_octets || may_be_older || behind_hole || may_have_timed_out(a);
}

/*
 * What its sender says unasked, after a while, may be a keep-alive. That stands one below its sender's next number: on
 * that of a FIN, perhaps, which the capture lacks.
 */
static bool may_be_keep_alive(const struct arrival *a)
{
    return a->latest.sender == (a->snd != a->m->end) && a->seg->time_us - a->latest.time_us >= KEEP_ALIVE_LEAST_US;
}

/* ACK or data, no FIN yet: ESTABLISHED or CLOSE_WAIT. */
static void evidence_before_own_fin(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;
    const bool hides_own = seg->len == 0 && hides_fin(s, seg->seq + may_be_keep_alive(a));
    const bool repeats = may_repeat_data(a);

    if (!acks_fin_of(p, seg->ack)) {
        if (lacks_peer_fin(a)) {
            await_peer_fin(a);
            enter(a, s, TCP_ESTABLISHED, TCP_EV_FIN_NOT_COVERED);
        } else if (s->state == TCP_ESTABLISHED) {
            /* A FIN that the capture has, and the end had not, may have come again since. */
            const bool lost_peer_fin = p->knows_fin && !s->peer_fin_arrived;
            /* Begun later: until its peer acknowledges, it may be in SYN_RCVD (RFC 7413). */
            const bool may_be_syn_rcvd = a->m->midstream && !p->has_acked;
            s->confirmed = !hides_own && !repeats && !hides_fin(p, seg->ack) && !lost_peer_fin && !may_be_syn_rcvd;
        }
        return; /* CLOSE_WAIT stays assumed: this may have left before the peer's FIN came */
    }
    const bool first_proof = !s->covered_peer_fin;
    if (hides_own && s->knows_data_end && seg->seq == s->data_end + 1) {
        /* It answers one number further on: its own FIN was lost on the way here. */
        s->fin = s->data_end;
        s->knows_fin = s->fin_inferred = s->fin_lost = true;
        s->fin_uncovered = first_proof;
        enter(a, s, first_proof ? TCP_FIN_WAIT_1 : TCP_LAST_ACK, TCP_EV_FIN_PASSED);
        s->fin_acked = p->has_acked && acks_fin_of(s, p->rcv_acked);
        if (s->fin_acked && first_proof)
            enter(a, s, TCP_FIN_WAIT_2, TCP_EV_RCV_ACK_OF_FIN);
        take_peer_fin(a, s, p);
        return;
    }
    take_peer_fin(a, s, p);
    /* A FIN of its own may be queued behind its data: then the kernel says CLOSING. */
    if (first_proof)
        s->close_wait_proved = seg->len == 0 && s->idle_at_peer_fin && !hides_own && !p->fin_inferred;
    /* Nothing lies beyond a FIN: what acknowledges more is of another reading of what the capture lacks. */
    s->confirmed = s->close_wait_proved && !hides_own && !repeats && !p->fin_inferred && !p->fin_disputed
        && seg->ack == p->fin + 1;
}

/* No doubt that the end has sent a FIN: it was captured, all before it too, and nothing contradicts it. */
static bool is_own_fin_sure(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;

    return !s->fin_inferred && !s->fin_disputed && (!s->fin_over_hole || fills_hole_before_fin(s, a->data_end));
}

/*
 * Within half a round trip after its FIN left no acknowledgement of that can have come, however delays vary; later the
 * capture may lack one. A handshake tells at most how long a round trip is: one of SYNs that cross may take two of
 * them, and one that lasts for the first retransmission timeout (RFC 6298 section 2.1) may hold a repeated SYN.
 */
static bool precedes_ack_of_fin(const struct arrival *a)
{
    const bool crossed = !a->snd->passive && !a->rcv->passive;
    const uint32_t half_us = a->m->rtt_us / (crossed ? 4 : 2);

    return !a->snd->fin_repeated && a->m->rtt_us < RTO_FIRST_US
        && (uint32_t)a->seg->time_us - a->snd->ctl_us <= half_us;
}

/* ACK or data after its own FIN. */
static void evidence_after_own_fin(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;
    /* The acknowledgement of its FIN rode on a number that it acknowledges here. */
    const bool knows_fin_acked = s->fin_ack_provable && seq_gt(seg->ack, s->fin_ack_from);

    if (!acks_fin_of(p, seg->ack)) {
        if (s->state == TCP_FIN_WAIT_1)
            s->confirmed = false; /* the capture may lack the acknowledgement of its FIN */
        else if (s->state == TCP_FIN_WAIT_2)
            s->confirmed = knows_fin_acked && !s->fin_disputed && !hides_fin(p, seg->ack);
        return;
    }
    const bool early = precedes_ack_of_fin(a);
    seq_advance_received(s, p->fin + 1);
    if (!s->fin_uncovered) {
        s->confirmed = s->close_wait_proved && is_own_fin_sure(a) && knows_both_fins(s, p);
        return;
    }
    if (s->state == TCP_CLOSE_WAIT || s->state == TCP_LAST_ACK)
        enter_fin_wait_1(a);
    if (s->fin_acked) {
        enter(a, s, TCP_TIME_WAIT, s->state == TCP_FIN_WAIT_2 ? TCP_EV_RCV_FIN
                                   : s->state == TCP_CLOSING ? TCP_EV_RCV_ACK_OF_FIN : TCP_EV_RCV_FIN_ACK);
        s->confirmed = knows_fin_acked && knows_both_fins(s, p);
    } else {
        enter(a, s, TCP_CLOSING, TCP_EV_RCV_FIN);
        /* lwIP and 4.4BSD take an acknowledgement in a segment to be dropped. */
        s->confirmed = knows_both_fins(s, p) && early && !s->fin_ack_dropped;
    }
}

/*
 * An acknowledgement of one number more than was captured of the peer is taken to be that of its FIN, if all that
 * was captured had been acknowledged before: else the one number may be that of a keep-alive's octet. Where only one
 * direction was captured, that is so only for an end that closes itself.
 */
static void infer_unseen_fin(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;

    if (p->knows_fin)
        return;
    if (p->captured) {
        if (a->seg->ack == p->snd_nxt + 1 && s->has_acked && s->rcv_acked == p->snd_nxt
            && (p->state == TCP_ESTABLISHED || p->state == TCP_CLOSE_WAIT))
            infer_fin(a, p, p->snd_nxt);
        return;
    }
    if (!s->has_acked)
        return;
    const bool one_further = a->seg->ack == s->rcv_acked + 1;
    if (one_further && s->knows_fin) {
        infer_fin(a, p, s->rcv_acked);
        if (s->state == TCP_FIN_WAIT_1)
            enter(a, s, TCP_FIN_WAIT_2, TCP_EV_RCV_ACK_OF_FIN);
        s->fin_acked = true;
    } else if (has(a->seg, TCP_FIN) && (one_further || (p->fin_guess && a->seg->ack == s->rcv_acked))) {
        infer_fin(a, p, a->seg->ack - 1);
    }
    if (seq_gt(a->seg->ack, s->rcv_acked))
        p->fin_guess = one_further && a->seg->len == 0;
}

void evidence_of_closing(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;

    if (acks_other_than_fin(p, seg->ack) && !is_beyond_any_window(p, seg->ack))
        retract_fin(a, p, s, seg->ack);
    if (contradicts_fin(a))
        retract_fin(a, s, p, seg->seq);
    else
        count_early_fin(a, s);
    infer_unseen_fin(a);

    if (!has(seg, TCP_FIN)) {
        if (s->knows_fin)
            evidence_after_own_fin(a);
        else
            evidence_before_own_fin(a);
        return;
    }
    const bool first = !s->knows_fin;
    s->fin_disputed |= disputes_fin(a);
    if (!first && is_copy(s, seg))
        return;
    p->fin_asks = true;
    if (acks_fin_of(p, seg->ack) || (first && s->close_wait_proved))
        evidence_of_fin_after_peers(a, first);
    else
        evidence_of_fin_before_peers(a, first);
}
