/* stream.c
 * Octets read as a stream of TCP segments.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "stream.h"

#include <string.h>

#define ALL_FLAGS 0x3f
#define MOST_US (INT64_MAX / 1000) /* nanoseconds in 64 bits reach so far; half of it leaves room to shift all */

enum kind {
    SYN, SYN_NEW, SYN_ACK, ACK, DATA, DATA_ONE, FIN, FIN_DATA, RST, RST_ACK, RST_REFUSING, RST_BELOW, KEEP_ALIVE, COPY,
    REPEATED, FAST_OPEN, SYN_ACK_FIN, SYN_AGAIN, WILD, NO_FLAGS, SYN_FIN, FIN_ALONE, HOLE, RST_AHEAD
};

/* What comes often stands often. */
static const uint8_t kinds[32] = {
    SYN, SYN_NEW, SYN_ACK, ACK, ACK, ACK, ACK, ACK, DATA, DATA, DATA_ONE, FIN, FIN, FIN_DATA, RST, RST_ACK,
    RST_REFUSING, RST_BELOW, KEEP_ALIVE, COPY, COPY, REPEATED, REPEATED, FAST_OPEN, SYN_ACK_FIN, SYN_AGAIN, WILD,
    NO_FLAGS, SYN_FIN, FIN_ALONE, HOLE, RST_AHEAD
};

/* How far a number lies from the right one. */
static const uint32_t seq_off[16] = {
    0, 0, 0, 0, 0, 0, 0, 0, (uint32_t)-1, 1, 100, (uint32_t)-100, 65535, (uint32_t)-70000, 0x80000000u, 0x7fffffffu
};
static const uint32_t ack_off[16] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, (uint32_t)-1, 1, (uint32_t)-100, 100, 100000, 0x80000000u, 0x7fffffffu
};
static const int64_t step_us[16] = {
    0, 0, 1, 1000, 1000, 1000, 100000, 100000, 100000, 1000000, 5000000, 59000000, 240000000, 3600000000,
    -1000000, INT64_MAX
};

enum { LAST_PLAIN = 11, SAME_FRAME = 12, OLD_ACK = 13, FIRST_LOST = 14 }; /* the upper half of the third octet */

void stream_begin(struct stream *s, const uint8_t *data, size_t size)
{
    memset(s, 0, sizeof *s);
    s->data = data;
    s->size = size;
    for (unsigned i = 0; i < 2; i++)
        s->end[i].iss = s->end[i].nxt = 1000 * (i + 1);
}

static uint8_t octet(struct stream *s)
{
    if (s->size == 0)
        return 0;
    s->size--;
    return *s->data++;
}

static uint32_t number(struct stream *s)
{
    uint32_t n = 0;
    for (int i = 0; i < 4; i++)
        n = n << 8 | octet(s);
    return n;
}

/* A header of which nothing is plausible. */
static void make_wild(struct stream *s, struct tcpfsm_segment *seg)
{
    seg->seq = number(s);
    seg->ack = number(s);
    seg->flags = octet(s) & ALL_FLAGS;
    seg->window = (uint16_t)(octet(s) << 8);
    seg->wscale = octet(s);
    seg->mss = octet(s);
    seg->len = (uint32_t)octet(s) << 8;
    seg->fast_open = octet(s) & 1;
}

