/* segment.h
 * The header of a segment in a packet, and the occasion.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "sighting.h"

#include <epan/packet.h>

/*
 * Finds the TCP header at the start of tvb; valid as long as the packet is dissected. Returns false where it is no
 * whole segment: fewer than 20 octets of header captured, a header length that cannot be, a fragment.
 */
bool segment_find(tvbuff_t *tvb, const packet_info *pinfo, struct header *h);

/* A frame's time, pinfo->abs_ts, as nanoseconds since 1970; times too far off for that are brought to its ends. */
static inline int64_t segment_time_ns(const nstime_t *time)
{
    const int64_t second_ns = 1000000000, most_s = INT64_MAX / second_ns - 1;
    int64_t secs = time->secs, nsecs = time->nsecs;

    if (secs > most_s || secs < -most_s) {
        secs = secs > 0 ? most_s : -most_s;
        nsecs = 0;
    }
    return secs * second_ns + nsecs;
}

/* The occasion of the segment that is being dissected. Its direction is left to the caller: DIRECTION_UNKNOWN. */
static inline struct occasion segment_occasion(const packet_info *pinfo, unsigned sender)
{
    const struct occasion at = {
        .time_ns = segment_time_ns(&pinfo->abs_ts), .frame = pinfo->num, .layer = pinfo->curr_layer_num,
        .sender = (uint8_t)sender,
    };
    return at;
}

#endif
