/* sighting_test.c
 * A sighting that waits is, when its turn comes, what it was.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "check.h"
#include "sighting.h"
#include "written_header.h"

#define FROM_NS INT64_C(1767225600000000000)

/* A segment in the middle of things, to be varied. */
static struct sighting ordinary(void)
{
    const struct sighting s = {
        .seg = { .seq = 0xfffffff0, .ack = 0x80000001, .len = 1460, .window = 501,
                 .flags = TCP_ACK, .wscale = TCPFSM_NO_WSCALE },
        .at = { .time_ns = FROM_NS + 5678, .frame = UINT32_MAX, .layer = 255, .sender = 1,
                .direction = DIRECTION_IN },
    };
    return s;
}

/* Its header is written, packed and read again. Returns false if it does not fit. */
static bool pack(const struct sighting *s, struct sighting *again)
{
    struct written_header written;
    struct sighting_packed packed;

    write_header(&written, &s->seg);
    if (!sighting_pack(written_header(&written, s->seg.len), s->at, FROM_NS, &packed))
        return false;
    memset(&written, 0xff, sizeof written); /* the header is gone when its turn comes */
    sighting_unpack(&packed, FROM_NS, again);
    return true;
}

static void same_segment(const struct tcpfsm_segment *a, const struct tcpfsm_segment *b)
{
    CHECK(a->seq == b->seq && a->ack == b->ack && a->len == b->len && a->window == b->window && a->flags == b->flags);
    CHECK(a->mss == b->mss && a->wscale == b->wscale && a->fast_open == b->fast_open);
    CHECK(a->has_tsval == b->has_tsval && a->tsval == b->tsval);
}

static void same_again(const struct sighting *s)
{
    struct sighting again;

    CHECK(pack(s, &again));
    CHECK(again.at.time_ns == s->at.time_ns && again.at.frame == s->at.frame && again.at.layer == s->at.layer);
    CHECK(again.at.sender == s->at.sender && again.at.direction == s->at.direction);
    same_segment(&again.seg, &s->seg);
}

static void is_refused(const struct sighting *s)
{
    struct sighting again;

    CHECK(!pack(s, &again));
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
            s.seg.has_tsval = (wscale & 1) && (flags & (TCP_SYN | TCP_FIN));
            s.seg.tsval = s.seg.has_tsval ? UINT32_MAX : 0;
            s.at.sender = wscale >> 1 & 1;
            s.at.direction = (uint8_t)(wscale % 3);
            same_again(&s);
        }
    }
}

/* As the machine does not look at them: those of a SYN on another segment, time stamps but on SYN and FIN. */
static void options_that_do_not_count_are_forgotten(void)
{
    struct sighting s = ordinary(), again;

    s.seg.mss = 1460;
    s.seg.wscale = 7;
    s.seg.has_tsval = s.seg.fast_open = true;
    CHECK(pack(&s, &again));
    CHECK(again.seg.mss == 0 && again.seg.wscale == TCPFSM_NO_WSCALE && !again.seg.has_tsval && !again.seg.fast_open);
    s.seg.flags = TCP_FIN | TCP_ACK;
    CHECK(pack(&s, &again));
    CHECK(again.seg.mss == 0 && again.seg.wscale == TCPFSM_NO_WSCALE && again.seg.has_tsval && !again.seg.fast_open);
}

static void a_scale_beyond_all_counts_as_the_largest(void)
{
    struct sighting s = ordinary(), again;

    s.seg.flags = TCP_SYN;
    s.seg.len = 0;
    s.seg.wscale = 15;
    CHECK(pack(&s, &again));
    CHECK(again.seg.wscale == 14);
}

static void time_is_bounded(void)
{
    struct sighting s = ordinary();

    s.at.time_ns = FROM_NS;
    same_again(&s);
    s.at.time_ns = FROM_NS + (INT64_C(1) << 40) - 1;
    same_again(&s);
    s.at.time_ns++;
    is_refused(&s);
    s.at.time_ns = FROM_NS - 1;
    is_refused(&s);
    s.at.time_ns = INT64_MIN;
    is_refused(&s);
}

static void uncommon_segments_are_refused(void)
{
    struct sighting s = ordinary();

    s.seg.len = UINT16_MAX;
    same_again(&s);
    s.seg.len++;
    is_refused(&s);
    s.seg.flags = TCP_SYN;
    s.seg.len = 0;
    s.seg.fast_open = true;
    is_refused(&s);
    s.seg.fast_open = false;
    s.seg.len = 1; /* where the MSS has its place */
    is_refused(&s);
}

int main(void)
{
    CHECK(sizeof(struct sighting_packed) == 28);
    every_kind_of_segment();
    options_that_do_not_count_are_forgotten();
    a_scale_beyond_all_counts_as_the_largest();
    time_is_bounded();
    uncommon_segments_are_refused();
    return 0;
}
