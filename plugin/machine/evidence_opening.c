/* evidence_opening.c
 * What SYN, SYN,ACK and the first segments after them prove of the end that sent them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "arrival.h"

/* The end's connection is over: whatever SYN it sends opens another one. */
static bool is_connection_over(const struct tcpfsm_end *s)
{
    return s->state == TCP_TIME_WAIT || (s->synchronized && !is_synchronized(s->state));
}

/*
 * The SYN opened the connection that runs: it was captured late, after segments that followed it, or after its own
 * answer. A SYN that its sender retransmits has not been answered.
 */
static bool is_late_syn(const struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    if (s->knows_iss) {
        const bool behind_own = !s->captured || (s->has_acked && !s->has_ctl); /* its ACK was captured, no SYN */
        return behind_own && s->state == TCP_ESTABLISHED && (seg->seq == s->iss || seq_data_end(seg) == s->iss + 1);
    }
    if (s->reset_cause != RESET_NONE && s->rst_seq == seg->seq + 1)
        return true;
    /* Initial numbers are random (RFC 6528): none is as near. */
    return s->knows_snd_nxt && s->snd_nxt - (seg->seq + 1) <= UINT16_MAX;
}

/*
 * Its sender's own ACK, or data if it repeats a SYN,ACK, were captured before: the SYN or SYN,ACK that comes once more
 * may have been overtaken, and then shows an earlier moment. (SYN_RCVD may send an ACK between two of its SYN,ACKs.)
 */
static bool may_be_overtaken(const struct tcpfsm_end *s)
{
    return s->sent_syn_ack ? s->snd_nxt != s->iss + 1 : s->has_acked;
}

/*
 * A lower number so soon after a SYN is no new attempt but an old duplicate (RFC 9293 figure 8): in the life of one
 * clock, initial sequence numbers rise with time (section 3.4.1). The end knows its own number.
 */
static bool is_older_syn(const struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    return seq_lt(seg->seq, s->iss) && s->has_ctl && (uint32_t)seg->time_us - s->ctl_us < RTO_LEAST_US;
}

/* The SYN begins a new incarnation of its sender; it is no copy, retransmission or old duplicate. */
static bool begins_incarnation(const struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    if (!s->knows_iss)
        return true;
    if (seg->seq == s->iss)
        return is_connection_over(s) && !is_copy(s, seg);
    /* Numbers are random (RFC 6528): until one is answered, the later SYN is the attempt. */
    return is_connection_over(s) || (!(s->has_other_iss && seg->seq == s->iss_other) && !is_older_syn(s, seg));
}

/*
 * A SYN within a connection that the peer holds open changes nothing there (RFC 9293 section 3.10.7.4, fourth
 * check). It may open a new connection, as in figure 9, or be a stray: the old numbers stay until it is answered.
 */
static bool comes_amid_connection(const struct tcpfsm_end *s, const struct tcpfsm_end *p)
{
    return (s->state >= TCP_SYN_RCVD || s->syn_pending) && p->state >= TCP_SYN_RCVD;
}

/* What a SYN is, by what is known of both ends. */
enum syn_kind {
    SYN_LATE,            /* opened the connection that runs, captured after segments that followed it */
    SYN_DUPLICATE,       /* answered since, or captured twice: proves nothing */
    SYN_RETRANSMISSION,  /* its sender has had no answer: the SYN,ACK was lost */
    SYN_OLDER,           /* an old duplicate, captured just after a newer SYN (figure 8) */
    SYN_AMID_CONNECTION, /* in a connection that the peer holds open (figure 9) */
    SYN_CROSSING,        /* the peer's SYN was on its way: simultaneous open (figure 7) */
    SYN_FIRST            /* opens a new incarnation */
};

