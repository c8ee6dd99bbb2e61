/* sighting.c
 * One segment as it was captured, in few octets.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "sighting.h"

#define ABOUT (HEADER_OFFSET - HEADER_SEQ) /* in what is copied */

static uint8_t pack_wscale(uint8_t wscale)
{
    return wscale == TCPFSM_NO_WSCALE ? SIGHTING_NO_WSCALE : wscale > TCPFSM_WSCALE_MAX ? TCPFSM_WSCALE_MAX : wscale;
}

static uint8_t unpack_wscale(uint8_t packed)
{
    return packed == SIGHTING_NO_WSCALE ? TCPFSM_NO_WSCALE : packed;
}

/* Returns false if they do not fit. */
static bool pack_options(struct header h, struct sighting_packed *packed)
{
    uint8_t *about = &packed->fixed[ABOUT];
    struct tcpfsm_segment seg = { .wscale = TCPFSM_NO_WSCALE };

    header_read_options(h, &seg);
    if (seg.has_tsval) {
        packed->tsval = seg.tsval;
        *about |= SIGHTING_HAS_TSVAL;
    }
    if (h.octets[HEADER_FLAGS] & TCP_SYN) {
        uint64_t rest;
        memcpy(&rest, packed->rest, sizeof rest);
        rest |= (uint64_t)seg.mss << SIGHTING_PAYLOAD; /* there is no payload, or it does not fit */
        memcpy(packed->rest, &rest, sizeof rest);
        *about = (uint8_t)((*about & ~(0xfu << SIGHTING_WSCALE)) | pack_wscale(seg.wscale) << SIGHTING_WSCALE);
        return h.payload == 0 && !seg.fast_open;
    }
    return true;
}

bool sighting_pack(struct header h, struct occasion at, int64_t from_ns, struct sighting_packed *packed)
{
    return sighting_pack_plain(h, at, from_ns, packed) && (!sighting_has_options(h) || pack_options(h, packed));
}

void sighting_unpack(const struct sighting_packed *packed, int64_t from_ns, struct sighting *s)
{
    const uint8_t about = packed->fixed[ABOUT];
    uint64_t rest;

    memcpy(&rest, packed->rest, sizeof rest);
    const uint64_t later_ns = rest & ((UINT64_C(1) << SIGHTING_LATER_BITS) - 1);
    const uint16_t payload_or_mss = (uint16_t)(rest >> SIGHTING_PAYLOAD);
    *s = (struct sighting){
        .seg = header_read_fixed(packed->fixed, payload_or_mss),
        .at = {
            .time_ns = from_ns + (int64_t)later_ns, .frame = packed->frame, .layer = (uint8_t)(rest >> SIGHTING_LAYER),
            .sender = about & SIGHTING_SENDER, .direction = about >> SIGHTING_DIRECTION & 3,
        },
    };
    s->seg.time_us = occasion_time_us(s->at);
    s->seg.wscale = unpack_wscale(about >> SIGHTING_WSCALE);
    if (about & SIGHTING_HAS_TSVAL) {
        s->seg.has_tsval = true;
        s->seg.tsval = packed->tsval;
    }
    if (s->seg.flags & TCP_SYN) {
        s->seg.mss = payload_or_mss;
        s->seg.len = 0;
    }
}
