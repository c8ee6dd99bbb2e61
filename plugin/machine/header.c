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
    OPTION_TIMESTAMPS = 8,     /* RFC 7323 section 3.2 */
    OPTION_FAST_OPEN = 34,     /* RFC 7413 section 4.1.1 */
};

static void read_option(const uint8_t *option, unsigned size, struct tcpfsm_segment *seg)
{
    const uint8_t *value = option + 2;

    switch (option[0]) {
    case OPTION_MSS:
        if (size == 4)
            seg->mss = header_number16(value);
        break;
    case OPTION_WSCALE:
        if (size == 3)
            seg->wscale = *value;
        break;
    case OPTION_TIMESTAMPS:
        if (size == 10) {
            seg->tsval = header_number32(value);
            seg->has_tsval = true;
        }
        break;
    case OPTION_FAST_OPEN:
        seg->fast_open |= size > 2; /* without a cookie it only asks for one */
        break;
    default:
        break;
    }
}

void header_read_options(const uint8_t *header, uint32_t captured, struct tcpfsm_segment *seg)
{
    const uint32_t length = header_length(header);
    uint32_t left = (length < captured ? length : captured) - HEADER_MIN;
    const uint8_t *at = header + HEADER_MIN;

    seg->options_cut = length > captured;
    while (left > 0 && at[0] != OPTION_END) {
        uint32_t size = 1;
        if (at[0] != OPTION_NOP) {
            if (left < 2 || at[1] < 2 || at[1] > left)
                return; /* malformed, or cut off */
            size = at[1];
            read_option(at, size, seg);
        }
        at += size;
        left -= size;
    }
}
