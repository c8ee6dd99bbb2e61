/* effect.c
 * Each segment is assumed to reach its receiver, which obeys RFC 9293 section 3.10.7.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "arrival.h"

/*
 * TIME_WAIT takes a SYN whose time stamp is later than the last of the old connection, drops one with an earlier, and
 * without time stamps goes by the number (RFC 6191 section 2, RFC 7323 section 5).
 */
static bool is_taken_in_time_wait(const struct tcpfsm_end *r, const struct tcpfsm_segment *syn)
{
    if (r->has_rcv_tsval && syn->has_tsval && syn->tsval != r->rcv_tsval)
        return seq_gt(syn->tsval, r->rcv_tsval);
    return seq_gt(syn->seq, r->rcv_nxt - 1);
}

/* SYN (RFC 9293 section 3.10.7.2 to 3.10.7.4, fourth check). */
void effect_of_syn(const struct arrival *a)
{
    struct tcpfsm_end *r = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;

    switch (r->state) {
    case TCP_TIME_WAIT:
        if (!is_taken_in_time_wait(r, seg))
            return; /* acknowledged and dropped */
        r->live = TCP_TIME_WAIT;
        /* fall through */
    case TCP_CLOSED:
    case TCP_LISTEN:
        r->passive = true;
        r->synchronized = r->sent_syn_ack = r->peer_fin_arrived = false;
        break;
    case TCP_SYN_SENT: /* simultaneous open, figure 7 */
        if (r->syn_pending) /* both have left the old connection */
            take_pending_syn(r);
        r->passive = false;
        break;
    case TCP_SYN_RCVD:
        if (r->sent_syn_ack || !r->passive)
            return;
        break;
    default:
        return; /* a challenge ACK is due, nothing else */
    }
    r->rcv_nxt = a->data_end;
    r->knows_rcv_nxt = true;
    r->held_count = 0;
    enter(a, r, TCP_SYN_RCVD, TCP_EV_RCV_SYN);
}

/* SYN,ACK (RFC 9293 section 3.10.7.3). */
void effect_of_syn_ack(const struct arrival *a)
{
    struct tcpfsm_end *r = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;

    if (r->state != TCP_SYN_SENT && r->state != TCP_SYN_RCVD
        && !(r->state == TCP_ESTABLISHED && !r->synchronized))
        return; /* a challenge ACK is due, or a reset */
    if (!acks_latest_syn_of(r, seg->ack))
        return; /* figure 8: a reset is due, the SYN stays unanswered, unless the other number is the one that counts */
    if (r->syn_pending)
        take_pending_syn(r);
    r->rcv_nxt = a->data_end;
    r->knows_rcv_nxt = true;
    r->held_count = 0;
    enter(a, r, TCP_ESTABLISHED, r->state == TCP_SYN_RCVD ? TCP_EV_RCV_ACK_OF_SYN : TCP_EV_RCV_SYN_ACK);
    if (has(seg, TCP_FIN) && a->snd->knows_fin)
        take_peer_fin(a, r, a->snd);
}

/* RST (RFC 9293 section 3.10.7.3 and 3.10.7.4, second check; RFC 5961 section 3.2). */
static bool is_acceptable_rst(const struct arrival *a)
{
    const struct tcpfsm_end *r = a->rcv;
    const uint32_t seq = a->seg->seq;

    switch (r->state) {
    case TCP_CLOSED:
    case TCP_LISTEN:
        return false;
    case TCP_SYN_SENT:
        return has(a->seg, TCP_ACK) && acks_latest_syn_of(r, a->seg->ack);
    case TCP_CLOSE_WAIT:
    case TCP_LAST_ACK:
    case TCP_CLOSING:
        if (has_peer_fin(r, a->snd) && seq == a->snd->fin) /* as Linux does */
            return true;
        break;
    default:
        break;
    }
    if (!r->knows_rcv_nxt || seq == r->rcv_nxt || (r->has_acked && seq == r->rcv_acked))
        return true;
    /* The capture lacks segments: what the sender had sent before, or the windows that let it. */
    if ((a->snd->knows_snd_nxt && seq == a->snd->snd_nxt)
        || (seq_beyond_window(r, seq) && !is_beyond_any_window(a->snd, seq)))
        return true;
    /* As Linux does: it ends what was acknowledged selectively, data or a FIN. */
    if (r->peer_fin_arrived && a->snd->knows_fin)
        return seq == a->snd->fin + 1;
    return seq_is_furthest(r, seq);
}

