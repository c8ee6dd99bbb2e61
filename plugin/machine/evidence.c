/* evidence.c
 * What an endpoint sends proves the state it was in; where that contradicts what was assumed of
 * it, the proof wins. A state is confirmed here and in evidence_rst.c, or nowhere.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "arrival.h"

/*
 * While a SYN is unanswered, another with a lower number is older, an old duplicate (figure 8):
 * initial sequence numbers rise with time (RFC 9293 section 3.4.1).
 */
static bool is_older_syn(const struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    return s->state == TCP_SYN_SENT && s->knows_iss && seq_lt(seg->seq, s->iss);
}

/* The SYN begins a new incarnation of its sender, rather than repeating an earlier SYN. */
static bool begins_anew(const struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    if (s->knows_iss && seg->seq == s->iss && is_copy(s, seg))
        return false;
    if (!s->knows_iss || s->state == TCP_TIME_WAIT || (s->synchronized && !is_synchronized(s->state)))
        return true;
    return seg->seq != s->iss && !(s->has_other_iss && seg->seq == s->iss_other) && !is_older_syn(s, seg);
}

/* The SYN is the one on whose answer its sender waits already. */
static bool repeats_own_syn(const struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    return s->state == TCP_SYN_SENT && s->knows_iss && seg->seq == (s->syn_pending ? s->iss_other : s->iss);
}

/*
 * A SYN within a connection that its peer holds open changes nothing there (RFC 9293 section
 * 3.10.7.4, fourth check). It may open anew, as in figure 9, or be a stray: the old numbers stay
 * until it is answered.
 */
static bool comes_amid_connection(const struct tcpfsm_end *s, const struct tcpfsm_end *p)
{
    return s->knows_snd_nxt && (s->state >= TCP_SYN_RCVD || s->syn_pending) && p->state >= TCP_SYN_RCVD;
}

/*
 * The machine begins anew with this SYN. So does an incarnation, unless the SYN repeats the one that its sender
 * is waiting on: then the socket is the same as before, in SYN_SENT all along, and only its peer is another.
 */
static void note_opening(const struct arrival *a, bool tries_on)
{
    a->m->fast_open = a->seg->fast_open || a->seg->len > 0;
    a->m->fast_open_data = a->seg->len > 0;
    a->m->midstream = false;
    a->m->syn_us = a->seg->time_us;
    a->m->rtt_us = 0;
    a->m->client = a->snd != a->m->end;
    a->out->opened = !tries_on;
    a->out->tries_on = tries_on;
}

static void note_pending_syn(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;
    const bool tries_on = repeats_own_syn(s, a->seg);

    if (!s->syn_pending)
        s->live = s->state;
    s->iss_other = a->seg->seq;
    s->mss = a->seg->mss;
    s->wscale = a->seg->wscale;
    s->wscale_known = true;
    s->has_other_iss = s->syn_pending = true;
    if (a->rcv->state == TCP_TIME_WAIT)
        note_opening(a, tries_on);
    enter(a, s, TCP_SYN_SENT, TCP_EV_SND_SYN);
    s->confirmed = true;
}

/* ACK or data after a pending SYN: out of the new connection, or of the old one that the SYN was a stray to. */
static void decide_pending_syn(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;

    if (a->seg->seq == s->iss_other + 1) {
        take_pending_syn(s);
        return;
    }
    s->syn_pending = s->has_other_iss = false;
    enter(a, s, (enum tcp_state)s->live, TCP_EV_OLD_CONNECTION);
    s->live = TCP_CLOSED;
}

