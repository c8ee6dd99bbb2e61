/* tcpseq.h
 * Sequence numbers: comparison modulo 2^32 (RFC 9293 section 3.4) and what each end has sent and
 * been sent. The transitions that follow from them are in evidence.c and effect.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TCPSEQ_H
#define TCPSEQ_H

#include "tcpfsm.h"

static inline bool seq_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool seq_le(uint32_t a, uint32_t b) { return (int32_t)(a - b) <= 0; }
static inline bool seq_gt(uint32_t a, uint32_t b) { return seq_lt(b, a); }
static inline bool seq_ge(uint32_t a, uint32_t b) { return seq_le(b, a); }
static inline uint32_t seq_max(uint32_t a, uint32_t b) { return seq_lt(a, b) ? b : a; }

/* One past the segment's last octet of data. A SYN occupies the first number, a FIN the one after the data. */
static inline uint32_t seq_data_end(const struct tcpfsm_segment *seg)
{
    return seg->seq + ((seg->flags & TCP_SYN) ? 1 : 0) + seg->len;
}

static inline uint32_t seq_end(const struct tcpfsm_segment *seg)
{
    return seq_data_end(seg) + ((seg->flags & TCP_FIN) ? 1 : 0);
}

#define OUTSTANDING_MAX (UINT32_C(1) << 30) /* octets that the largest window allows, RFC 7323 section 2.3 */

/*
 * The number lies further beyond what the end is known to have sent than any window reaches. One nearer shows that the
 * capture lacks octets; this one is not of the connection.
 */
static inline bool is_beyond_any_window(const struct tcpfsm_end *e, uint32_t number)
{
    return e->knows_snd_nxt && seq_gt(number, e->snd_nxt) && number - e->snd_nxt > OUTSTANDING_MAX;
}

/*
 * A FIN may hide below `number`: the capture lacks octets there, and no later data shows that they were data. Or it
 * is not known which of several was its own.
 */
static inline bool hides_fin(const struct tcpfsm_end *e, uint32_t number)
{
    if (e->fin_disputed)
        return true;
    if (e->knows_fin)
        return e->fin_inferred;
    return !e->knows_data_end || seq_gt(number, e->data_end);
}

static inline bool acks_syn_of(const struct tcpfsm_end *e, uint32_t ack)
{
    return e->knows_iss && seq_gt(ack, e->iss) && (!e->knows_snd_nxt || seq_le(ack, e->snd_nxt));
}

/* The same for the latest SYN, which may come amid a connection. */
static inline bool acks_latest_syn_of(const struct tcpfsm_end *e, uint32_t ack)
{
    return e->syn_pending ? ack == e->iss_other + 1 : acks_syn_of(e, ack);
}

static inline bool acks_fin_of(const struct tcpfsm_end *e, uint32_t ack)
{
    return e->knows_fin && seq_gt(ack, e->fin);
}

/*
 * Nobody acknowledges more than a FIN, its sender's last number: what does is of another connection, or that FIN was
 * none of its own. So does one that lies further below than any window reaches.
 */
static inline bool acks_other_than_fin(const struct tcpfsm_end *e, uint32_t ack)
{
    return e->knows_fin && !e->fin_inferred && e->fin + 1 - ack > OUTSTANDING_MAX;
}

static inline bool has_peer_fin(const struct tcpfsm_end *e, const struct tcpfsm_end *peer)
{
    return peer->knows_fin && e->knows_rcv_nxt && seq_gt(e->rcv_nxt, peer->fin);
}

/* The least retransmission timeout of any known stack: RFC 6298 section 2.4 asks for a second, which none keeps to. */
#define RTO_LEAST_US 200000
#define RTO_FIRST_US 1000000 /* the least one of a SYN */
/* Nothing is retransmitted sooner, not by a loss probe either (RFC 8985 section 7.2). */
#define REPEATS_AFTER_US 10000
/* No stack sends keep-alives at shorter intervals. */
#define KEEP_ALIVE_LEAST_US 900000

/*
 * A SYN or FIN again, sooner than any timer retransmits it, or with a timestamp no later than one that was captured
 * before, is a copy (a bridge seen twice, a wire that doubles), or came late, and proves nothing new. So is one whose
 * time of capture lies before. A retransmission has a later timestamp.
 */
