/* header.c
 * From a TCP header to what the machine is told of a segment.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "header.h"

enum {
    OPTION_END = 0, OPTION_NOP = 1,
    OPTION_MSS = 2,        /* RFC 9293 section 3.2 */
    OPTION_WSCALE = 3,     /* RFC 7323 section 2.2 */
    OPTION_TIMESTAMPS = 8, /* RFC 7323 section 3.2 */
    OPTION_FAST_OPEN = 34, /* RFC 7413 section 4.1.1 */
};

void header_read_options(struct header h, struct tcpfsm_segment *seg)
{
    const unsigned length = (h.octets[HEADER_OFFSET] >> 4) * 4u;
    const unsigned end = length < h.captured ? length : h.captured;

    for (unsigned at = HEADER_MIN; at < end;) {
        const uint8_t kind = h.octets[at];
        if (kind == OPTION_END)
            return;
        if (kind == OPTION_NOP) {
            at++;
            continue;
        }
        if (at + 2 > end)
            return;
        const uint8_t size = h.octets[at + 1], *value = h.octets + at + 2;
        if (size < 2 || at + size > end)
            return;
        if (kind == OPTION_MSS && size == 4) {
            seg->mss = header_number16(value);
        } else if (kind == OPTION_WSCALE && size == 3) {
            seg->wscale = *value;
        } else if (kind == OPTION_TIMESTAMPS && size == 10) {
            seg->tsval = header_number32(value);
            seg->has_tsval = true;
        } else if (kind == OPTION_FAST_OPEN && size > 2) { /* without a cookie it only asks for one */
            seg->fast_open = true;
        }
        at += size;
    }
}

struct tcpfsm_segment header_read(struct header h)
{
    struct tcpfsm_segment seg = header_read_fixed(h.octets + HEADER_SEQ, h.payload);

    if (seg.flags & (TCP_SYN | TCP_FIN))
        header_read_options(h, &seg);
    return seg;
}
