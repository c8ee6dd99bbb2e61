/* tcpseq.c
 * What each end has sent and been sent.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcpseq.h"

/* How often a window that was offered is to be doubled: least and most, where the scale is unknown. */
struct scale {
    uint8_t least, most;
};

static struct scale scale_of(const struct tcpfsm_end *e, const struct tcpfsm_end *peer, bool syn)
{
    if (syn) /* never scaled, RFC 7323 section 2.2 */
        return (struct scale){ 0, 0 };
    if (!e->wscale_known || !peer->wscale_known)
        return (struct scale){ 0, TCPFSM_WSCALE_MAX };
    if (e->wscale == TCPFSM_NO_WSCALE || peer->wscale == TCPFSM_NO_WSCALE)
        return (struct scale){ 0, 0 };
    const uint8_t scale = e->wscale > TCPFSM_WSCALE_MAX ? TCPFSM_WSCALE_MAX : e->wscale;
    return (struct scale){ scale, scale };
}

void seq_note_scale(struct tcpfsm_end *e, const struct tcpfsm_end *peer)
{
    const struct scale scale = scale_of(e, peer, false);

    e->shift_least = scale.least;
    e->shift_most = scale.most;
}

/* The end's SYN is unanswered, so the peer may still acknowledge it, rather than a later one with another number. */
static bool may_be_answered(const struct tcpfsm_end *e)
{
    if (!e->knows_iss || e->synchronized || e->live != TCP_CLOSED)
        return false;
    return e->state == TCP_SYN_SENT || (e->state == TCP_SYN_RCVD && e->sent_syn_ack)
        || (e->state == TCP_ESTABLISHED && !e->sent_syn_ack);
}

void seq_begin(struct tcpfsm_end *e, const struct tcpfsm_segment *syn)
{
    const struct tcpfsm_end old = *e;

    *e = (struct tcpfsm_end){
        .state = old.state, .live = old.live, .confirmed = old.confirmed, .passive = old.passive,
        .iss_other = old.iss, .has_other_iss = may_be_answered(e),
        .iss = syn->seq, .knows_iss = true,
        .data_end = seq_data_end(syn), .knows_data_end = true,
        .snd_nxt = seq_data_end(syn), .knows_snd_nxt = true,
        .mss = syn->mss, .wscale = syn->wscale, .wscale_known = !syn->options_cut || syn->wscale != TCPFSM_NO_WSCALE,
    };
}

void seq_forget_sent(struct tcpfsm_end *e)
{
    const struct tcpfsm_end old = *e;

    *e = (struct tcpfsm_end){
        .state = old.state, .confirmed = old.confirmed, .passive = old.passive,
        .rcv_nxt = old.rcv_nxt, .knows_rcv_nxt = old.knows_rcv_nxt, .wscale = TCPFSM_NO_WSCALE,
        .fin_disputed = old.fin_disputed, /* so may be which incarnation this is */
    };
}

/*
 * Once the end acknowledges the peer's FIN, numbers that were not sent before can only leave with this
 * acknowledgement, so a peer that acknowledges one of them has it. What left before may be captured after.
 */
static void note_ack_of_fin(const struct tcpfsm_end *e, struct tcpfsm_end *peer, const struct tcpfsm_segment *seg,
                            uint32_t end)
{
    if (!acks_fin_of(peer, seg->ack)) {
        if (peer->fin_ack_provable)
            peer->fin_ack_from = seq_max(peer->fin_ack_from, end);
    } else if (seq_is_dropped(peer, end)) {
        peer->fin_ack_dropped = true;
    } else if (!peer->fin_acked) {
        peer->fin_acked = true;
        if (e->knows_snd_nxt && !peer->fin_inferred) {
            peer->fin_ack_from = seq_max(e->snd_nxt, seg->seq);
            peer->fin_ack_provable = true;
        }
    }
}

/*
 * Notes the window that the end offers. Where the peer was once offered less than a segment it may be so still:
 * then a FIN waits behind what is outstanding.
 */
