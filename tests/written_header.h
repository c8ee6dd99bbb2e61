/* written_header.h
 * Writes the TCP header of a segment, as a capture would have it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WRITTEN_HEADER_H
#define WRITTEN_HEADER_H

#include "header.h"

#include <string.h>

struct written_header {
    uint8_t octets[HEADER_MAX];
    unsigned count; /* of them; a multiple of 4 */
};

static inline void write_number(uint8_t *at, unsigned size, uint32_t number)
{
    while (size-- > 0) {
        at[size] = (uint8_t)number;
        number >>= 8;
    }
}

/* Appends an option whose value has so many octets. Returns where the value is to be written. */
static inline uint8_t *write_option(struct written_header *w, uint8_t kind, unsigned size)
{
    uint8_t *at = w->octets + w->count;

    at[0] = kind;
    at[1] = (uint8_t)(size + 2);
    w->count += size + 2;
    return at + 2;
}

/*
 * Ports are 0 and the checksum is. Options are written as far as the segment has them, whatever its flags; time stamps,
 * if it has but these, as RFC 7323 appendix A recommends.
 */
static inline void write_header(struct written_header *w, const struct tcpfsm_segment *seg)
{
    memset(w, 0, sizeof *w);
    w->count = HEADER_MIN;
    write_number(w->octets + HEADER_SEQ, 4, seg->seq);
    write_number(w->octets + HEADER_ACK, 4, seg->ack);
    w->octets[HEADER_FLAGS] = seg->flags;
    write_number(w->octets + HEADER_WINDOW, 2, seg->window);
    if (seg->mss != 0)
        write_number(write_option(w, 2, 2), 2, seg->mss);
    if (seg->wscale != TCPFSM_NO_WSCALE)
        *write_option(w, 3, 1) = seg->wscale;
    if (seg->has_tsval && w->count == HEADER_MIN && !seg->fast_open) {
        w->octets[w->count++] = 1;
        w->octets[w->count++] = 1;
    }
    if (seg->has_tsval)
        write_number(write_option(w, 8, 8), 4, seg->tsval);
    if (seg->fast_open)
        write_option(w, 34, 4);
    w->count = (w->count + 3) / 4 * 4; /* the rest is zero, the option that ends the list */
    w->octets[HEADER_OFFSET] = (uint8_t)(w->count / 4 << 4);
}

/* Valid as long as what was written. */
static inline struct header written_header(const struct written_header *w, uint32_t payload)
{
    const struct header h = {
        .octets = w->octets, .captured = w->count, .payload = payload, .flags = w->octets[HEADER_FLAGS],
    };
    return h;
}

#endif
