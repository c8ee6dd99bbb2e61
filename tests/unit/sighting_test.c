/* sighting_test.c
 * A sighting that waits is, when its turn comes, what it was.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "sighting.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

#define FROM_NS INT64_C(1767225600000000000)

/* A segment in the middle of things, to be varied. */
static struct sighting ordinary(void)
{
    const struct sighting s = {
        .seg = { .seq = 0xfffffff0, .ack = 0x80000001, .len = 1460, .window = 501,
                 .flags = TCP_ACK, .wscale = TCPFSM_NO_WSCALE },
        .time_ns = FROM_NS + 5678, .frame = UINT32_MAX, .layer = 255, .sender = 1, .direction = DIRECTION_IN,
    };
    return s;
}

static void same_again(const struct sighting *s)
{
    struct sighting_packed packed;
    struct sighting again;

    CHECK(sighting_fits(s, FROM_NS));
    sighting_pack(s, FROM_NS, &packed);
    sighting_unpack(&packed, FROM_NS, &again);
    CHECK(again.time_ns == s->time_ns && again.frame == s->frame && again.layer == s->layer);
    CHECK(again.sender == s->sender && again.direction == s->direction);
    CHECK(again.seg.seq == s->seg.seq && again.seg.ack == s->seg.ack && again.seg.len == s->seg.len);
    CHECK(again.seg.window == s->seg.window && again.seg.mss == s->seg.mss && again.seg.wscale == s->seg.wscale);
    CHECK(again.seg.tsval == s->seg.tsval && again.seg.has_tsval == s->seg.has_tsval && !again.seg.fast_open);
    CHECK(again.seg.flags == (s->seg.flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)));
}

static void is_refused(const struct sighting *s)
{
    CHECK(!sighting_fits(s, FROM_NS));
}

static void every_kind_of_segment(void)
{
    for (unsigned flags = 0; flags <= UINT8_MAX; flags++) {
        struct sighting s = ordinary();
        s.seg.flags = (uint8_t)flags;
        if (flags & TCP_SYN)
            s.seg.len = 0;
        for (unsigned wscale = 0; wscale <= 15; wscale++) {
            s.seg.wscale = wscale == 15 || !(flags & TCP_SYN) ? TCPFSM_NO_WSCALE : (uint8_t)wscale;
            s.seg.mss = flags & TCP_SYN ? 1460 : 0;
            s.seg.has_tsval = wscale & 1;
            s.seg.tsval = s.seg.has_tsval ? UINT32_MAX : 0;
            s.sender = wscale >> 1 & 1;
            s.direction = (uint8_t)(wscale % 3);
            same_again(&s);
        }
    }
}

static void a_scale_beyond_all_counts_as_the_largest(void)
{
    struct sighting s = ordinary(), again;
    struct sighting_packed packed;

    s.seg.flags = TCP_SYN;
    s.seg.len = 0;
    s.seg.wscale = 15;
    CHECK(sighting_fits(&s, FROM_NS));
    sighting_pack(&s, FROM_NS, &packed);
    sighting_unpack(&packed, FROM_NS, &again);
    CHECK(again.seg.wscale == 14);
}

static void time_is_bounded(void)
{
    struct sighting s = ordinary();

    s.time_ns = FROM_NS;
    same_again(&s);
    s.time_ns = FROM_NS + (INT64_C(1) << 40) - 1;
    same_again(&s);
    s.time_ns++;
    is_refused(&s);
    s.time_ns = FROM_NS - 1;
    is_refused(&s);
    s.time_ns = INT64_MIN;
    is_refused(&s);
}

static void uncommon_segments_are_refused(void)
{
    struct sighting s = ordinary();

    s.seg.len = UINT16_MAX;
    same_again(&s);
    s.seg.len++;
    is_refused(&s);
    s.seg.len = 0;
    s.seg.fast_open = true;
    is_refused(&s);
    s.seg.fast_open = false;
    s.seg.flags = TCP_SYN;
    s.seg.len = 1; /* where the MSS has its place */
    is_refused(&s);
}

int main(void)
{
    CHECK(sizeof(struct sighting_packed) == 28);
    every_kind_of_segment();
    a_scale_beyond_all_counts_as_the_largest();
    time_is_bounded();
    uncommon_segments_are_refused();
    return 0;
}
