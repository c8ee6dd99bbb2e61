/* header.c
 * From a TCP header to what the machine is told of a segment.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "header.h"

enum {
    OPTION_END = 0, OPTION_NOP = 1,
    OPTION_MSS = 2,            /* RFC 9293 section 3.2 */
    OPTION_WSCALE = 3,         /* RFC 7323 section 2.2 */
    OPTION_SACK_PERMITTED = 4, /* RFC 2018 section 2 */
    OPTION_TIMESTAMPS = 8,     /* RFC 7323 section 3.2 */
    OPTION_FAST_OPEN = 34,     /* RFC 7413 section 4.1.1 */
};

/* One of a kind that is as long as its kind is. */
#define OPTION(kind, size) ((unsigned)(kind) << 8 | (size))

bool header_read_options(const struct header *h, struct tcpfsm_segment *seg)
{
    const unsigned length = h->octets[HEADER_OFFSET] >> 2 & 0x3c;
    const uint8_t *at = h->octets + HEADER_MIN;
    unsigned left = (length < h->captured ? length : h->captured) - HEADER_MIN;
    bool common = length <= h->captured;

    while (left > 0) {
        const unsigned kind = at[0];
        unsigned size = 1;
        if (kind > OPTION_NOP) {
            if (left < 2 || at[1] - 2u > left - 2)
                return false;
            size = at[1];
            switch (OPTION(kind, size)) {
            case OPTION(OPTION_MSS, 4):
                seg->mss = header_number16(at + 2);
                break;
            case OPTION(OPTION_WSCALE, 3):
                seg->wscale = at[2];
                break;
            case OPTION(OPTION_SACK_PERMITTED, 2):
                break;
            case OPTION(OPTION_TIMESTAMPS, 10):
                seg->tsval = header_number32(at + 2);
                seg->has_tsval = true;
                break;
            default:
                common = false;
                if (kind == OPTION_FAST_OPEN && size > 2) /* without a cookie it only asks for one */
                    seg->fast_open = true;
            }
        } else if (kind == OPTION_END) {
            return common;
        }
        at += size;
        left -= size;
    }
    return common;
}

struct tcpfsm_segment header_read(const struct header *h)
{
    struct tcpfsm_segment seg = header_read_fixed(h->octets + HEADER_SEQ, h->payload);

    if (seg.flags & (TCP_SYN | TCP_FIN))
        header_read_options(h, &seg);
    return seg;
}
