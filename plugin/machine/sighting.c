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

enum sighting_fit sighting_pack_options(const struct header *h, struct occasion at, uint64_t later_ns,
                                        struct sighting_packed *packed)
{
    const bool syn = (h->flags & TCP_SYN) != 0;
    struct tcpfsm_segment seg = { .wscale = TCPFSM_NO_WSCALE };
    struct header as = *h;
    uint8_t *about = &packed->fixed[ABOUT];

    const bool common = header_read_options(h, &seg);
    if (syn && (h->payload > 0 || seg.fast_open))
        return SIGHTING_DOES_NOT_FIT;
    if (syn)
        as.payload = seg.mss; /* has its place */
    if (!sighting_pack_plain(as, at, later_ns, packed))
        return SIGHTING_DOES_NOT_FIT;
    if (syn)
        *about = (uint8_t)((*about & ~(0xfu << SIGHTING_WSCALE)) | pack_wscale(seg.wscale) << SIGHTING_WSCALE);
    if (seg.has_tsval) {
        packed->tsval = seg.tsval;
        *about |= SIGHTING_HAS_TSVAL;
    }
    return common ? SIGHTING_FITS : SIGHTING_IS_ODD;
}

void sighting_unpack(const struct sighting_packed *packed, int64_t from_ns, struct sighting *s)
{
    const uint8_t about = packed->fixed[ABOUT];

    *s = (struct sighting){
        .seg = header_read_fixed(packed->fixed, sighting_payload(packed)),
        .at = {
            .time_ns = sighting_time_ns(packed, from_ns), .frame = packed->frame,
            .layer = (uint8_t)(sighting_rest(packed) >> SIGHTING_LAYER),
            .sender = sighting_sender(packed), .direction = about >> SIGHTING_DIRECTION & 3,
        },
    };
    s->seg.time_us = occasion_time_us(s->at);
    s->seg.wscale = unpack_wscale(about >> SIGHTING_WSCALE);
    if (about & SIGHTING_HAS_TSVAL) {
        s->seg.has_tsval = true;
        s->seg.tsval = packed->tsval;
    }
    if (s->seg.flags & TCP_SYN) {
        s->seg.mss = sighting_payload(packed);
        s->seg.len = 0;
    }
}