/* SYN: SYN_SENT (RFC 9293 section 3.9.1.1). */
void evidence_of_syn(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;
    const struct tcpfsm_end *p = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;
    bool crossing = false; /* the peer's SYN was on its way: figure 7 */

    const bool anew = begins_anew(s, seg) || s->syn_pending, tries_on = repeats_own_syn(s, seg);

    if (anew && comes_amid_connection(s, p)) {
        note_pending_syn(a);
        return;
    }
    if (anew) {
        seq_begin(s, seg);
        s->live = TCP_CLOSED;
        crossing = p->state == TCP_SYN_SENT && p->knows_iss;
        if (!crossing) /* else the first to open remains the client */
            note_opening(a, tries_on);
    } else if (s->synchronized || s->sent_syn_ack || is_copy(s, seg)) {
        return; /* an old duplicate: it has been answered since */
    } else if (is_older_syn(s, seg)) {
        s->iss_other = seg->seq;
        s->has_other_iss = true;
    }
    s->passive = false;
    /* A repeated SYN shows that the SYN,ACK never came. */
    enter(a, s, TCP_SYN_SENT, !anew ? TCP_EV_SYN_REPEATED
                              : s->state == TCP_SYN_RCVD ? TCP_EV_SYN_BEFORE_PEERS : TCP_EV_SND_SYN);
    s->confirmed = true;
    if (crossing) {
        s->rcv_nxt = p->syn_pending ? p->iss_other + 1 : p->knows_data_end ? p->data_end : p->iss + 1;
        s->knows_rcv_nxt = true;
        enter(a, s, TCP_SYN_RCVD, TCP_EV_RCV_SYN);
    }
}

/* SYN,ACK: SYN_RCVD (RFC 9293 sections 3.10.7.2 and 3.10.7.3). */
void evidence_of_syn_ack(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;
    const bool opened_actively = s->state == TCP_SYN_SENT || (s->state == TCP_SYN_RCVD && !s->passive);
    enum tcp_event event = s->state == TCP_LISTEN ? TCP_EV_RCV_SYN
        : s->state == TCP_ESTABLISHED && !s->sent_syn_ack ? TCP_EV_SYN_ACK_BEFORE_ACK : TCP_EV_SND_SYN_ACK;

    if (s->syn_pending && seg->seq == s->iss_other) /* its SYN crossed the peer's: figure 7 */
        take_pending_syn(s);
    if (s->knows_iss && seg->seq == s->iss && (s->sent_syn_ack || !s->passive)) {
        if (s->synchronized || (s->sent_syn_ack && is_copy(s, seg)))
            return;
        if (s->sent_syn_ack)
            event = TCP_EV_SYN_ACK_REPEATED;
        if (s->syn_pending) /* a stray: the connection amid which it came lives on */
            s->syn_pending = s->has_other_iss = false;
    } else {
        seq_begin(s, seg);
        s->passive = !opened_actively;
        s->live = TCP_CLOSED;
        if (p->syn_pending && seg->ack == p->iss_other + 1)
            take_pending_syn(p);
    }
    s->sent_syn_ack = true;
    s->rcv_nxt = seg->ack; /* what it took of Fast Open data, and what it refused */
    s->knows_rcv_nxt = true;
    if (!p->knows_iss) { /* the SYN was not captured */
        p->iss = seg->ack - 1;
        p->snd_nxt = p->data_end = seg->ack;
        p->knows_iss = p->knows_snd_nxt = p->knows_data_end = true;
    } else if (a->m->fast_open_data && seg->ack == p->iss + 1) {
        a->m->fast_open = false; /* the data were refused, RFC 7413 section 4.2 */
    }
    /* A repeated SYN,ACK shows that the handshake's last ACK never came. */
    enter(a, s, TCP_SYN_RCVD, event);
    s->confirmed = true;
}