static enum syn_kind kind_of_syn(const struct tcpfsm_end *s, const struct tcpfsm_end *p,
                                 const struct tcpfsm_segment *seg)
{
    if (!s->syn_pending && is_late_syn(s, seg))
        return SYN_LATE;
    if (s->syn_pending || begins_incarnation(s, seg)) {
        if (comes_amid_connection(s, p))
            return SYN_AMID_CONNECTION;
        return p->state == TCP_SYN_SENT && (p->knows_iss || p->syn_pending) ? SYN_CROSSING : SYN_FIRST;
    }
    if (s->synchronized || s->sent_syn_ack || is_copy(s, seg))
        return SYN_DUPLICATE;
    return is_older_syn(s, seg) ? SYN_OLDER : SYN_RETRANSMISSION;
}

static void note_fast_open(const struct arrival *a)
{
    a->m->fast_open = a->seg->fast_open || a->seg->len > 0;
    a->m->fast_open_data = a->seg->len > 0;
}

/*
 * An incarnation begins with this SYN, of which the end does not know yet. Not so if the end is waiting for the
 * answer to this SYN: then its socket has been in SYN_SENT all along, and only the peer's is another.
 */
static void note_opening(const struct arrival *a)
{
    a->out->tries_on = a->snd->knows_iss && awaits_answer_to(a->snd, a->seg);
    a->out->opened = !a->out->tries_on;
    note_fast_open(a);
    a->m->midstream = false;
    a->m->syn_us = a->seg->time_us;
    a->m->rtt_us = 0;
    a->m->client = a->snd != a->m->end;
}

static void note_pending_syn(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;

    if (a->rcv->state == TCP_TIME_WAIT)
        note_opening(a);
    if (!s->syn_pending)
        s->live = s->state;
    s->iss_other = a->seg->seq;
    s->mss = a->seg->mss;
    s->wscale = a->seg->wscale;
    s->wscale_known = !a->seg->options_cut || s->wscale != TCPFSM_NO_WSCALE;
    s->has_other_iss = s->syn_pending = true;
    enter(a, s, TCP_SYN_SENT, TCP_EV_SND_SYN);
    s->confirmed = true;
}

/* The connection that the end was in before a SYN lives on. If the capture lacks it, nothing is known of it. */
static void return_to_old_connection(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;
    const bool knows_old = is_synchronized((enum tcp_state)s->live);

    enter(a, s, knows_old ? (enum tcp_state)s->live : TCP_ESTABLISHED, TCP_EV_OLD_CONNECTION);
    if (!knows_old)
        s->knows_rcv_nxt = false;
    s->live = TCP_CLOSED;
}

void decide_pending_syn(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;

    if (a->seg->seq == s->iss_other + 1) {
        take_pending_syn(s);
        return;
    }
    s->syn_pending = s->has_other_iss = false;
    return_to_old_connection(a);
}

/* SYN: SYN_SENT (RFC 9293 section 3.9.1.1), and SYN_RCVD if the peer's SYN arrives (section 3.10.7.3). */
bool evidence_of_syn(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;
    const struct tcpfsm_end *p = a->rcv;
    const enum syn_kind kind = kind_of_syn(s, p, a->seg);
    enum tcp_event event = TCP_EV_SYN_REPEATED;

    switch (kind) {
    case SYN_LATE:
        s->iss = a->seg->seq;
        s->knows_iss = true;
        note_fast_open(a);
        return false;
    case SYN_DUPLICATE:
        return false;
    case SYN_AMID_CONNECTION:
        note_pending_syn(a);
        return true;
    case SYN_RETRANSMISSION:
        break;
    case SYN_OLDER:
        s->iss_other = a->seg->seq;
        s->has_other_iss = true;
        break;
    case SYN_FIRST:
        note_opening(a);
        /* fall through */
    case SYN_CROSSING: /* the first to open remains the client */
        event = s->state == TCP_SYN_RCVD ? TCP_EV_SYN_BEFORE_PEERS : TCP_EV_SND_SYN;
        seq_begin(s, a->seg);
        s->live = TCP_CLOSED;
        break;
    }
    s->passive = false;
    enter(a, s, TCP_SYN_SENT, event);
    s->confirmed = !(kind == SYN_RETRANSMISSION && may_be_overtaken(s));
    if (kind == SYN_CROSSING) {
        s->rcv_nxt = p->syn_pending ? p->iss_other + 1 : p->data_end;
        s->knows_rcv_nxt = true;
        enter(a, s, TCP_SYN_RCVD, TCP_EV_RCV_SYN);
    }
    return true;
}

