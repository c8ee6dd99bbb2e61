/* segment.h
 * From a TCP header to a sighting of its segment.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "sighting.h"

#include <epan/packet.h>

struct segment_ports {
    uint16_t src, dst;
};

/*
 * Reads the TCP header at the start of tvb. Returns false, and leaves s and ports alone, where it is no whole
 * segment: fewer than 20 octets of header captured, a header length that cannot be, a fragment.
 *  s  of which seg.time_us, sender and direction are left to the caller: 0, 0, DIRECTION_UNKNOWN
 */
bool segment_read(tvbuff_t *tvb, const packet_info *pinfo, struct sighting *s, struct segment_ports *ports);

/* A frame's time, pinfo->abs_ts, as nanoseconds since 1970; times too far off for that are brought to its ends. */
int64_t segment_time_ns(const nstime_t *time);

#endif
