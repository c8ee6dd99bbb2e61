/* segment.c
 * From a TCP header (RFC 9293 section 3.1) to the machine's segment.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "segment.h"

#define HEADER_MIN 20

enum {
    OPTION_END = 0, OPTION_NOP = 1,
    OPTION_MSS = 2,        /* RFC 9293 section 3.2 */
    OPTION_WSCALE = 3,     /* RFC 7323 section 2.2 */
    OPTION_TIMESTAMPS = 8, /* RFC 7323 section 3.2 */
    OPTION_FAST_OPEN = 34, /* RFC 7413 section 4.1.1 */
};

/* Reads options up to `end`, as far as they are well formed. */
static void read_options(tvbuff_t *tvb, int end, struct tcpfsm_segment *seg)
{
    for (int at = HEADER_MIN; at < end;) {
        const uint8_t kind = tvb_get_uint8(tvb, at);
        if (kind == OPTION_END)
            return;
        if (kind == OPTION_NOP) {
            at++;
            continue;
        }
        if (at + 2 > end)
            return;
        const uint8_t length = tvb_get_uint8(tvb, at + 1);
        if (length < 2 || at + length > end)
            return;
        if (kind == OPTION_MSS && length == 4) {
            seg->mss = tvb_get_ntohs(tvb, at + 2);
        } else if (kind == OPTION_WSCALE && length == 3) {
            seg->wscale = tvb_get_uint8(tvb, at + 2);
        } else if (kind == OPTION_TIMESTAMPS && length == 10) {
            seg->tsval = tvb_get_ntohl(tvb, at + 2);
            seg->has_tsval = true;
        } else if (kind == OPTION_FAST_OPEN && length > 2) { /* without a cookie it only asks for one */
            seg->fast_open = true;
        }
        at += length;
    }
}

int64_t segment_time_ns(const packet_info *pinfo)
{
    const int64_t second_ns = 1000000000, most_s = INT64_MAX / second_ns - 1;
    int64_t secs = pinfo->abs_ts.secs, nsecs = pinfo->abs_ts.nsecs;

    if (secs > most_s || secs < -most_s) {
        secs = secs > 0 ? most_s : -most_s;
        nsecs = 0;
    }
    return secs * second_ns + nsecs;
}

bool segment_read(tvbuff_t *tvb, const packet_info *pinfo, struct tcpfsm_segment *seg)
{
    const int captured = (int)tvb_captured_length(tvb);

    if (pinfo->fragmented || captured < HEADER_MIN)
        return false;
    const int header = (tvb_get_uint8(tvb, 12) >> 4) * 4;
    const int reported = (int)tvb_reported_length(tvb);
    if (header < HEADER_MIN || header > reported)
        return false;

    *seg = (struct tcpfsm_segment){
        .time_us = segment_time_ns(pinfo) / 1000,
        .seq = tvb_get_ntohl(tvb, 4),
        .ack = tvb_get_ntohl(tvb, 8),
        .flags = tvb_get_uint8(tvb, 13),
        .window = tvb_get_ntohs(tvb, 14),
        .len = (uint32_t)(reported - header),
        .wscale = TCPFSM_NO_WSCALE,
    };
    if (seg->flags & (TCP_SYN | TCP_FIN))
        read_options(tvb, header < captured ? header : captured, seg);
    return true;
}