void effect_of_rst(const struct arrival *a)
{
    struct tcpfsm_end *r = a->rcv;

    if (!is_acceptable_rst(a))
        return; /* a challenge ACK is due, or nothing */
    const bool back_to_listen = r->state == TCP_SYN_RCVD && r->passive;
    enter_closed(a, r, back_to_listen ? TCP_LISTEN : TCP_CLOSED, TCP_EV_RCV_RST);
}

/*
 * Whether the receiver can have sent what is acknowledged. Numbers beyond those captured of it show a gap in the
 * capture; an acknowledgement further than any window reaches is dropped (RFC 9293 section 3.10.7.4, fifth check).
 */
static bool believes_ack(const struct arrival *a)
{
    struct tcpfsm_end *r = a->rcv;
    const uint32_t ack = a->seg->ack;

    if (r->knows_snd_nxt && seq_le(ack, r->snd_nxt))
        return true;
    if (r->captured && is_beyond_any_window(r, ack))
        return false;
    r->snd_nxt = ack;
    r->knows_snd_nxt = true;
    r->confirmed = false; /* a FIN may be among what the capture lacks */
    return true;
}

/* ACK of the receiver's SYN or FIN (RFC 9293 section 3.10.7.4, fifth check). */
static void take_ack(const struct arrival *a, bool with_fin)
{
    struct tcpfsm_end *r = a->rcv;

    if (r->state == TCP_SYN_RCVD)
        enter(a, r, TCP_ESTABLISHED, TCP_EV_RCV_ACK_OF_SYN);
    count_early_fin(a, r);
    if (!acks_fin_of(r, a->seg->ack))
        return;
    switch (r->state) {
    case TCP_FIN_WAIT_1:
        if (with_fin)
            enter(a, r, TCP_TIME_WAIT, TCP_EV_RCV_FIN_ACK);
        else
            enter(a, r, TCP_FIN_WAIT_2, TCP_EV_RCV_ACK_OF_FIN);
        break;
    case TCP_CLOSING:
        enter(a, r, TCP_TIME_WAIT, TCP_EV_RCV_ACK_OF_FIN);
        break;
    case TCP_LAST_ACK:
        enter_closed(a, r, TCP_CLOSED, TCP_EV_RCV_ACK_OF_FIN);
        break;
    default:
        break;
    }
}

/* ACK, data or FIN. */
void effect_of_ack(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *r = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;

    if (seq_is_dropped(r, a->end))
        return; /* an ACK is due */
    switch (r->state) {
    case TCP_CLOSED:
    case TCP_LISTEN:
        return; /* a reset is due */
    case TCP_SYN_SENT:
        if (r->syn_pending || a->m->fast_open)
            return; /* a reset is due; a Fast Open server sends on while its SYN,ACK is lost */
        /* Not without a SYN (RFC 9293 section 3.10.7.3), but a peer that is past its own SYN_RCVD, as data
         * show, a FIN does not, shows that the SYN,ACK, missing here, was received and acknowledged. */
        if (!acks_syn_of(r, seg->ack) || seg->len == 0)
            return;
        enter(a, r, TCP_ESTABLISHED, TCP_EV_RCV_SYN_ACK);
        break;
    case TCP_SYN_RCVD:
        if (!r->sent_syn_ack) { /* its SYN was not captured: this number tells */
            if (r->knows_iss && !r->passive)
                break;
            seq_forget_sent(r); /* what is known of it is of an older incarnation */
            r->iss = seg->ack - 1;
            r->knows_iss = true;
        }
        if (!r->knows_iss || seq_le(seg->ack, r->iss))
            return; /* a reset is due */
        break;
    default:
        break;
    }
    if (!believes_ack(a))
        return; /* an ACK is due */

    const bool had_fin = has_peer_fin(r, s);
    seq_note_received(r, seg->seq, a->data_end);
    r->peer_fin_arrived |= has(seg, TCP_FIN);
    /* An octet beyond the FIN that waits changes nothing; a segment that fills the hole and reaches over it does. */
    const bool fin_in_order = r->peer_fin_arrived && s->knows_fin && !had_fin && seq_ge(r->rcv_nxt, s->fin)
        && seq_le(a->data_end, s->fin);
    take_ack(a, fin_in_order);
    if (fin_in_order)
        take_peer_fin(a, r, s);
    else if (had_fin && has(seg, TCP_FIN) && r->state == TCP_TIME_WAIT)
        r->since_us = seg->time_us; /* a repeated FIN restarts 2 MSL */
}