static inline void note_window(struct tcpfsm_end *e, struct tcpfsm_end *peer, const struct tcpfsm_segment *seg,
                               struct scale scale)
{
    const uint32_t edge = seg->ack + ((uint32_t)seg->window << scale.most);

    if (seq_holds_back(e, (uint32_t)seg->window << scale.least))
        peer->held_back = true;
    e->rcv_edge = e->has_acked ? seq_max(e->rcv_edge, edge) : edge;
}

/* The same where the end has retransmitted something: its window may be down to one segment (RFC 5681 section 3.1). */
static void note_retransmission(struct tcpfsm_end *e, const struct tcpfsm_segment *seg, bool may_be_copy)
{
    const bool twice = may_be_copy || ((seg->flags & TCP_SYN) && is_copy(e, seg));

    if (e->captured && e->knows_data_end && seq_lt(seg->seq, e->data_end) && !twice)
        e->held_back = true;
}

/* Before the end's FIN leaves, the peer is done: all it had sent was acknowledged, and nothing held it back. */
static bool is_idle(const struct tcpfsm_end *peer, const struct tcpfsm_end *e)
{
    return !peer->held_back && peer->knows_snd_nxt && e->has_acked && e->rcv_acked == peer->snd_nxt;
}

/* Acknowledgement and window of a segment that the end sent. */
static void note_ack(struct tcpfsm_end *e, struct tcpfsm_end *peer, const struct tcpfsm_segment *seg, uint32_t end)
{
    note_window(e, peer, seg, scale_of(e, peer, seg->flags & TCP_SYN));
    if ((seg->flags & TCP_FIN) && !e->knows_fin)
        peer->idle_at_peer_fin = is_idle(peer, e);
    if (peer->knows_fin) {
        note_ack_of_fin(e, peer, seg, end);
        e->covered_peer_fin |= acks_fin_of(peer, seg->ack);
    }
    e->rcv_acked = e->has_acked ? seq_max(e->rcv_acked, seg->ack) : seg->ack;
    e->last_ack = seg->ack;
    e->has_acked = true;
    if (e->knows_rcv_nxt && seq_gt(seg->ack, e->rcv_nxt))
        peer->lacks_octets = true;
    seq_advance_received(e, seg->ack);
}

/* The end's FIN, with that number. What was captured of it before reached up to had_to, if had_data. */
static void note_fin(struct tcpfsm_end *e, struct tcpfsm_end *peer, const struct tcpfsm_segment *seg, uint32_t number,
                     bool had_data, uint32_t had_to)
{
    if (e->knows_fin) {
        e->fin_repeated = true;
        e->fin_inferred = false; /* here it is */
        return;
    }
    e->fin = number;
    e->knows_fin = true;
    e->fin_over_hole = had_data && seq_gt(seg->seq, had_to);
    if (e->fin_over_hole)
        e->fin_began = seg->seq;
    e->data_end = number;
    e->knows_data_end = true;
    if (peer->has_acked && seq_gt(peer->rcv_acked, number)) { /* captured after its acknowledgement */
        e->fin_acked = true;
        peer->covered_peer_fin = true;
        peer->fin_lost |= peer->knows_fin; /* which may have covered this one: a guess */
    }
}

