/* sighting.h
 * One segment as it was captured: all that the states depend on, so that a connection can be followed at any time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SIGHTING_H
#define SIGHTING_H

#include "header.h"

#include <string.h>

/* Where a segment was going, seen from the machine that captured it. */
enum direction { DIRECTION_UNKNOWN, DIRECTION_OUT, DIRECTION_IN };

/* When and where it was captured, and whose it is. Small enough to be handed on in registers. */
struct occasion {
    int64_t  time_ns;   /* nanoseconds since 1970 */
    uint32_t frame;     /* number of its frame, from 1 */
    uint8_t  layer;     /* which of several segments in that frame: number of its protocol layer */
    uint8_t  sender;    /* index of the end that sent it, 0 or 1 */
    uint8_t  direction; /* enum direction; of a connection's first segment and of a SYN */
};

struct sighting {
    struct tcpfsm_segment seg;
    struct occasion at;
};

/* The time of an occasion, as the machine reads it. */
static inline int64_t occasion_time_us(struct occasion at)
{
    return at.time_ns / 1000;
}

/* A sighting in 28 octets, made with the least work: most of them are copied. Valid in the process that made it. */
struct sighting_packed {
    uint8_t  fixed[12]; /* octets of the header from the sequence number to the window, but for the data offset */
    uint32_t frame;
    uint32_t tsval;     /* if it has one */
    uint32_t rest[2];   /* one number of 64 bits */
};

enum {
    /* In `rest`, bits from the least on. */
    SIGHTING_LATER_BITS = 40, /* nanoseconds since the time from which they are counted: 18 minutes */
    SIGHTING_LAYER = 40,      /* from this bit on, 8 bits */
    SIGHTING_PAYLOAD = 48,    /* from this bit on, 16 bits: octets; of a SYN, which has none, its MSS option */
    /* In `fixed`, where a header has its data offset. */
    SIGHTING_SENDER = 0x01,
    SIGHTING_HAS_TSVAL = 0x02,
    SIGHTING_DIRECTION = 2,   /* from this bit on, 2 bits */
    SIGHTING_WSCALE = 4,      /* from this bit on, 4 bits */
    SIGHTING_NO_WSCALE = TCPFSM_WSCALE_MAX + 1,
};

/* Whether the header has options that are packed: of others there is no need to know. */
static inline bool sighting_has_options(struct header h)
{
    const uint8_t flags = h.octets[HEADER_FLAGS];

    return (flags & TCP_SYN) || ((flags & TCP_FIN) && h.octets[HEADER_OFFSET] >> 4 > HEADER_MIN / 4);
}

/*
 * Packs the sighting of a header that has none.
 *  from_ns  time from which its time is counted, here and below
 * Returns false if it does not fit: it is earlier than that, or much later, or has a large payload.
 */
static inline bool sighting_pack_plain(struct header h, struct occasion at, int64_t from_ns,
                                       struct sighting_packed *packed)
{
    const uint64_t later_ns = (uint64_t)at.time_ns - (uint64_t)from_ns;
    const uint64_t rest = later_ns | (uint64_t)at.layer << SIGHTING_LAYER | (uint64_t)h.payload << SIGHTING_PAYLOAD;

    if ((later_ns >> SIGHTING_LATER_BITS | h.payload >> 16) != 0)
        return false;
    memcpy(packed->fixed, h.octets + HEADER_SEQ, sizeof packed->fixed);
    packed->fixed[HEADER_OFFSET - HEADER_SEQ] =
        (uint8_t)(at.sender | at.direction << SIGHTING_DIRECTION | SIGHTING_NO_WSCALE << SIGHTING_WSCALE);
    packed->frame = at.frame;
    memcpy(packed->rest, &rest, sizeof packed->rest);
    return true;
}

/* The same, with options or without. Does not fit either: a SYN with data or a Fast Open cookie. */
bool sighting_pack(struct header h, struct occasion at, int64_t from_ns, struct sighting_packed *packed);

/* The sighting that was packed. */
void sighting_unpack(const struct sighting_packed *packed, int64_t from_ns, struct sighting *s);

#endif
