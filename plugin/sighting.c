/* sighting.c
 * One segment as it was captured, in few octets.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "sighting.h"

/* Flags and window scale share an octet: the flags that matter lie in bits 0 to 2 and 4. */
enum { FLAGS = TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK };
#define WSCALE_NONE (TCPFSM_WSCALE_MAX + 1)

static uint8_t pack_wscale(uint8_t wscale)
{
    const unsigned packed = wscale == TCPFSM_NO_WSCALE ? WSCALE_NONE
        : wscale > TCPFSM_WSCALE_MAX ? TCPFSM_WSCALE_MAX : wscale;

    return (uint8_t)((packed & 1) << 3 | packed >> 1 << 5);
}

static uint8_t unpack_wscale(uint8_t flags)
{
    const unsigned wscale = (flags >> 3 & 1) | flags >> 5 << 1;

    return wscale == WSCALE_NONE ? TCPFSM_NO_WSCALE : (uint8_t)wscale;
}

void sighting_pack(const struct sighting *s, int64_t from_ns, struct sighting_packed *packed)
{
    const struct tcpfsm_segment *seg = &s->seg;
    const bool syn = seg->flags & TCP_SYN;
    const uint64_t later_ns = (uint64_t)s->time_ns - (uint64_t)from_ns;

    *packed = (struct sighting_packed){
        .later_ns_low = (uint32_t)later_ns, .later_ns_high = (uint8_t)(later_ns >> 32),
        .flags = (seg->flags & FLAGS) | (syn ? pack_wscale(seg->wscale) : 0),
        .len_or_mss = syn ? seg->mss : (uint16_t)seg->len,
        .frame = s->frame, .seq = seg->seq, .ack = seg->ack, .tsval = seg->tsval, .window = seg->window,
        .layer = s->layer, .sender = s->sender & 1, .has_tsval = seg->has_tsval, .direction = s->direction & 3,
    };
}

void sighting_unpack(const struct sighting_packed *packed, int64_t from_ns, struct sighting *s)
{
    const bool syn = packed->flags & TCP_SYN;
    const uint64_t later_ns = (uint64_t)packed->later_ns_high << 32 | packed->later_ns_low;

    *s = (struct sighting){
        .seg = {
            .seq = packed->seq, .ack = packed->ack, .len = syn ? 0 : packed->len_or_mss,
            .tsval = packed->tsval, .window = packed->window, .mss = syn ? packed->len_or_mss : 0,
            .flags = packed->flags & FLAGS, .wscale = syn ? unpack_wscale(packed->flags) : TCPFSM_NO_WSCALE,
            .has_tsval = packed->has_tsval,
        },
        .time_ns = from_ns + (int64_t)later_ns, .frame = packed->frame, .layer = packed->layer,
        .sender = packed->sender, .direction = packed->direction,
    };
}
