/* stream.h
 * Octets read as a stream of TCP segments: plausible ones near the numbers that both ends are at, so that
 * every state is reached, and a share of wild ones. Any octets have a meaning, none is an error.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef STREAM_H
#define STREAM_H

#include "tcpfsm.h"

#include <stddef.h>

/* One captured segment. */
struct stream_segment {
    struct tcpfsm_segment seg;
    uint32_t frame;      /* from 1, rises or stays */
    uint8_t  layer;      /* rises while the frame stays */
    uint8_t  sender;     /* index of the end that sent it */
};

#define STREAM_REMEMBERED 16 /* segments that may come again */

/* The generator's own idea of both ends: no state machine, just numbers. Fill with stream_begin. */
struct stream {
    const uint8_t *data;
    size_t size;
    struct {
        uint32_t iss, nxt; /* next number to send */
        uint32_t told;     /* latest acknowledgement */
    } end[2];
    struct stream_segment remembered[STREAM_REMEMBERED];
    unsigned count; /* of all remembered so far */
    int64_t  time_us;
    uint32_t frame, tsval;
    uint8_t  layer;
};

/* The data must stay as long as the stream is read. */
void stream_begin(struct stream *s, const uint8_t *data, size_t size);

/* The next segment. Returns false at the end of the data. */
bool stream_next(struct stream *s, struct stream_segment *out);

#endif
