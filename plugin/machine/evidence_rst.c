/* evidence_rst.c
 * What a reset proves of the end that sent it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "arrival.h"

/* The form of reset with which LISTEN, SYN_SENT and SYN_RCVD refuse a segment (RFC 9293 section 3.10.7). */
static bool is_refusal(const struct arrival *a)
{
    return !has(a->seg, TCP_ACK) && a->rcv->has_acked && a->seg->seq == a->rcv->last_ack;
}

/*
 * The number is one with which this end would send a reset: its next one, or one the peer still waits for. In SYN_SENT
 * it has sent nothing but its SYN: with another number it answers what it has not asked for.
 */
static bool is_own_number(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const uint32_t seq = a->seg->seq;

    if (s->state == TCP_SYN_SENT && !s->syn_pending && seq != s->iss + 1)
        return false;
    if (s->synchronized && s->knows_iss && seq - s->iss > s->snd_nxt - s->iss)
        return false; /* of another connection */
    if (p->has_acked && (seq == p->last_ack || seq_lt(seq, p->rcv_acked - 1)))
        return seq == p->last_ack;
    return !s->knows_snd_nxt || seq_le(seq, s->snd_nxt);
}

/*
 * RST: CLOSED (RFC 9293 section 3.9.1.5), unless it refuses a segment on behalf of a socket that
 * stays where it is. Real stacks discard an aborted connection at once.
 */
void evidence_of_rst(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    bool stays;

    switch (s->state) {
    case TCP_CLOSED:
    case TCP_LISTEN:
        return;
    case TCP_SYN_SENT: /* figures 8 and 9; what it refuses may have been captured in another order */
        stays = !has(a->seg, TCP_ACK) && p->has_acked && seq_le(a->seg->seq, p->rcv_acked);
        break;
    case TCP_SYN_RCVD:
        stays = s->sent_syn_ack && is_refusal(a) && !acks_syn_of(s, p->last_ack);
        break;
    default:
        if (is_beyond_any_window(s, a->seg->seq))
            return; /* no stack resets its own connection with such a number */
        stays = false;
        break;
    }
    if (stays) {
        s->confirmed = false;
        return;
    }
    /* An acceptable SYN,ACK is refused only where there is no socket: a scanner's, a passive one (figure 11). */
    const bool never_opened = s->knows_iss && !s->synchronized && is_refusal(a);
    /*
     * It may refuse what the capture lacks, or on behalf of a SYN_SENT or SYN_RCVD whose own segments the capture
     * lacks. lwIP's refusal has an ACK, too, and where SYNs cross it stays in SYN_SENT, whatever comes but a SYN,ACK.
     */
    const bool refuses_with_ack = s->knows_iss && !s->synchronized && p->has_acked && a->seg->seq == p->last_ack
        && (!acks_syn_of(s, p->last_ack) || !(s->passive || s->sent_syn_ack));
    const bool may_stay = refuses_with_ack || (!has(a->seg, TCP_ACK)
        && (s->state == TCP_SYN_SENT || (s->state == TCP_SYN_RCVD && !s->sent_syn_ack) || !s->captured));
    const bool own_number = is_own_number(a);
    /* Unless it answers data or a FIN, it may answer the answer to a new SYN, which the capture lacks (figure 9). */
    const bool answers_data = a->latest.kind != TCPFSM_LATEST_EMPTY && s->has_acked && p->knows_snd_nxt
        && seq_gt(p->snd_nxt, s->rcv_acked);
    const bool may_open_anew = is_refusal(a) && !answers_data;
    enter_closed(a, s, TCP_CLOSED, TCP_EV_SND_RST);
    s->fin_asks = false;
    s->confirmed = own_number && !never_opened && !may_stay && !may_open_anew;
}
