/* zeek.c
 * Zeek's conn_state and history of one connection. The order of what is done with a segment is Zeek's, as it shows in
 * the order of the letters.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zeek.h"
#include "tcpseq.h"

#include <string.h>

/* Zeek's states of an end, less SYN_ACK_SENT: here who sends a SYN,ACK is never the originator. */
enum {
    INACTIVE, /* nothing of it was captured */
    SYN_SENT,
    PARTIAL,  /* captured without a handshake */
    ESTABLISHED,
    CLOSED,   /* it sent a FIN */
    RESET,    /* it sent a RST */
};

/* A SYN or a RST whose number jumps further than this is not believed. */
#define JUMP_MAX 1048576

enum { SEEN_SYN = 1, SEEN_FIN = 2, SEEN_RST = 4, SEEN_ACK = 8, SEEN_DATA = 16, SEEN_FIN_RST = 32, SEEN_FLAGS = 64 };

static bool has(const struct tcpfsm_segment *seg, uint8_t flags)
{
    return (seg->flags & flags) == flags;
}

/* What a segment takes of the sequence space. Octets in a RST are none of the connection's. */
static uint32_t space_of(const struct tcpfsm_segment *seg)
{
    return (has(seg, TCP_RST) ? 0 : seg->len) + has(seg, TCP_SYN) + has(seg, TCP_FIN);
}

static void enter(struct zeek_end *e, uint8_t state)
{
    if (e->state != state) {
        e->before = e->state;
        e->state = state;
    }
}

/* ------------------------------------------------------------------ letters */

static void write_letter(struct zeek *z, const struct zeek_end *e, char letter)
{
    if (z->letters < sizeof z->history)
        z->history[z->letters++] = (char)(e == z->end ? letter : letter | 0x20);
}

/* Writes a letter the first time. Returns whether it was written before. */
static bool write_once(struct zeek *z, struct zeek_end *e, uint8_t bit, char letter)
{
    if (e->seen & bit)
        return true;
    e->seen |= bit;
    write_letter(z, e, letter);
    return false;
}

/* Writes a letter the first time, and again where the number is another than at the latest time. */
static void write_if_new(struct zeek *z, struct zeek_end *e, uint8_t bit, char letter, bool is_new)
{
    if (write_once(z, e, bit, letter) && is_new)
        write_letter(z, e, letter);
}

/* Writes a letter the 1st time, the 10th, the 100th and so on. */
static void write_scaled(struct zeek *z, const struct zeek_end *e, uint32_t *count, char letter)
{
    uint32_t n = *count < UINT32_MAX ? ++*count : UINT32_MAX;

    while (n % 10 == 0)
        n /= 10;
    if (n == 1)
        write_letter(z, e, letter);
}

/* The letter of the segment's flags, or of its data where it has none that matter. */
static void write_flags(struct zeek *z, struct zeek_end *s, const struct tcpfsm_segment *seg, uint32_t number)
{
    switch (seg->flags & (TCP_SYN | TCP_FIN | TCP_RST)) {
    case 0:
        if (seg->len > 0)
            write_once(z, s, SEEN_DATA, 'D');
        else if (has(seg, TCP_ACK))
            write_once(z, s, SEEN_ACK, 'A');
        break;
    case TCP_SYN: /* with ACK or without it: after one, the other is written only if its number is another */
        write_if_new(z, s, SEEN_SYN, has(seg, TCP_ACK) ? 'H' : 'S', number != s->syn);
        s->syn = number;
        break;
    case TCP_FIN:
        write_if_new(z, s, SEEN_FIN, 'F', number + seg->len != s->fin);
        break;
    case TCP_RST:
        write_if_new(z, s, SEEN_RST, 'R', number != s->rst);
        s->rst = number;
        break;
    default:
        if (has(seg, TCP_FIN | TCP_RST))
            write_once(z, s, SEEN_FIN_RST, 'I');
        else
            write_once(z, s, SEEN_FLAGS, 'Q');
    }
}

/* ------------------------------------------------------------------ sequence numbers */

/* Where the sender's numbers start: with its first segment, or with a SYN for which it is not too late. */
static void note_start(struct zeek_end *s, const struct tcpfsm_segment *seg)
{
    const bool syn = has(seg, TCP_SYN), first = s->state == INACTIVE;
    const bool another = s->state == SYN_SENT && seg->seq != s->start;
    const bool open = s->state == PARTIAL || s->state == ESTABLISHED;
    const bool only_reset = s->state == RESET && s->before == INACTIVE; /* by a RST that may be forged */

    if (!first && !(syn && (another || open || only_reset)))
        return;
    s->start = syn ? seg->seq : seg->seq - 1;
    s->last = syn ? space_of(seg) : 1;
    s->acked = 0;
    if (first)
        s->delivered = 1;
}