/* The segment holds a number, or is a repeated FIN, that was never captured of its sender before. */
static bool is_new(const struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    return !s->knows_snd_nxt || seq_gt(seq_end(seg), s->snd_nxt) || (has(seg, TCP_FIN) && !is_copy(s, seg));
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

/*
 * A segment from an end that was taken to have closed brings its last live state back. Not so one
 * that may have left before: after a RST, its own or the peer's, what comes within a round trip was
 * in flight; after a FIN or its own RST, what holds and acknowledges nothing new may be a copy. Returns whether a RST
 * was thus belied; as the wire may have changed the order, that segment proves nothing else.
 */
static bool belies_rst(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;
    const struct tcpfsm_segment *seg = a->seg;
    const bool by_rst = s->by_rst || s->sent_rst;

    if (by_rst && seg->time_us - s->since_us < (int64_t)a->m->rtt_us)
        return false;
    /* To repeat the latest acknowledgement is how a live end answers a RST that it does not take, or a FIN again. */
    const bool answers = s->by_rst || (s->sent_rst && s->fin_asks);
    const bool acks_news = s->has_acked && seq_ge(seg->ack, s->rcv_acked) && (answers || seg->ack != s->rcv_acked);
    if (!is_new(s, seg) && !acks_news)
        return false;
    enter(a, s, s->syn_pending ? TCP_SYN_SENT : (enum tcp_state)s->live, event_of_life(a));
    if (!s->syn_pending)
        s->live = TCP_CLOSED;
    s->by_rst = s->sent_rst = false;
    if (s->state == TCP_TIME_WAIT)
        s->since_us = seg->time_us;
    return by_rst;
}

/* The peer's SYN was not captured, or its number is another one: this acknowledgement tells. */
static void learn_peer_syn(const struct arrival *a)
{
    struct tcpfsm_end *p = a->rcv;
    if (p->syn_pending)
        return;
    if (p->has_other_iss && a->seg->ack == p->iss_other + 1)
        choose_iss(p, p->iss_other);
    p->has_other_iss = false;
}

/* From the SYN to the handshake's last ACK takes one round trip, wherever the capture was made. */
static void note_round_trip(const struct arrival *a)
{
    const int64_t rtt = a->seg->time_us - a->m->syn_us;
    if (a->snd->knows_iss && !a->m->midstream && rtt > 0 && rtt <= UINT32_MAX)
        a->m->rtt_us = (uint32_t)rtt;
}

/* The end was assumed to take a new SYN, but does not acknowledge it: the connection it was in lives. */
static bool keeps_old_connection(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;
    return s->state == TCP_SYN_RCVD && !s->sent_syn_ack && is_synchronized((enum tcp_state)s->live)
        && !acks_latest_syn_of(a->rcv, a->seg->ack);
}

static bool fast_open_server(const struct arrival *a)
{
    return a->m->fast_open && a->snd->passive;
}

/* The segment acknowledges more than the end's SYN,ACK did. */
static bool acks_more_than_syn(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd, *p = a->rcv;
    return s->has_acked ? seq_gt(a->seg->ack, s->rcv_acked) : p->knows_iss && seq_gt(a->seg->ack, p->iss + 1);
}

/*
 * SYN_RCVD sends such segments too: a bare ACK in answer to a stray (RFC 9293 section 3.10.7.4, first
 * check), and data before the handshake's last ACK if Fast Open let it (RFC 7413 section 4.2). Not so a
 * FIN, nor the acknowledgement of more than the SYN,ACK acknowledged.
 */
static bool could_be_syn_rcvd(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;
    const bool opened_by_syn = s->sent_syn_ack
        || (p->knows_iss && (!p->passive || (p->captured && !p->sent_syn_ack)));

    return opened_by_syn && !has(seg, TCP_FIN) && !acks_more_than_syn(a) && (seg->len == 0 || fast_open_server(a));
}

/* ACK or data from an end that is not known to be synchronized. Returns whether it is now. */
static bool evidence_of_opening(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;

    if (!s->synchronized && !s->passive && a->m->rtt_us == 0)
        note_round_trip(a);
    if (s->state == TCP_LISTEN) /* only a reset leads there */
        enter(a, s, TCP_SYN_RCVD, TCP_EV_ALIVE_AFTER_RST);
    switch (s->state) {
    case TCP_SYN_SENT:
        if (s->has_other_iss && seg->seq == s->iss_other + 1)
            choose_iss(s, s->iss_other);
        /* Only a SYN,ACK draws an ACK with this number: the capture lacks it, so what is known of the peer is older. */
        if (p->state == TCP_SYN_RCVD && p->passive && !p->sent_syn_ack && seg->seq == s->iss + 1
            && !(p->knows_iss && seg->ack == p->iss + 1))
            seq_forget_sent(p);
        if (p->knows_iss && p->captured && !acks_syn_of(p, seg->ack)
            && !(p->has_other_iss && seg->ack == p->iss_other + 1))
            return false;
        learn_peer_syn(a);
        enter(a, s, TCP_ESTABLISHED, TCP_EV_RCV_SYN_ACK); /* captured out of order, or not at all */
        if (could_be_syn_rcvd(a))
            return false; /* the SYNs crossed, and its own was captured late */
        break;
    case TCP_SYN_RCVD:
        if (keeps_old_connection(a)) {
            enter(a, s, (enum tcp_state)s->live, TCP_EV_OLD_CONNECTION);
            s->live = TCP_CLOSED;
            break;
        }
        if (s->passive && !s->sent_syn_ack && s->captured)
            seq_forget_sent(s); /* the capture lacks its SYN,ACK: what is known of it is of an older incarnation */
        if (could_be_syn_rcvd(a)) {
            s->confirmed = s->sent_syn_ack && a->m->fast_open_data && seg->len > 0;
            return false;
        }
        /* A FIN may leave before the handshake's last ACK has come (RFC 9293 section 3.10.4). */
        if (!fast_open_server(a) && !(has(seg, TCP_FIN) && s->sent_syn_ack && !acks_more_than_syn(a)))
            enter(a, s, TCP_ESTABLISHED, TCP_EV_RCV_ACK_OF_SYN);
        break;
    case TCP_ESTABLISHED:
        learn_peer_syn(a);
        if (!s->synchronized && could_be_syn_rcvd(a))
            return false; /* while the handshake's last ACK was on its way */
        break;
    default:
        break;
    }
    s->synchronized = true;
    return true;
}

/*
 * Data beyond the end's FIN, or a FIN elsewhere: what was taken for its FIN was none, but inferred in error or
 * forged. Not so once the peer has acknowledged a FIN that was captured: then this segment is the stray.
 */
static bool belies_fin(const struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    const uint32_t data_end = seq_data_end(seg);

    if (!s->knows_fin || (s->fin_acked && !s->fin_inferred))
        return false;
    if (has(seg, TCP_FIN))
        return data_end != s->fin;
    /* The octet of a keep-alive stands at the FIN's own number. */
    return seg->len > 0 && seq_gt(data_end, s->fin_inferred ? s->fin : s->fin + 1);
}

/* Both ends go back to where they were without the FIN. */
static void retract_fin(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
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
        s->data_end = s->snd_nxt = a->seg->seq; /* all that was known of it may be the forger's */
    }
    s->knows_fin = s->fin_inferred = s->fin_lost = s->fin_uncovered = false;
    p->peer_fin_arrived = false;
    s->fin_acked = s->fin_ack_provable = false;
    p->covered_peer_fin = p->close_wait_proved = false;
    p->fin_uncovered = p->knows_fin;
    if (s->state < sizeof open_again && open_again[s->state])
        enter(a, s, open_again[s->state], TCP_EV_NOT_A_FIN);
    if (s->live < sizeof open_again && open_again[s->live])
        s->live = open_again[s->live];
    if (p->state < sizeof peer_open_again && peer_open_again[p->state])
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

/* Both FINs were captured, and which they are is beyond doubt. */
static bool knows_both_fins(const struct tcpfsm_end *s, const struct tcpfsm_end *p)
{
    return !s->fin_lost && !s->fin_disputed && !p->fin_inferred && !p->fin_disputed;
}

/* A FIN that acknowledges the peer's: LAST_ACK, or CLOSING if it left once before without that. */
static void evidence_of_fin_after_peers(const struct arrival *a, bool first)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;

    /* It has sent from beyond this FIN before, and did not acknowledge the peer's then. */
    if (first && !s->covered_peer_fin && s->knows_snd_nxt && seq_le(seq_end(a->seg), s->snd_nxt))
        s->fin_uncovered = true;
    if (s->fin_uncovered) {
        if (s->state == TCP_TIME_WAIT)
            enter(a, s, TCP_CLOSING, TCP_EV_FIN_REPEATED);
        else if (s->state != TCP_CLOSING)
            enter_fin_wait_1(a);
        take_peer_fin(a, s, p);
        s->confirmed = knows_both_fins(s, p);
    } else {
        if (!has_peer_fin(s, p) || s->state == TCP_ESTABLISHED || s->state == TCP_SYN_RCVD)
            take_peer_fin(a, s, p);
        enter(a, s, TCP_LAST_ACK, first || s->state == TCP_CLOSE_WAIT ? TCP_EV_SND_FIN : TCP_EV_ACK_OF_PEERS_FIN);
        /* Without proof of CLOSE_WAIT it may repeat a FIN that was lost on its way here: CLOSING. */
        s->confirmed = s->close_wait_proved;
    }
    s->covered_peer_fin = true;
}