/* The end took a SYN, and its answer was not captured: what is known of it is of an older incarnation. */
static bool has_old_numbers(const struct tcpfsm_end *e)
{
    return e->state == TCP_SYN_RCVD && e->passive && !e->sent_syn_ack && e->captured;
}

/* The capture lacks the SYN that this SYN,ACK acknowledges. */
static void infer_syn(struct tcpfsm_end *p, uint32_t ack)
{
    p->iss = ack - 1;
    p->snd_nxt = p->data_end = ack;
    p->knows_iss = p->knows_snd_nxt = p->knows_data_end = true;
}

/*
 * The SYN,ACK, the first of its sender's new incarnation, acknowledges a SYN that the capture lacks: what is known of
 * its peer is of an older incarnation. Not so in SYN_SENT: that SYN,ACK answers an old duplicate (RFC 9293 figure 8).
 */
static bool answers_syn_not_captured(const struct arrival *a)
{
    const struct tcpfsm_end *p = a->rcv;
    const uint32_t ack = a->seg->ack;

    return p->captured && p->state != TCP_SYN_SENT && p->state != TCP_SYN_RCVD && !(p->knows_iss && ack == p->iss + 1)
        && !(p->knows_snd_nxt && ack == p->snd_nxt);
}

/* An incarnation begins, whose SYN the capture lacks. */
static void note_opening_not_captured(const struct arrival *a)
{
    struct tcpfsm *m = a->m;

    a->out->opened = true;
    m->midstream = true;
    m->fast_open = m->fast_open_data = false;
    m->rtt_us = 0;
}

void begin_not_captured(const struct arrival *a)
{
    struct tcpfsm_end *ends[] = { a->snd, a->rcv };

    note_opening_not_captured(a);
    for (unsigned i = 0; i < 2; i++) {
        seq_forget_sent(ends[i]);
        ends[i]->knows_rcv_nxt = false;
        enter(a, ends[i], TCP_ESTABLISHED, TCP_EV_OTHER_CONNECTION);
    }
}

/* SYN,ACK: SYN_RCVD (RFC 9293 sections 3.10.7.2 and 3.10.7.3). */
void evidence_of_syn_ack(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;
    const bool opened_actively = s->state == TCP_SYN_SENT || (s->state == TCP_SYN_RCVD && !s->passive);
    bool overtaken = false;
    enum tcp_event event = s->state == TCP_LISTEN ? TCP_EV_RCV_SYN
        : s->state == TCP_ESTABLISHED && !s->sent_syn_ack ? TCP_EV_SYN_ACK_BEFORE_ACK : TCP_EV_SND_SYN_ACK;

    if (!s->syn_pending && is_late_syn(s, seg)) {
        s->sent_syn_ack = true; /* from now on its ACKs may be those of SYN_RCVD */
        return;
    }
    if (s->syn_pending && seg->seq == s->iss_other) /* its SYN crossed the peer's: figure 7 */
        take_pending_syn(s);
    if (s->knows_iss && seg->seq == s->iss && (s->sent_syn_ack || !s->passive)) {
        if (s->synchronized || (s->sent_syn_ack && is_copy(s, seg)))
            return;
        if (s->sent_syn_ack) /* a retransmission shows that the handshake's last ACK never came */
            event = TCP_EV_SYN_ACK_REPEATED;
        overtaken = may_be_overtaken(s);
        if (s->syn_pending) /* a stray: the connection amid which it came lives on */
            s->syn_pending = s->has_other_iss = false;
    } else {
        seq_begin(s, seg);
        s->passive = !opened_actively;
        s->live = TCP_CLOSED;
        if (p->syn_pending && seg->ack == p->iss_other + 1) {
            take_pending_syn(p);
        } else if (answers_syn_not_captured(a)) {
            note_opening_not_captured(a);
            a->m->client = p != a->m->end;
            seq_forget_sent(p);
            enter(a, p, TCP_SYN_SENT, TCP_EV_SND_SYN);
        }
    }
    s->sent_syn_ack = true;
    s->rcv_nxt = seg->ack; /* what it took of Fast Open data, and what it refused */
    if (has_old_numbers(p))
        seq_forget_sent(p);
    if (!p->knows_iss)
        infer_syn(p, seg->ack);
    else if (a->m->fast_open_data && seg->ack == p->iss + 1)
        a->m->fast_open = false; /* the data were refused, RFC 7413 section 4.2 */
    enter(a, s, TCP_SYN_RCVD, event);
    /* Captured after its acknowledgement it shows an earlier moment. */
    if (s->passive && event != TCP_EV_SYN_ACK_REPEATED && p->has_acked && seq_gt(p->rcv_acked, seg->seq))
        enter(a, s, TCP_ESTABLISHED, TCP_EV_RCV_ACK_OF_SYN);
    else
        s->confirmed = !overtaken;
}

