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
 * whole segment: quoted in an ICMP error, fewer than 20 octets of header captured, a header length that cannot be, a
 * fragment.
 */
static inline bool segment_find(tvbuff_t *tvb, const packet_info *pinfo, struct header *h)
{
    const uint32_t reported = tvb_reported_length(tvb), captured = tvb_captured_length(tvb);

    if (pinfo->flags.in_error_pkt || pinfo->fragmented || captured < HEADER_MIN)
        return false;
    const uint8_t *octets = tvb_get_ptr(tvb, 0, (int)captured);
    const uint32_t length = octets[HEADER_OFFSET] >> 2 & 0x3c;
    if (length < HEADER_MIN || length > reported)
        return false;
    *h = (struct header){
        .octets = octets, .captured = captured, .payload = reported - length, .flags = octets[HEADER_FLAGS],
    };
    return true;
}

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

/* The occasion of the segment that is being dissected, but for time, 0, and direction, DIRECTION_UNKNOWN. */
static inline struct occasion segment_place(const packet_info *pinfo, unsigned sender)
{
    const struct occasion at = { .frame = pinfo->num, .layer = pinfo->curr_layer_num, .sender = (uint8_t)sender };
    return at;
}

/* The same with its time. */
static inline struct occasion segment_occasion(const packet_info *pinfo, unsigned sender)
{
    struct occasion at = segment_place(pinfo, sender);

    at.time_ns = segment_time_ns(&pinfo->abs_ts);
    return at;
}

#endif
