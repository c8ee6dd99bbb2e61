/* segment.c
 * From a TCP header (RFC 9293 section 3.1) to a sighting of its segment.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "segment.h"

#define HEADER_MIN 20
#define HEADER_MAX 60

enum {
    OPTION_END = 0, OPTION_NOP = 1,
    OPTION_MSS = 2,        /* RFC 9293 section 3.2 */
    OPTION_WSCALE = 3,     /* RFC 7323 section 2.2 */
    OPTION_TIMESTAMPS = 8, /* RFC 7323 section 3.2 */
    OPTION_FAST_OPEN = 34, /* RFC 7413 section 4.1.1 */
};

/* Numbers in network order. */
static uint16_t number16(const uint8_t *at)
{
    uint16_t number;

    memcpy(&number, at, sizeof number);
    return GUINT16_FROM_BE(number);
}

static uint32_t number32(const uint8_t *at)
{
    uint32_t number;

    memcpy(&number, at, sizeof number);
    return GUINT32_FROM_BE(number);
}

/* Reads options up to `end`, as far as they are well formed. */
static void read_options(const uint8_t *header, unsigned end, struct tcpfsm_segment *seg)
{
    for (unsigned at = HEADER_MIN; at < end;) {
        const uint8_t kind = header[at];
        if (kind == OPTION_END)
            return;
        if (kind == OPTION_NOP) {
            at++;
            continue;
        }
        if (at + 2 > end)
            return;
        const uint8_t length = header[at + 1], *value = header + at + 2;
        if (length < 2 || at + length > end)
            return;
        if (kind == OPTION_MSS && length == 4) {
            seg->mss = number16(value);
        } else if (kind == OPTION_WSCALE && length == 3) {
            seg->wscale = *value;
        } else if (kind == OPTION_TIMESTAMPS && length == 10) {
            seg->tsval = number32(value);
            seg->has_tsval = true;
        } else if (kind == OPTION_FAST_OPEN && length > 2) { /* without a cookie it only asks for one */
            seg->fast_open = true;
        }
        at += length;
    }
}

int64_t segment_time_ns(const nstime_t *time)
{
    const int64_t second_ns = 1000000000, most_s = INT64_MAX / second_ns - 1;
    int64_t secs = time->secs, nsecs = time->nsecs;

    if (secs > most_s || secs < -most_s) {
        secs = secs > 0 ? most_s : -most_s;
        nsecs = 0;
    }
    return secs * second_ns + nsecs;
}

bool segment_read(tvbuff_t *tvb, const packet_info *pinfo, struct sighting *s, struct segment_ports *ports)
{
    const unsigned captured = tvb_captured_length(tvb);

    if (pinfo->fragmented || captured < HEADER_MIN)
        return false;
    const uint8_t *header = tvb_get_ptr(tvb, 0, captured < HEADER_MAX ? (int)captured : HEADER_MAX);
    const unsigned length = (header[12] >> 4) * 4u, reported = tvb_reported_length(tvb);
    if (length < HEADER_MIN || length > reported)
        return false;

    ports->src = number16(header);
    ports->dst = number16(header + 2);
    *s = (struct sighting){
        .seg = {
            .seq = number32(header + 4),
            .ack = number32(header + 8),
            .flags = header[13],
            .window = number16(header + 14),
            .len = reported - length,
            .wscale = TCPFSM_NO_WSCALE,
        },
        .time_ns = segment_time_ns(&pinfo->abs_ts), .frame = pinfo->num, .layer = pinfo->curr_layer_num,
    };
    if (s->seg.flags & (TCP_SYN | TCP_FIN))
        read_options(header, length < captured ? length : captured, &s->seg);
    return true;
}
