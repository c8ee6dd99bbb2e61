/* packing.c
 * A machine at rest: all that is known of a connection in a few octets.
 *
 * Packed are, in this order: a word with a bit for each number, whether it is elsewhere than expected; the bit
 * fields as they are; the distances of the numbers that are elsewhere, seven bits an octet, lowest first.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "packing.h"

#include <string.h>

#define NUMBERS_OF_END 14 /* of struct tcpfsm_end, without held */
#define NUMBERS (2 * NUMBERS_OF_END + 3)
#define ELSEWHERE_OCTETS ((NUMBERS + 7) / 8)

#define END_FLAGS_AT (offsetof(struct tcpfsm_end, mss) + sizeof(uint16_t))
#define END_FLAGS_OCTETS (offsetof(struct tcpfsm_end, wscale) - END_FLAGS_AT)
#define FLAGS_AT (offsetof(struct tcpfsm, latest_us) + sizeof(uint32_t))
#define FLAGS_OCTETS 1

/* Seven bits an octet. */
#define OCTETS_OF_64 10
#define OCTETS_OF_32 5
#define OCTETS_OF_16 3
#define OCTETS_OF_8 2

/* A member that is added or grows must be packed below, and counted here and above. */
_Static_assert(END_FLAGS_AT == sizeof(int64_t) + 11 * sizeof(uint32_t) + TCPFSM_HELD_MAX * sizeof(struct tcpfsm_range)
               + sizeof(uint16_t), "the numbers of an end are those that are packed");
_Static_assert(sizeof(struct tcpfsm_end) - offsetof(struct tcpfsm_end, wscale) <= sizeof(uint32_t),
               "nothing comes after the bit fields of an end but wscale");
_Static_assert(FLAGS_AT == 2 * sizeof(struct tcpfsm_end) + sizeof(int64_t) + 2 * sizeof(uint32_t),
               "the members of a machine are those that are packed");
_Static_assert(sizeof(struct tcpfsm) - FLAGS_AT <= sizeof(int64_t), "nothing comes after the bit fields of a machine");
_Static_assert(TCPFSM_PACKED_MAX >= ELSEWHERE_OCTETS + FLAGS_OCTETS + OCTETS_OF_64 + 2 * OCTETS_OF_32
               + 2 * (END_FLAGS_OCTETS + OCTETS_OF_64 + 11 * OCTETS_OF_32 + OCTETS_OF_16 + OCTETS_OF_8
                      + 2 * TCPFSM_HELD_MAX * OCTETS_OF_32), "the largest machine has room");

/* The same steps, in the same order, pack a machine and unpack it. */
struct walk {
    bool unpacking;
    uint8_t *to;         /* packing: where the next octet goes */
    const uint8_t *from; /* unpacking: where it stands */
    uint64_t elsewhere;  /* of each number so far, or of all: it is not where it is expected */
    unsigned count;      /* of numbers so far */
};

/* ------------------------------------------------------------------ one value */

static inline void walk_octets(struct walk *w, void *octets, size_t count)
{
    if (w->unpacking) {
        memcpy(octets, w->from, count);
        w->from += count;
    } else {
        memcpy(w->to, octets, count);
        w->to += count;
    }
}

/* A distance either way: small ones become small numbers. */
static inline void write_distance(struct walk *w, int64_t distance)
{
    uint64_t rest = (uint64_t)distance << 1 ^ (distance < 0 ? UINT64_MAX : 0);

    for (; rest >= 0x80; rest >>= 7)
        *w->to++ = (uint8_t)(rest | 0x80);
    *w->to++ = (uint8_t)rest;
}

static inline uint64_t read_distance(struct walk *w)
{
    uint64_t rest = 0;
    unsigned shift = 0;

    while (*w->from & 0x80) {
        rest |= (uint64_t)(*w->from++ & 0x7f) << shift;
        shift += 7;
    }
    rest |= (uint64_t)*w->from++ << shift;
    return rest >> 1 ^ (rest & 1 ? UINT64_MAX : 0);
}

/* Whether the next number is elsewhere than expected; packing, after a look at it. */
static inline bool walk_elsewhere(struct walk *w, bool is_elsewhere)
{
    const uint64_t bit = UINT64_C(1) << w->count++;

    if (w->unpacking)
        return (w->elsewhere & bit) != 0;
    if (is_elsewhere)
        w->elsewhere |= bit;
    return is_elsewhere;
}

static inline void walk_distance(struct walk *w, uint32_t *number, uint32_t near)
{
    if (w->unpacking)
        *number = near + (uint32_t)read_distance(w);
    else
        write_distance(w, (int32_t)(*number - near));
}

/* A number that is expected at a place, and most likely near it if not there. */
static inline void walk_number(struct walk *w, uint32_t *number, uint32_t expected)
{
    if (walk_elsewhere(w, *number != expected))
        walk_distance(w, number, expected);
    else
        *number = expected;
}

