/* header.h
 * From a TCP header (RFC 9293 section 3.1) to what the machine is told of a segment.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HEADER_H
#define HEADER_H

#include "tcpfsm.h"

enum { HEADER_MIN = 20 }; /* length of the fixed part, octets */

/* Where its parts stand. */
enum {
    HEADER_SRCPORT = 0, HEADER_DSTPORT = 2,
    HEADER_SEQ = 4,
    HEADER_ACK = 8,
    HEADER_OFFSET = 12, /* in the upper half: length of the header, in units of 4 octets */
    HEADER_FLAGS = 13,
    HEADER_WINDOW = 14,
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

/* Length that the header states, octets: 0 to 60. */
static inline uint32_t header_length(const uint8_t *header)
{
    return header[HEADER_OFFSET] >> 2 & 0x3c;
}

/*
 * Reads the options that the machine needs, as far as they are captured and well formed.
 *  captured  octets of the header that were captured, HEADER_MIN at least
 */
void header_read_options(const uint8_t *header, uint32_t captured, struct tcpfsm_segment *seg);

/*
 * Reads a segment. Options are read of a SYN and a FIN only: the machine needs no others.
 *  captured  octets from the header's first that were captured, HEADER_MIN at least
 *  payload   octets that follow the header by the IP header's length, whatever was captured
 *  time_us   when it was captured, as in struct tcpfsm_segment
 *  seg       overwritten
 */
static inline void header_read(const uint8_t *header, uint32_t captured, uint32_t payload, int64_t time_us,
                               struct tcpfsm_segment *seg)
{
    *seg = (struct tcpfsm_segment){
        .time_us = time_us,
        .seq = header_number32(header + HEADER_SEQ), .ack = header_number32(header + HEADER_ACK),
        .window = header_number16(header + HEADER_WINDOW), .flags = header[HEADER_FLAGS], .len = payload,
        .wscale = TCPFSM_NO_WSCALE,
    };
    if (seg->flags & (TCP_SYN | TCP_FIN))
        header_read_options(header, captured, seg);
}

#endif
