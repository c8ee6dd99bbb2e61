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

#define SIGHTING_LATER_END (UINT64_C(1) << SIGHTING_LATER_BITS)

/* Whether the header has options that are packed: of others there is no need to know. */
static inline bool sighting_has_options(struct header h)
{
    return (h.flags & TCP_SYN) || ((h.flags & TCP_FIN) && h.octets[HEADER_OFFSET] >> 4 > HEADER_MIN / 4);
}

/*
 * Packs the sighting of a header that has none.
 *  at        of which the time is not looked at
 *  later_ns  how much later it is than the time from which theirs is counted, less than SIGHTING_LATER_END
 * Returns false if it does not fit: it has a large payload.
 */
static inline bool sighting_pack_plain(struct header h, struct occasion at, uint64_t later_ns,
                                       struct sighting_packed *packed)
{
    const uint64_t rest = later_ns | (uint64_t)at.layer << SIGHTING_LAYER | (uint64_t)h.payload << SIGHTING_PAYLOAD;

    if (h.payload > UINT16_MAX)
        return false;
    memcpy(packed->fixed, h.octets + HEADER_SEQ, sizeof packed->fixed);
    packed->fixed[HEADER_OFFSET - HEADER_SEQ] =
        (uint8_t)(at.sender | at.direction << SIGHTING_DIRECTION | SIGHTING_NO_WSCALE << SIGHTING_WSCALE);
    packed->frame = at.frame;
    memcpy(packed->rest, &rest, sizeof packed->rest);
    return true;
}

enum sighting_fit {
    SIGHTING_DOES_NOT_FIT = 0,
    SIGHTING_IS_ODD, /* it fits, but has options that header_read_options() does not call common */
    SIGHTING_FITS,
};

/* The same of a header that has some. Does not fit either: a SYN with data or a Fast Open cookie. */
enum sighting_fit sighting_pack_options(const struct header *h, struct occasion at, uint64_t later_ns,
                                        struct sighting_packed *packed);

/* The same of any header. */
static inline enum sighting_fit sighting_pack(const struct header *h, struct occasion at, uint64_t later_ns,
                                              struct sighting_packed *packed)
{
    if (!sighting_has_options(*h))
        return sighting_pack_plain(*h, at, later_ns, packed) ? SIGHTING_FITS : SIGHTING_DOES_NOT_FIT;
    if (!(h->flags & TCP_SYN) && header_has_timestamps_alone(*h)) { /* as a FIN most often has them */
        if (!sighting_pack_plain(*h, at, later_ns, packed))
            return SIGHTING_DOES_NOT_FIT;
        packed->tsval = header_tsval_alone(*h);
        packed->fixed[HEADER_OFFSET - HEADER_SEQ] |= SIGHTING_HAS_TSVAL;
        return SIGHTING_FITS;
    }
    return sighting_pack_options(h, at, later_ns, packed);
}

/* ------------------------------------------------------------------ of one that was packed */

static inline uint64_t sighting_rest(const struct sighting_packed *packed)
{
    uint64_t rest;

    memcpy(&rest, packed->rest, sizeof rest);
    return rest;
}

/* Has its time counted from another time. */
static inline void sighting_set_later(struct sighting_packed *packed, uint64_t later_ns)
{
    const uint64_t rest = (sighting_rest(packed) & ~(SIGHTING_LATER_END - 1)) | later_ns;

    memcpy(packed->rest, &rest, sizeof packed->rest);
}

/* Index of the end that sent it. */
static inline uint8_t sighting_sender(const struct sighting_packed *packed)
{
    return packed->fixed[HEADER_OFFSET - HEADER_SEQ] & SIGHTING_SENDER;
}

/* When it was captured, if its time is counted from from_ns. */
static inline int64_t sighting_time_ns(const struct sighting_packed *packed, int64_t from_ns)
{
    return from_ns + (int64_t)(sighting_rest(packed) & (SIGHTING_LATER_END - 1));
}

/* Octets of its payload, if it is not a SYN; or its MSS option. */
static inline uint16_t sighting_payload(const struct sighting_packed *packed)
{
    return (uint16_t)(sighting_rest(packed) >> SIGHTING_PAYLOAD);
}

/* All of it. Its time is counted from from_ns. */
void sighting_unpack(const struct sighting_packed *packed, int64_t from_ns, struct sighting *s);

#endif