/* Zeek calls data a retransmission that reach no further than what was captured, if only the SYN's own. */
static void note_last(struct zeek *z, struct zeek_end *s, const struct tcpfsm_segment *seg, uint32_t end)
{
    const int32_t advance = (int32_t)(end - s->last);

    if ((seg->flags & (TCP_SYN | TCP_RST)) && (advance > JUMP_MAX || advance < -JUMP_MAX))
        return;
    if (has(seg, TCP_FIN) && s->last == 1) /* whatever the capture lacks between the SYN and it */
        s->last = end;
    else if (s->state == RESET)
        return;
    else if (advance > 0)
        s->last = end;
    else if (seg->len > 0)
        write_scaled(z, s, &s->retransmissions, 'T');
}

/* ------------------------------------------------------------------ gaps */

/* All data of the end below `next` is done with. */
static void deliver(struct zeek_end *e, uint32_t next)
{
    unsigned held = e->held_count;

    e->delivered = seq_absorb(seq_max(e->delivered, next), e->held, &held);
    e->held_count = held & 3;
}

static void note_data(struct zeek_end *s, uint32_t from, uint32_t to)
{
    if (seq_le(from, s->delivered)) {
        deliver(s, to);
        return;
    }
    for (unsigned i = 0; i < s->held_count; i++) {
        struct tcpfsm_range *h = &s->held[i];
        const bool no_room = i == ZEEK_HELD_MAX - 1; /* better a gap missed than one that never was */
        if (seq_touches(h, from, to) || no_room) {
            seq_widen(h, from, to);
            return;
        }
    }
    s->held[s->held_count++] = (struct tcpfsm_range){from, to};
}

static bool is_clean(const struct zeek_end *e)
{
    return e->state == ESTABLISHED || (e->state == CLOSED && e->before == ESTABLISHED);
}

/* The lowest number at which data of the end was captured beyond what is delivered; `limit` if none lies below that. */
static uint32_t next_held(const struct zeek_end *e, uint32_t limit)
{
    for (unsigned i = 0; i < e->held_count; i++) {
        if (seq_lt(e->held[i].from, limit))
            limit = e->held[i].from;
    }
    return limit;
}

/*
 * The peer acknowledged the end's numbers below `ack`. Each hole there is a gap, written only if both ends opened and
 * none was reset: else numbers are not to be relied upon.
 */
static void note_acked_data(struct zeek *z, struct zeek_end *e, const struct zeek_end *peer, uint32_t ack)
{
    if (e->has_fin && seq_gt(ack, e->fin))
        ack = e->fin;
    while (seq_lt(e->delivered, ack)) {
        if (is_clean(e) && is_clean(peer))
            write_scaled(z, e, &e->gaps, 'G');
        deliver(e, next_held(e, ack));
    }
}

/* ------------------------------------------------------------------ states */

static void move_inactive(struct zeek_end *s, struct zeek_end *p, const struct tcpfsm_segment *seg)
{
    const bool answered = p->state == SYN_SENT || p->state == ESTABLISHED; /* by this SYN, or in another order */

    if (has(seg, TCP_SYN)) {
        if (p->state == SYN_SENT)
            enter(p, ESTABLISHED);
        enter(s, answered || has(seg, TCP_ACK) ? ESTABLISHED : SYN_SENT);
    }
    if (has(seg, TCP_FIN))
        enter(s, CLOSED);
    if (has(seg, TCP_RST))
        enter(s, RESET);
    if (s->state != INACTIVE)
        return;
    if (p->state == SYN_SENT && seg->len == 0)
        return; /* an ACK that answers a SYN, say a challenge ACK (RFC 5961 section 4): a SYN,ACK or a RST may follow */
    enter(s, p->state == ESTABLISHED && has(seg, TCP_ACK) ? ESTABLISHED : PARTIAL);
}

static void move_open(struct zeek_end *s, struct zeek_end *p, const struct tcpfsm_segment *seg)
{
    if (s->state == PARTIAL && p->state == INACTIVE && has(seg, TCP_SYN) && !has(seg, TCP_ACK))
        enter(s, SYN_SENT);
    if (has(seg, TCP_FIN) && !has(seg, TCP_RST)) {
        enter(s, CLOSED);
        if (p->state == RESET && p->before == CLOSED) /* its RST only refused what came after its FIN */
            enter(p, CLOSED);
    }
    if (has(seg, TCP_RST))
        enter(s, RESET);
}