static void make(struct stream *s, enum kind kind, unsigned sender, struct tcpfsm_segment *seg)
{
    const uint32_t peer_told = s->end[!sender].told;

    seg->seq = s->end[sender].nxt;
    seg->ack = s->end[!sender].nxt;
    seg->flags = TCP_ACK;
    switch (kind) {
    case SYN_NEW:
    case SYN_AGAIN:
        s->end[sender].iss = s->end[sender].nxt + 0x10000;
        /* fall through */
    case SYN:
    case SYN_FIN:
    case FAST_OPEN:
        seg->seq = s->end[sender].iss;
        seg->flags = kind == SYN_FIN ? TCP_SYN | TCP_FIN : TCP_SYN;
        seg->ack = 0;
        seg->fast_open = kind == FAST_OPEN;
        seg->len = kind == FAST_OPEN ? 100 : 0;
        break;
    case SYN_ACK:
    case SYN_ACK_FIN:
        seg->seq = s->end[sender].iss;
        seg->flags = kind == SYN_ACK ? TCP_SYN | TCP_ACK : TCP_SYN | TCP_ACK | TCP_FIN;
        break;
    case DATA:
        seg->len = 100;
        break;
    case DATA_ONE:
        seg->len = 1;
        break;
    case HOLE: /* of data that the capture lacks */
        s->end[sender].nxt += 100;
        seg->seq += 100;
        break;
    case FIN_DATA:
        seg->len = 100;
        /* fall through */
    case FIN:
        seg->flags = TCP_FIN | TCP_ACK;
        break;
    case RST:
        seg->flags = TCP_RST;
        break;
    case RST_ACK:
        seg->flags = TCP_RST | TCP_ACK;
        break;
    case RST_REFUSING:
        seg->flags = TCP_RST;
        seg->seq = peer_told;
        break;
    case RST_BELOW:
        seg->flags = TCP_RST;
        seg->seq -= 1;
        break;
    case RST_AHEAD:
        seg->flags = TCP_RST | TCP_ACK;
        seg->seq += 100;
        break;
    case KEEP_ALIVE:
        seg->seq -= 1;
        break;
    case NO_FLAGS:
        seg->flags = 0;
        break;
    case FIN_ALONE:
        seg->flags = TCP_FIN;
        break;
    default:
        break;
    }
}

/* The generator's ends go on from what was sent, if it is near. */
static void advance(struct stream *s, unsigned sender, const struct tcpfsm_segment *seg)
{
    const uint32_t next = seg->seq + seg->len + ((seg->flags & TCP_SYN) ? 1 : 0) + ((seg->flags & TCP_FIN) ? 1 : 0);

    if (seg->flags & TCP_ACK)
        s->end[sender].told = seg->ack;
    if (seg->flags & TCP_SYN)
        s->end[sender].nxt = next;
    else if (next - s->end[sender].nxt < 0x10000)
        s->end[sender].nxt = next;
}

static void pass_time(struct stream *s, unsigned step)
{
    if (step_us[step] == INT64_MAX) /* a clock that was set */
        s->time_us = s->time_us > 0 ? -MOST_US / 2 : MOST_US / 2;
    else if (s->time_us < MOST_US / 2 && s->time_us > -MOST_US / 2)
        s->time_us += step_us[step];
}

static void place(struct stream *s, unsigned how)
{
    if (how == SAME_FRAME && s->frame > 0 && s->layer < UINT8_MAX - 2) {
        s->layer += 2;
        return;
    }
    s->frame++;
    s->layer = 3;
}

bool stream_next(struct stream *s, struct stream_segment *out)
{
    while (s->size > 0) {
        const uint8_t what = octet(s), numbers = octet(s), moment = octet(s);
        const enum kind kind = kinds[what & 0x1f];
        const unsigned how = moment >> 4;

        memset(out, 0, sizeof *out);
        out->sender = what >> 7;
        out->seg.window = what & 0x20 ? numbers : UINT16_MAX;
        out->seg.wscale = what & 0x20 ? TCPFSM_NO_WSCALE : 7;
        pass_time(s, moment & 0xf);
        s->tsval += step_us[moment & 0xf] > 0 && step_us[moment & 0xf] < INT64_MAX;
        if (kind == COPY || kind == REPEATED) {
            if (s->count == 0)
                continue;
            const unsigned back = numbers % (s->count < STREAM_REMEMBERED ? s->count : STREAM_REMEMBERED);
            const struct stream_segment *old = &s->remembered[(s->count - 1 - back) % STREAM_REMEMBERED];
            out->seg = old->seg;
            out->sender = old->sender;
            if (kind == REPEATED)
                out->seg.tsval = s->tsval;
        } else {
            out->seg.tsval = s->tsval;
            out->seg.has_tsval = what >> 6 & 1;
            if (kind == WILD)
                make_wild(s, &out->seg);
            else
                make(s, kind, out->sender, &out->seg);
            if (how == OLD_ACK)
                out->seg.ack = s->end[out->sender].told;
            out->seg.seq += seq_off[numbers & 0xf];
            out->seg.ack += ack_off[numbers >> 4];
            advance(s, out->sender, &out->seg);
            s->remembered[s->count++ % STREAM_REMEMBERED] = *out;
        }
        if (how >= FIRST_LOST) /* before the capture; it may come later, as a copy */
            continue;
        place(s, how);
        out->seg.time_us = s->time_us;
        out->frame = s->frame;
        out->layer = s->layer;
        return true;
    }
    return false;
}