static inline bool is_copy(const struct tcpfsm_end *e, const struct tcpfsm_segment *seg)
{
    const bool syn = (seg->flags & TCP_SYN) != 0;
    const bool again = syn ? e->knows_iss && seg->seq == e->iss : e->knows_fin && seq_data_end(seg) == e->fin;
    const uint32_t least_us = syn ? RTO_LEAST_US : REPEATS_AFTER_US;

    if (e->has_ctl_tsval && seg->has_tsval)
        return seq_le(seg->tsval, e->ctl_tsval);
    return e->has_ctl && again && (int32_t)((uint32_t)seg->time_us - e->ctl_us) < (int32_t)least_us;
}

/* Data up to there reach the place where the end's FIN began, when its FIN was captured over a hole. */
static inline bool fills_hole_before_fin(const struct tcpfsm_end *e, uint32_t data_end)
{
    return !e->fin_ack_provable && seq_ge(data_end, e->fin_began);
}

/* Octets [from, to) overlap the range, or lie next to it. */
static inline bool seq_touches(const struct tcpfsm_range *range, uint32_t from, uint32_t to)
{
    return seq_le(from, range->to) && seq_ge(to, range->from);
}

/* The range reaches over octets [from, to) too. */
static inline void seq_widen(struct tcpfsm_range *range, uint32_t from, uint32_t to)
{
    range->from = seq_lt(from, range->from) ? from : range->from;
    range->to = seq_max(to, range->to);
}

/*
 * Drops from ranges held ahead of order what is in order by now.
 *  next   number that is expected next
 *  count  of ranges; set to that of those which are left
 * Returns the number that is expected next then.
 */
uint32_t seq_absorb(uint32_t next, struct tcpfsm_range *held, unsigned *count);

/* Forgets what the end sent and was sent: its SYN begins a new incarnation. */
void seq_begin(struct tcpfsm_end *e, const struct tcpfsm_segment *syn);

/* Forgets the same where the SYN of the new incarnation was not captured. What it was sent by now is of the new one. */
void seq_forget_sent(struct tcpfsm_end *e);

/*
 * Notes numbers, acknowledgement and window of a segment that the end sent.
 *  end          one past its last number
 *  may_be_copy  of the end's segment before: perhaps it was captured twice, and not retransmitted
 */
void seq_note_sent(struct tcpfsm_end *e, struct tcpfsm_end *peer, const struct tcpfsm_segment *seg, uint32_t end,
                   bool may_be_copy);

/* Notes by how much the end's windows are scaled, once the connection is calm. */
void seq_note_scale(struct tcpfsm_end *e, const struct tcpfsm_end *peer);

/* The same for a segment in order, without SYN or FIN, of a calm connection: no number but these can move. */
void seq_note_sent_in_order(struct tcpfsm_end *e, struct tcpfsm_end *peer, const struct tcpfsm_segment *seg);

/* Notes data delivered to the end. */
void seq_note_received(struct tcpfsm_end *e, uint32_t from, uint32_t to);

/* The end is known to have all numbers below `next`: it acknowledged them, or they were filled in. */
void seq_advance_received(struct tcpfsm_end *e, uint32_t next);

/* The number ends the furthest data that the end holds ahead of order. */
bool seq_is_furthest(const struct tcpfsm_end *e, uint32_t seq);

/* Whether a window that the end offers is less than a segment: so its peer may hold data back, and a FIN. */
static inline bool seq_holds_back(const struct tcpfsm_end *e, uint32_t window)
{
    return window < (e->mss ? e->mss : UINT16_MAX);
}

/* The number lies beyond every window that the end was captured to offer. */
static inline bool seq_beyond_window(const struct tcpfsm_end *e, uint32_t seq)
{
    return e->has_acked && seq_gt(seq, e->rcv_edge);
}

/*
 * The end drops a segment that is no RST, its ACK and all, if it lies wholly below what it has acknowledged (RFC 9293
 * section 3.10.7.4, first check), whatever the capture lacks. A segment beyond every window that was captured shows
 * that the capture lacks others.
 *  end  one past the segment's last number
 */
static inline bool seq_is_dropped(const struct tcpfsm_end *e, uint32_t end)
{
    return e->has_acked && seq_lt(end, e->rcv_acked);
}

#endif