/* What it sends now left, most likely, before the peer's FIN came: that was captured less than a round trip ago. */
static bool crosses_peer_fin(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;
    const bool dated = s->state == TCP_CLOSING || s->state == TCP_TIME_WAIT;

    return dated && a->seg->time_us - s->since_us < (int64_t)a->m->rtt_us;
}

/* A FIN that does not acknowledge a FIN of the peer: FIN_WAIT_1, whatever was assumed. */
static void evidence_of_fin_before_peers(const struct arrival *a, bool first)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const bool crossed = has_peer_fin(s, p);

    if (crossed && s->covered_peer_fin && !first)
        return; /* it has answered the peer's FIN since: captured late */
    if (crossed && !first && crosses_peer_fin(a))
        return; /* on its way when the peer's came: proves nothing new */
    s->fin_uncovered = true;
    enter_fin_wait_1(a);
    s->confirmed = !hides_fin(p, a->seg->ack) && !(s->knows_data_end && seq_gt(a->seg->seq, s->data_end));
    if (crossed && first) { /* the peer's FIN was on its way: figure 13 */
        take_peer_fin(a, s, p);
    } else if (crossed) { /* a repetition without it: the peer's FIN was lost */
        s->rcv_nxt = p->fin;
        s->peer_fin_arrived = false;
    }
}

