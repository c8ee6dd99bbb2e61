/* segment.c
 * Finds the TCP header of a whole segment.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "segment.h"

bool segment_find(tvbuff_t *tvb, const packet_info *pinfo, struct header *h)
{
    const uint32_t reported = tvb_reported_length(tvb), captured = tvb_captured_length(tvb);

    if (pinfo->fragmented || captured < HEADER_MIN)
        return false;
    const uint32_t at_hand = captured < HEADER_MAX ? captured : HEADER_MAX;
    const uint8_t *octets = tvb_get_ptr(tvb, 0, (int)at_hand);
    const uint32_t length = (octets[HEADER_OFFSET] & 0xf0u) / 4;
    if (length < HEADER_MIN || length > reported)
        return false;
    *h = (struct header){ .octets = octets, .captured = at_hand, .payload = reported - length };
    return true;
}
