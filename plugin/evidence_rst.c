/* evidence_rst.c
 * What a reset proves of the end that sent it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "judgement.h"

/* The form of reset with which LISTEN, SYN_SENT and SYN_RCVD refuse a segment (RFC 9293 section 3.10.7). */
static bool is_refusal(const struct judgement *j)
{
    return !has(j->seg, TCP_ACK) && j->rcv->has_acked && j->seg->seq == j->rcv->last_ack;
}

/* The number is one with which this end would send a reset: its next one, or one the peer still waits for. */
static bool is_own_number(const struct judgement *j)
{
    const struct tcpfsm_end *s = j->snd, *p = j->rcv;
    const uint32_t seq = j->seg->seq;

    if (p->has_acked && (seq == p->last_ack || seq_lt(seq, p->rcv_acked - 1)))
        return seq == p->last_ack;
    return !s->knows_snd_nxt || seq_le(seq, s->snd_nxt);
}

/*
 * RST: CLOSED (RFC 9293 section 3.9.1.5), unless it refuses a segment on behalf of a socket that
 * stays where it is. Real stacks discard an aborted connection at once.
 */
void evidence_of_rst(const struct judgement *j)
{
    struct tcpfsm_end *s = j->snd, *p = j->rcv;
    bool stays;

    switch (s->state) {
    case TCP_CLOSED:
    case TCP_LISTEN:
        return;
    case TCP_SYN_SENT: /* figures 8 and 9; what it refuses may have been captured in another order */
        stays = is_refusal(j) || (!has(j->seg, TCP_ACK) && p->has_acked && seq_le(j->seg->seq, p->rcv_acked));
        break;
    case TCP_SYN_RCVD:
        stays = s->sent_syn_ack && is_refusal(j) && !acks_syn_of(s, p->last_ack);
        break;
    default:
        if (seq_beyond_window(p, j->seg->seq))
            return; /* no stack resets with such a number: a stray, or forged */
        stays = false;
        break;
    }
    if (stays) {
        s->confirmed = false;
        return;
    }
    /* An acceptable SYN,ACK is refused only where there is no socket: a scanner's, a passive one (figure 11). */
    const bool never_opened = s->knows_iss && !s->synchronized && is_refusal(j);
    /* It may refuse what the capture lacks, or on behalf of a SYN_RCVD whose SYN,ACK the capture lacks. */
    const bool may_stay = !has(j->seg, TCP_ACK)
        && (s->state == TCP_SYN_SENT || (s->state == TCP_SYN_RCVD && !s->sent_syn_ack));
    enter_closed(j, s, TCP_CLOSED, TCP_EV_SND_RST);
    s->sent_rst = true;
    s->fin_asks = false;
    s->confirmed = is_own_number(j) && !never_opened && !may_stay;
}
