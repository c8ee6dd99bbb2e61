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

/* Its header is written, packed and read again. */
static enum sighting_fit pack(const struct sighting *s, struct sighting *again)
{
    struct written_header written;
    struct sighting_packed packed;

    write_header(&written, &s->seg);
    const struct header h = written_header(&written, s->seg.len);
    const enum sighting_fit fit = sighting_pack(&h, s->at, (uint64_t)(s->at.time_ns - FROM_NS), &packed);
    memset(&written, 0xff, sizeof written); /* the header is gone when its turn comes */
    if (fit != SIGHTING_DOES_NOT_FIT)
        sighting_unpack(&packed, FROM_NS, again);
    return fit;
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

    CHECK(pack(s, &again) == SIGHTING_FITS);
    CHECK(again.at.time_ns == s->at.time_ns && again.at.frame == s->at.frame && again.at.layer == s->at.layer);
    CHECK(again.at.sender == s->at.sender && again.at.direction == s->at.direction);
    same_segment(&again.seg, &s->seg);
}

static void is_refused(const struct sighting *s)
{
    struct sighting again;

    CHECK(pack(s, &again) == SIGHTING_DOES_NOT_FIT);
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
    CHECK(pack(&s, &again) != SIGHTING_DOES_NOT_FIT);
    CHECK(again.seg.mss == 0 && again.seg.wscale == TCPFSM_NO_WSCALE && !again.seg.has_tsval && !again.seg.fast_open);
    s.seg.flags = TCP_FIN | TCP_ACK;
    CHECK(pack(&s, &again) != SIGHTING_DOES_NOT_FIT);
    CHECK(again.seg.mss == 0 && again.seg.wscale == TCPFSM_NO_WSCALE && again.seg.has_tsval && !again.seg.fast_open);
}

static void time_stamps_alone_count_on_a_fin(void)
{
    struct sighting s = ordinary(), again;

    s.seg.has_tsval = true;
    s.seg.tsval = 9;
    CHECK(pack(&s, &again) == SIGHTING_FITS && !again.seg.has_tsval);
    s.seg.flags = TCP_FIN | TCP_ACK;
    CHECK(pack(&s, &again) == SIGHTING_FITS && again.seg.has_tsval && again.seg.tsval == 9);
}

static void a_scale_beyond_all_counts_as_the_largest(void)
{
    struct sighting s = ordinary(), again;

    s.seg.flags = TCP_SYN;
    s.seg.len = 0;
    s.seg.wscale = 15;
    CHECK(pack(&s, &again) != SIGHTING_DOES_NOT_FIT);
    CHECK(again.seg.wscale == 14);
}

static void all_times_that_fit_are_kept(void)
{
    struct sighting s = ordinary();

    s.at.time_ns = FROM_NS;
    same_again(&s);
    s.at.time_ns = FROM_NS + (int64_t)SIGHTING_LATER_END - 1;
    same_again(&s);
}

static void time_may_be_counted_from_another(void)
{
    struct sighting s = ordinary(), again;
    struct written_header written;
    struct sighting_packed packed;

    write_header(&written, &s.seg);
    const struct header h = written_header(&written, s.seg.len);
    CHECK(sighting_pack(&h, s.at, SIGHTING_LATER_END - 1, &packed) == SIGHTING_FITS);
    sighting_set_later(&packed, 5678);
    sighting_unpack(&packed, FROM_NS, &again);
    CHECK(again.at.time_ns == s.at.time_ns && again.at.layer == s.at.layer);
    same_segment(&again.seg, &s.seg);
}

static void what_a_run_asks_for(void)
{
    struct sighting s = ordinary();
    struct written_header written;
    struct sighting_packed packed;

    write_header(&written, &s.seg);
    const struct header h = written_header(&written, s.seg.len);
    CHECK(sighting_pack(&h, s.at, 5678, &packed) == SIGHTING_FITS);
    CHECK(sighting_sender(&packed) == 1 && sighting_payload(&packed) == 1460);
    CHECK(sighting_time_ns(&packed, FROM_NS) == s.at.time_ns);
}

static void uncommon_options_are_told_of(void)
{
    uint8_t octets[HEADER_MIN + 4] = { 0 };
    struct sighting_packed packed;
    struct sighting again;

    octets[HEADER_OFFSET] = sizeof octets / 4 << 4;
    octets[HEADER_FLAGS] = TCP_SYN;
    memcpy(octets + HEADER_MIN, (const uint8_t[]){ 28, 4, 1, 2 }, 4); /* user timeout, RFC 5482 */
    const struct header h = { .octets = octets, .captured = sizeof octets, .flags = TCP_SYN };
    CHECK(sighting_pack(&h, ordinary().at, 5678, &packed) == SIGHTING_IS_ODD);
    sighting_unpack(&packed, FROM_NS, &again);
    CHECK(again.seg.flags == TCP_SYN && again.seg.mss == 0 && again.seg.wscale == TCPFSM_NO_WSCALE);
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
    time_stamps_alone_count_on_a_fin();
    a_scale_beyond_all_counts_as_the_largest();
    all_times_that_fit_are_kept();
    time_may_be_counted_from_another();
    what_a_run_asks_for();
    uncommon_options_are_told_of();
    uncommon_segments_are_refused();
    return 0;
}