/* If the peer sent several SYNs, this acknowledgement tells which of them counts. */
static void learn_peer_syn(const struct arrival *a)
{
    struct tcpfsm_end *p = a->rcv;

    if (!p->has_other_iss || p->syn_pending)
        return;
    if (p->iss_other == a->seg->ack - 1) { /* what came under the other number is not of the connection */
        a->snd->rcv_nxt = a->seg->ack;
        a->snd->held_count = 0;
    }
    choose_iss(p, a->seg->ack - 1);
    p->has_other_iss = false;
}

/* From the SYN to the handshake's last ACK takes one round trip, wherever the capture was made. */
static void note_round_trip(const struct arrival *a)
{
    const int64_t rtt = a->seg->time_us - a->m->syn_us;
    /* Else the capture lacks the handshake's last ACK. */
    const bool acks_syn_alone = !has(a->seg, TCP_FIN) && (!a->rcv->knows_iss || a->seg->ack == a->rcv->iss + 1);
    if (a->snd->knows_iss && acks_syn_alone && !a->m->midstream && rtt > 0 && rtt <= UINT32_MAX)
        a->m->rtt_us = (uint32_t)rtt;
}

bool keeps_old_connection(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;
    return s->state == TCP_SYN_RCVD && !s->sent_syn_ack && (is_synchronized((enum tcp_state)s->live) || !s->captured)
        && a->rcv->state == TCP_SYN_SENT && !acks_latest_syn_of(a->rcv, a->seg->ack);
}

/* The end may send data in SYN_RCVD: its peer's SYN asked for Fast Open, or was not captured. */
static bool is_fast_open_server(const struct arrival *a)
{
    const bool passive = a->m->midstream ? a->snd != &a->m->end[a->m->client] : a->snd->passive;
    return passive && (a->m->fast_open || (a->m->midstream && a->snd->sent_syn_ack));
}

/* The segment acknowledges more than the end's SYN,ACK did. */
static bool acks_more_than_syn(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd, *p = a->rcv;

    if (s->has_acked)
        return seq_gt(a->seg->ack, s->rcv_acked);
    return p->knows_iss && !a->m->fast_open_data && seq_gt(a->seg->ack, p->iss + 1); /* else data of the SYN, perhaps */
}

/* The end opened with a SYN, rather than with a SYN,ACK. */
static bool opened_by_syn(const struct tcpfsm_end *e)
{
    return e->knows_iss && (!e->passive || (e->captured && !e->sent_syn_ack));
}

/*
 * SYN_RCVD sends such segments too: a bare ACK in answer to a stray (RFC 9293 section 3.10.7.4, first
 * check), and data before the handshake's last ACK if Fast Open let it (RFC 7413 section 4.2). Not so a
 * FIN, nor the acknowledgement of more than the SYN,ACK acknowledged.
 */