/* ACK or data, no FIN yet: ESTABLISHED or CLOSE_WAIT. */
static void evidence_before_own_fin(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;
    const bool hides_own = seg->len == 0 && hides_fin(s, seg->seq);
    /* Data sent again: a FIN after them may have been lost on its way here. */
    const bool repeats = repeats_data(s, seg) && !a->follows_at_once;

    if (!acks_fin_of(p, seg->ack)) {
        if (s->state == TCP_ESTABLISHED)
            s->confirmed = !hides_own && !repeats && !hides_fin(p, seg->ack);
        return; /* a CLOSE_WAIT stays assumed: this may have left before the peer's FIN came */
    }
    const bool first_proof = !s->covered_peer_fin;
    s->covered_peer_fin = true;
    if (hides_own && s->knows_data_end && seg->seq == s->data_end + 1) {
        /* It answers one number further on: its own FIN was lost on the way here. */
        s->fin = s->data_end;
        s->knows_fin = s->fin_inferred = s->fin_lost = true;
        s->fin_uncovered = first_proof;
        enter(a, s, first_proof ? TCP_FIN_WAIT_1 : TCP_LAST_ACK, TCP_EV_FIN_PASSED);
        take_peer_fin(a, s, p);
        return;
    }
    if (!has_peer_fin(s, p) || s->state == TCP_ESTABLISHED || s->state == TCP_SYN_RCVD)
        take_peer_fin(a, s, p);
    /* A FIN of its own may be queued behind its data: then the kernel says CLOSING. */
    if (first_proof)
        s->close_wait_proved = seg->len == 0 && s->idle_at_peer_fin && !hides_own && !p->fin_inferred;
    s->confirmed = s->close_wait_proved && !hides_own && !repeats && !p->fin_inferred && !p->fin_disputed;
}