/* A time that is often not set, else near another one. Differences are taken modulo 2^64: none overflows. */
static inline void walk_time(struct walk *w, int64_t *time_us, int64_t near_us)
{
    if (!walk_elsewhere(w, *time_us != 0))
        *time_us = 0;
    else if (w->unpacking)
        *time_us = (int64_t)((uint64_t)near_us + read_distance(w));
    else
        write_distance(w, (int64_t)((uint64_t)*time_us - (uint64_t)near_us));
}

/* ------------------------------------------------------------------ the members */

#define MSS_EXPECTED 1460 /* Ethernet's */
#define WSCALE_EXPECTED 7 /* Linux's */

/* What it sends: its highest number tells where the others are. */
static inline void walk_sender(struct walk *w, struct tcpfsm_end *e)
{
    uint32_t mss = e->mss, wscale = e->wscale;

    walk_number(w, &e->snd_nxt, 0);
    walk_number(w, &e->fin, e->knows_fin ? e->snd_nxt - 1 : 0);
    walk_number(w, &e->data_end, !e->knows_data_end ? 0 : e->knows_fin ? e->fin : e->snd_nxt);
    walk_number(w, &e->iss, e->knows_iss ? e->data_end - 1 : 0);
    walk_number(w, &e->iss_other, e->has_other_iss ? e->iss : 0);
    walk_number(w, &e->ctl_tsval, 0);
    walk_number(w, &mss, e->wscale_known ? MSS_EXPECTED : 0);
    walk_number(w, &wscale, e->wscale_known ? WSCALE_EXPECTED : TCPFSM_NO_WSCALE);
    e->mss = (uint16_t)mss;
    e->wscale = (uint8_t)wscale;
}

/* What it was sent: all that its peer sent, which was acknowledged. */
static inline void walk_receiver(struct walk *w, struct tcpfsm_end *e, const struct tcpfsm_end *peer)
{
    walk_number(w, &e->rcv_nxt, e->knows_rcv_nxt ? peer->snd_nxt : 0);
    walk_number(w, &e->rcv_acked, e->has_acked ? e->rcv_nxt : 0);
    walk_number(w, &e->last_ack, e->has_acked ? e->rcv_acked : 0);
    walk_number(w, &e->rcv_edge, e->has_acked ? e->rcv_acked : 0);
    walk_number(w, &e->fin_ack_from, e->fin_ack_provable ? peer->snd_nxt : e->fin_over_hole ? e->fin : 0);
    for (unsigned i = 0; i < e->held_count; i++) {
        walk_distance(w, &e->held[i].from, e->rcv_nxt);
        walk_distance(w, &e->held[i].to, e->held[i].from);
    }
}

static inline void walk_times(struct walk *w, struct tcpfsm *m)
{
    walk_time(w, &m->syn_us, 0);
    walk_time(w, &m->end[0].since_us, m->syn_us);
    const int64_t near_us = m->end[0].since_us ? m->end[0].since_us : m->syn_us;
    walk_time(w, &m->end[1].since_us, near_us);
    walk_number(w, &m->latest_us, (uint32_t)(m->end[1].since_us ? m->end[1].since_us : near_us));
    walk_number(w, &m->rtt_us, 0);
}

static inline void walk_machine(struct walk *w, struct tcpfsm *m)
{
    for (unsigned i = 0; i < 2; i++)
        walk_octets(w, (uint8_t *)&m->end[i] + END_FLAGS_AT, END_FLAGS_OCTETS);
    walk_octets(w, (uint8_t *)m + FLAGS_AT, FLAGS_OCTETS);
    walk_times(w, m);
    for (unsigned i = 0; i < 2; i++)
        walk_sender(w, &m->end[i]);
    for (unsigned i = 0; i < 2; i++)
        walk_receiver(w, &m->end[i], &m->end[!i]);
}

size_t tcpfsm_pack(const struct tcpfsm *m, uint8_t packed[TCPFSM_PACKED_MAX])
{
    struct tcpfsm copy = *m; /* the walk assigns each member what it has */
    struct walk w = { .unpacking = false, .to = packed + ELSEWHERE_OCTETS };

    walk_machine(&w, &copy);
    for (unsigned i = 0; i < ELSEWHERE_OCTETS; i++)
        packed[i] = (uint8_t)(w.elsewhere >> 8 * i);
    return (size_t)(w.to - packed);
}

size_t tcpfsm_unpack(struct tcpfsm *m, const uint8_t *packed)
{
    struct walk w = { .unpacking = true, .from = packed + ELSEWHERE_OCTETS };

    for (unsigned i = 0; i < ELSEWHERE_OCTETS; i++)
        w.elsewhere |= (uint64_t)packed[i] << 8 * i;
    memset(m, 0, sizeof *m);
    walk_machine(&w, m);
    return (size_t)(w.from - packed);
}