static void move(struct zeek_end *s, struct zeek_end *p, const struct tcpfsm_segment *seg)
{
    switch (s->state) {
    case INACTIVE:
        move_inactive(s, p, seg);
        break;
    case SYN_SENT:
        if (has(seg, TCP_FIN))
            enter(s, CLOSED);
        if (has(seg, TCP_RST))
            enter(s, RESET);
        break;
    case PARTIAL:
    case ESTABLISHED:
        move_open(s, p, seg);
        break;
    case CLOSED:
        if (has(seg, TCP_RST) && p->state != CLOSED)
            enter(s, RESET);
        break;
    default: /* RESET */
        break;
    }
}

/* ------------------------------------------------------------------ a segment */

/* Notes what the segment acknowledges. Returns that number, relative to the peer's start. */
static uint32_t note_ack(struct zeek_end *p, const struct tcpfsm_segment *seg)
{
    if (p->state == INACTIVE) { /* as if its SYN had been captured, and all that is acknowledged */
        p->start = seg->ack - 1;
        p->last = p->acked = 0;
        p->delivered = 1;
        return 1;
    }
    const uint32_t ack = seg->ack - p->start;
    const bool broken = seg->ack == 0 && (int32_t)(ack - p->acked) > JUMP_MAX;

    if (!has(seg, TCP_RST) && !broken)
        p->acked = seq_max(p->acked, ack);
    return ack;
}

void zeek_segment(struct zeek *z, unsigned sender, const struct tcpfsm_segment *seg)
{
    struct zeek_end *s = &z->end[sender & 1], *p = &z->end[!(sender & 1)];
    uint32_t ack = 0;

    note_start(s, seg);
    const uint32_t number = seg->seq - s->start, end = number + space_of(seg);

    write_flags(z, s, seg, number);
    if (seg->window == 0 && !has(seg, TCP_RST) && p->state != CLOSED && s->state != RESET)
        write_scaled(z, s, &s->zero_windows, 'W');
    if (has(seg, TCP_FIN)) {
        s->fin = end - 1;
        s->has_fin = true;
    }
    if (has(seg, TCP_ACK))
        ack = note_ack(p, seg);
    note_last(z, s, seg, end);
    move(s, p, seg);
    if (has(seg, TCP_ACK))
        note_acked_data(z, p, s, ack);
    if (seg->len > 0)
        note_data(s, number + has(seg, TCP_SYN), number + has(seg, TCP_SYN) + seg->len);
}

/* ------------------------------------------------------------------ what is shown */

/* Whether the end is not known to have sent data, by its own numbers or the peer's acknowledgements. */
static bool is_empty(const struct zeek_end *e)
{
    return seq_max(e->last, e->acked) <= (e->has_fin ? 2u : 1u);
}

/* The client sent a SYN and then a RST, and between them nothing but what it sent again. */
static bool gave_up_after_syn(const char *history)
{
    return history[0] == 'S' && history[strcspn(history, "HAFGIQR")] == 'R';
}

const char *zeek_conn_state(const struct zeek *z, unsigned client)
{
    const struct zeek_end *o = &z->end[client & 1], *r = &z->end[!(client & 1)];
    const bool o_unknown = o->state == INACTIVE || o->state == PARTIAL;
    const bool r_unknown = r->state == INACTIVE || r->state == PARTIAL;
    char history[ZEEK_HISTORY_SIZE];

    if (r->state == RESET) {
        if (o->state == SYN_SENT || (o->state == RESET && is_empty(o) && is_empty(r)))
            return "REJ";
        return o_unknown ? "RSTRH" : "RSTR";
    }
    if (o->state == RESET) {
        if (!r_unknown)
            return "RSTO";
        zeek_history(z, client, history);
        return gave_up_after_syn(history) ? "RSTOS0" : "OTH";
    }
    if (o->state == CLOSED)
        return r->state == CLOSED ? "SF" : r_unknown ? "SH" : "S2";
    if (r->state == CLOSED)
        return o_unknown ? "SHR" : "S3";
    if (o->state == SYN_SENT && r->state == INACTIVE)
        return "S0";
    return o->state == ESTABLISHED && r->state == ESTABLISHED ? "S1" : "OTH";
}

void zeek_history(const struct zeek *z, unsigned client, char text[ZEEK_HISTORY_SIZE])
{
    for (unsigned i = 0; i < z->letters; i++)
        text[i] = (char)(client & 1 ? z->history[i] ^ 0x20 : z->history[i]);
    text[z->letters] = '\0';
}