/* No doubt that the end has sent a FIN: it was captured, all before it too, and nothing contradicts it. */
static bool is_own_fin_sure(const struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    return !s->fin_inferred && !s->fin_disputed && (!s->fin_over_hole || fills_hole_before_fin(s, seg));
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
            s->confirmed = !s->fin_acked && is_own_fin_sure(s, seg) && !hides_fin(p, seg->ack);
        else if (s->state == TCP_FIN_WAIT_2)
            s->confirmed = knows_fin_acked && !hides_fin(p, seg->ack);
        return;
    }
    const enum tcp_state before = (enum tcp_state)s->state;
    seq_advance_received(s, p->fin + 1);
    s->covered_peer_fin = true;
    if (!s->fin_uncovered) {
        enter(a, s, TCP_LAST_ACK, TCP_EV_ACK_OF_PEERS_FIN);
        s->confirmed = s->close_wait_proved && is_own_fin_sure(s, seg) && knows_both_fins(s, p);
    } else if (s->fin_acked) {
        enter(a, s, TCP_TIME_WAIT, before == TCP_FIN_WAIT_2 ? TCP_EV_RCV_FIN
                                   : before == TCP_FIN_WAIT_1 ? TCP_EV_RCV_FIN_ACK
                                   : before == TCP_CLOSING ? TCP_EV_RCV_ACK_OF_FIN : TCP_EV_ACK_OF_PEERS_FIN);
        s->confirmed = knows_fin_acked && knows_both_fins(s, p);
    } else {
        enter(a, s, TCP_CLOSING, before == TCP_FIN_WAIT_1 ? TCP_EV_RCV_FIN : TCP_EV_ACK_OF_PEERS_FIN);
        s->confirmed = knows_both_fins(s, p);
    }
}

/*
 * An acknowledgement of one number more than was captured of the peer is taken to be that of its
 * FIN. Where only one direction was captured, that is so only for an end that closes itself.
 */
static void infer_unseen_fin(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const bool one_further = s->has_acked && a->seg->ack == s->rcv_acked + 1;

    if (p->knows_fin)
        return;
    if (p->captured) {
        if (a->seg->ack == p->snd_nxt + 1 && (p->state == TCP_ESTABLISHED || p->state == TCP_CLOSE_WAIT))
            infer_fin(a, p, p->snd_nxt);
        return;
    }
    if (!s->has_acked)
        return;
    if (one_further && s->knows_fin) {
        infer_fin(a, p, s->rcv_acked);
        if (!s->fin_acked && s->state == TCP_FIN_WAIT_1)
            enter(a, s, TCP_FIN_WAIT_2, TCP_EV_RCV_ACK_OF_FIN);
        s->fin_acked = true;
    } else if (has(a->seg, TCP_FIN) && (one_further || (p->fin_guess && a->seg->ack == s->rcv_acked))) {
        infer_fin(a, p, a->seg->ack - 1);
    }
    if (one_further || seq_gt(a->seg->ack, s->rcv_acked))
        p->fin_guess = one_further && a->seg->len == 0;
}

/* ACK, data or FIN from an end that lives. */
static void evidence_of_living(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;

    if (s->syn_pending)
        decide_pending_syn(a);
    if (p->state == TCP_SYN_SENT && !p->syn_pending && s->state != TCP_SYN_SENT && p->captured
        && !acks_syn_of(p, seg->ack)) {
        if (keeps_old_connection(a))
            evidence_of_opening(a);
        return; /* it answers a new SYN out of its old connection: figure 9 */
    }
    if (!evidence_of_opening(a))
        return;
    if (belies_fin(s, seg))
        retract_fin(a);
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
    if (!first && is_copy(s, seg))
        return;
    p->fin_asks = true;
    if (acks_fin_of(p, seg->ack) || (first && s->close_wait_proved))
        evidence_of_fin_after_peers(a, first);
    else
        evidence_of_fin_before_peers(a, first);
}

void evidence_of_ack(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;
    bool doubtful = false;

    if (s->state == TCP_CLOSED && s->live != TCP_CLOSED)
        doubtful = belies_rst(a);
    else if (s->state == TCP_CLOSED && !s->captured)
        enter(a, s, TCP_ESTABLISHED, TCP_EV_ALIVE_AFTER_OWN_RST); /* of its SYN amid the old connection, since answered */
    if (s->state == TCP_CLOSED) {
        s->confirmed = false; /* most likely it was in flight when it closed; but it did speak */
        return;
    }
    /* It acknowledges a SYN of a new connection, but as far as the capture tells it is in the old one. */
    doubtful |= s->synchronized && is_synchronized((enum tcp_state)s->state) && a->rcv->state == TCP_SYN_SENT
        && acks_latest_syn_of(a->rcv, a->seg->ack);
    evidence_of_living(a);
    if (doubtful)
        s->confirmed = false;
}
