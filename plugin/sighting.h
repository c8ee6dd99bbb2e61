/* sighting.h
 * One segment as it was captured: all that the states depend on, so that a connection can be followed at any time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SIGHTING_H
#define SIGHTING_H

#include "tcpfsm.h"

/* Where a segment was going, seen from the machine that captured it. */
enum direction { DIRECTION_UNKNOWN, DIRECTION_OUT, DIRECTION_IN };

struct sighting {
    struct tcpfsm_segment seg; /* its time is set when the machine is to have it: sighting_time_us() */
    int64_t  time_ns;          /* when it was captured, nanoseconds since 1970 */
    uint32_t frame;            /* number of its frame, from 1 */
    uint8_t  layer;            /* which of several segments in that frame: number of its protocol layer */
    uint8_t  sender;           /* index of the end that sent it, 0 or 1 */
    uint8_t  direction;        /* enum direction; of a connection's first segment and of a SYN */
};

/* The same time, as the machine reads it. */
static inline int64_t sighting_time_us(const struct sighting *s)
{
    return s->time_ns / 1000;
}

/* A sighting in 28 octets. Valid in the process that made it. */
struct sighting_packed {
    uint32_t later_ns_low;     /* time since that from which it is counted, 40 bits: 18 minutes */
    uint8_t  later_ns_high;
    uint8_t  flags;            /* TCP_FIN, TCP_SYN, TCP_RST, TCP_ACK, and in the rest a SYN's window scale */
    uint16_t len_or_mss;       /* of a SYN: its MSS option */
    uint32_t frame, seq, ack, tsval;
    uint16_t window;
    uint8_t  layer;
    uint8_t  sender : 1;
    uint8_t  has_tsval : 1;
    uint8_t  direction : 2;
};

/*
 * Whether a sighting can be packed.
 *  from_ns  time from which its time is counted, here and below
 * Not so if it is earlier than that, or much later, or an uncommon segment.
 */
static inline bool sighting_fits(const struct sighting *s, int64_t from_ns)
{
    const uint64_t later_ns = (uint64_t)s->time_ns - (uint64_t)from_ns;

    return later_ns >> 40 == 0 && !s->seg.fast_open && s->seg.len <= (s->seg.flags & TCP_SYN ? 0u : UINT16_MAX);
}

/* Packs a sighting that fits. */
void sighting_pack(const struct sighting *s, int64_t from_ns, struct sighting_packed *packed);

/* What sighting_pack was given, but for flags that the machine does not look at; seg.time_us is not set. */
void sighting_unpack(const struct sighting_packed *packed, int64_t from_ns, struct sighting *s);

#endif
