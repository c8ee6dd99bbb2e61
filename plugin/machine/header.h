/* header.h
 * The TCP header of a segment, RFC 9293 section 3.1.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HEADER_H
#define HEADER_H

#include "tcpfsm.h"

enum { HEADER_MIN = 20, HEADER_MAX = 60 }; /* its length, octets */

/* Where its parts stand. */
enum {
    HEADER_SRCPORT = 0, HEADER_DSTPORT = 2,
    HEADER_SEQ = 4,
    HEADER_ACK = 8,
    HEADER_OFFSET = 12, /* in the upper half: its length, in units of 4 octets */
    HEADER_FLAGS = 13,
    HEADER_WINDOW = 14,
};

/* The header of a whole segment. Valid as long as its octets. */
struct header {
    const uint8_t *octets; /* `captured` of them, HEADER_MIN at least */
    uint32_t captured;     /* options are read up to there */
    uint32_t payload;      /* octets that follow the header by the IP header's length, whatever was captured */
    uint8_t  flags;        /* octets[HEADER_FLAGS] */
};

/* Number that stands there, in network order. */
static inline uint32_t header_number32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint16_t header_number16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/*
 * Reads the part of fixed length.
 *  from_seq  the header, from its sequence number to its window
 * Returns all but time_us; those members that options would set say that there are none.
 */
static inline struct tcpfsm_segment header_read_fixed(const uint8_t *from_seq, uint32_t payload)
{
    const struct tcpfsm_segment seg = {
        .seq = header_number32(from_seq), .ack = header_number32(from_seq + HEADER_ACK - HEADER_SEQ),
        .window = header_number16(from_seq + HEADER_WINDOW - HEADER_SEQ),
        .flags = from_seq[HEADER_FLAGS - HEADER_SEQ], .len = payload, .wscale = TCPFSM_NO_WSCALE,
    };
    return seg;
}

/* Whether all that it has of options is time stamps, laid out as RFC 7323 appendix A recommends. */
static inline bool header_has_timestamps_alone(struct header h)
{
    return h.octets[HEADER_OFFSET] >> 4 == (HEADER_MIN + 12) / 4 && h.captured >= HEADER_MIN + 12
        && header_number32(h.octets + HEADER_MIN) == 0x0101080a; /* NOP, NOP, time stamps, ten octets */
}

/* The time stamp of such a header. */
static inline uint32_t header_tsval_alone(struct header h)
{
    return header_number32(h.octets + HEADER_MIN + 4);
}

/*
 * Reads the options that the machine wants to know of, as far as they are well formed.
 * Returns whether all are common, well formed and captured: those of RFC 9293, RFC 7323, and SACK permitted (RFC 2018).
 */
bool header_read_options(const struct header *h, struct tcpfsm_segment *seg);

/* Reads a segment: all but time_us. */
struct tcpfsm_segment header_read(const struct header *h);

#endif