void seq_note_sent(struct tcpfsm_end *e, struct tcpfsm_end *peer, const struct tcpfsm_segment *seg, uint32_t end,
                   bool may_be_copy)
{
    const uint32_t data_end = end - ((seg->flags & TCP_FIN) ? 1 : 0), had_to = e->data_end;
    const bool had_data = e->knows_data_end, has_data = seg->len > 0 || (seg->flags & TCP_SYN);

    if (has_data)
        note_retransmission(e, seg, may_be_copy);
    if (seg->flags & TCP_ACK)
        note_ack(e, peer, seg, end);
    if (has_data) {
        e->data_end = had_data ? seq_max(had_to, data_end) : data_end;
        e->knows_data_end = true;
        e->idle_at_peer_fin = false; /* its FIN may now be queued behind this data */
    }
    if (e->fin_over_hole && fills_hole_before_fin(e, data_end))
        e->fin_over_hole = false;
    if (seg->flags & (TCP_SYN | TCP_FIN)) {
        e->ctl_tsval = e->has_ctl_tsval ? seq_max(e->ctl_tsval, seg->tsval) : seg->tsval;
        e->ctl_us = (uint32_t)seg->time_us;
        e->has_ctl = true;
        e->has_ctl_tsval = seg->has_tsval;
        if (seg->flags & TCP_FIN) {
            note_fin(e, peer, seg, data_end, had_data, had_to);
            peer->rcv_tsval = seg->tsval;
            peer->has_rcv_tsval = seg->has_tsval;
        }
    }
    e->snd_nxt = e->knows_snd_nxt ? seq_max(e->snd_nxt, end) : end;
    e->knows_snd_nxt = true;
    if (!e->captured && !e->knows_iss)
        e->begun = seg->seq - (seg->len == 0);
    e->captured = true;
}

void seq_note_sent_in_order(struct tcpfsm_end *e, struct tcpfsm_end *peer, const struct tcpfsm_segment *seg)
{
    note_window(e, peer, seg, (struct scale){ e->shift_least, e->shift_most });
    e->rcv_acked = seq_max(e->rcv_acked, seg->ack);
    e->last_ack = seg->ack;
    if (seg->len > 0) {
        e->data_end = e->snd_nxt = peer->rcv_nxt = seg->seq + seg->len;
        e->idle_at_peer_fin = false;
    }
}

uint32_t seq_absorb(uint32_t next, struct tcpfsm_range *held, unsigned *count)
{
    for (unsigned i = 0; i < *count;) {
        if (seq_gt(held[i].from, next)) {
            i++;
            continue;
        }
        next = seq_max(next, held[i].to);
        held[i] = held[--*count];
        i = 0; /* the next number moved: others may touch it now */
    }
    return next;
}

void seq_advance_received(struct tcpfsm_end *e, uint32_t next)
{
    e->rcv_nxt = e->knows_rcv_nxt ? seq_max(e->rcv_nxt, next) : next;
    e->knows_rcv_nxt = true;
    if (e->held_count > 0) {
        unsigned held = e->held_count;
        e->rcv_nxt = seq_absorb(e->rcv_nxt, e->held, &held);
        e->held_count = held & 3;
    }
}

/* Index of the range that reaches furthest. There is at least one. */
static unsigned furthest_held(const struct tcpfsm_end *e)
{
    unsigned furthest = 0;

    for (unsigned i = 1; i < e->held_count; i++) {
        if (seq_gt(e->held[i].to, e->held[furthest].to))
            furthest = i;
    }
    return furthest;
}

static void hold(struct tcpfsm_end *e, uint32_t from, uint32_t to)
{
    for (unsigned i = 0; i < e->held_count; i++) {
        struct tcpfsm_range *h = &e->held[i];
        if (seq_touches(h, from, to)) {
            seq_widen(h, from, to);
            return;
        }
    }
    if (e->held_count < TCPFSM_HELD_MAX) {
        e->held[e->held_count++] = (struct tcpfsm_range){from, to};
        return;
    }
    /* No room: the furthest is worth more than one in between, see seq_is_furthest. */
    struct tcpfsm_range *furthest = &e->held[furthest_held(e)];
    if (seq_gt(to, furthest->to))
        *furthest = (struct tcpfsm_range){from, to};
}

bool seq_is_furthest(const struct tcpfsm_end *e, uint32_t seq)
{
    return e->held_count > 0 && seq == e->held[furthest_held(e)].to;
}

void seq_note_received(struct tcpfsm_end *e, uint32_t from, uint32_t to)
{
    if (!e->knows_rcv_nxt || seq_le(from, e->rcv_nxt))
        seq_advance_received(e, to);
    else if (from != to)
        hold(e, from, to);
}