static bool could_be_syn_rcvd(const struct arrival *a)
{
    const struct tcpfsm_segment *seg = a->seg;
    const bool lacks_syns = a->m->midstream && a->snd->knows_iss; /* begun with a SYN,ACK: they may have crossed */

    return (a->snd->sent_syn_ack || opened_by_syn(a->rcv) || lacks_syns) && !has(seg, TCP_FIN) && !acks_more_than_syn(a)
        && (seg->len == 0 || is_fast_open_server(a));
}

/*
 * The sender, in SYN_SENT, acknowledges a SYN,ACK that the capture lacks: only a SYN,ACK draws an ACK with this
 * number. What is known of its peer is of an older incarnation.
 */
static bool acks_syn_ack_not_captured(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const bool answered = p->state == TCP_SYN_RCVD ? p->sent_syn_ack || !p->passive : !is_synchronized(p->state);

    return !answered && a->seg->seq == s->iss + 1 && !acks_syn_of(p, a->seg->ack);
}

/* ACK or data from SYN_SENT: ESTABLISHED, unless the SYNs crossed. Returns whether it is synchronized. */
static bool evidence_in_syn_sent(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd, *p = a->rcv;
    const struct tcpfsm_segment *seg = a->seg;

    choose_iss(s, seg->seq - 1);
    if (acks_syn_ack_not_captured(a)) {
        seq_forget_sent(p);
        enter(a, p, TCP_SYN_RCVD, TCP_EV_OTHER_CONNECTION);
        p->passive = true;
    }
    if (p->knows_iss && p->captured && !acks_syn_of(p, seg->ack)
        && !(p->has_other_iss && seg->ack == p->iss_other + 1)) {
        s->confirmed = false; /* SYN_SENT sends no such segment */
        return false;
    }
    learn_peer_syn(a);
    enter(a, s, TCP_ESTABLISHED, TCP_EV_RCV_SYN_ACK); /* captured out of order, or not at all */
    return !could_be_syn_rcvd(a); /* else the SYNs crossed, and its own was captured late */
}

/* The same from SYN_RCVD: ESTABLISHED, with Fast Open perhaps later (RFC 9293 section 3.10.7.4, fifth check). */
static bool evidence_in_syn_rcvd(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;
    const struct tcpfsm_segment *seg = a->seg;

    if (keeps_old_connection(a)) {
        return_to_old_connection(a);
        return true;
    }
    if (has_old_numbers(s))
        seq_forget_sent(s);
    if (could_be_syn_rcvd(a)) {
        if (seg->len > 0 && !a->m->fast_open) /* likelier: the capture lacks the handshake's last ACK */
            enter(a, s, TCP_ESTABLISHED, TCP_EV_RCV_ACK_OF_SYN);
        else
            s->confirmed = s->sent_syn_ack && a->m->fast_open_data && seg->len > 0;
        return false;
    }
    /* A FIN may leave before the handshake's last ACK has come (RFC 9293 section 3.10.4). */
    if (!has(seg, TCP_FIN) || !s->sent_syn_ack || acks_more_than_syn(a))
        enter(a, s, TCP_ESTABLISHED, TCP_EV_RCV_ACK_OF_SYN);
    return true;
}

bool evidence_of_opening(const struct arrival *a)
{
    struct tcpfsm_end *s = a->snd;

    if (!s->synchronized && !s->passive && a->m->rtt_us == 0)
        note_round_trip(a);
    if (s->state == TCP_LISTEN) /* only a reset leads there */
        enter(a, s, TCP_SYN_RCVD, TCP_EV_ALIVE_AFTER_RST);
    if (s->state == TCP_ESTABLISHED) {
        learn_peer_syn(a);
        if (!s->synchronized && could_be_syn_rcvd(a))
            return false; /* while the handshake's last ACK was on its way */
    } else if ((s->state == TCP_SYN_SENT && !evidence_in_syn_sent(a))
               || (s->state == TCP_SYN_RCVD && !evidence_in_syn_rcvd(a))) {
        return false;
    }
    s->synchronized = true;
    return true;
}
