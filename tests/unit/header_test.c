/* header_test.c
 * What is read from TCP headers, well formed and not.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "check.h"
#include "header.h"
#include "written_header.h"

/* A SYN whose header says that so many octets of options follow, of which some are captured, in memory of that size. */
static struct tcpfsm_segment syn_with(const uint8_t *options, unsigned said, unsigned captured)
{
    uint8_t *octets = (uint8_t *)calloc(1, HEADER_MIN + captured);

    CHECK(octets != NULL);
    memcpy(octets + HEADER_MIN, options, captured);
    octets[HEADER_OFFSET] = (uint8_t)((HEADER_MIN + said) / 4 << 4);
    octets[HEADER_FLAGS] = TCP_SYN;
    const struct header h = { .octets = octets, .captured = HEADER_MIN + captured, .flags = TCP_SYN };
    const struct tcpfsm_segment seg = header_read(&h);
    free(octets);
    return seg;
}

static void check_no_options(const struct tcpfsm_segment *seg)
{
    CHECK(seg->mss == 0 && seg->wscale == TCPFSM_NO_WSCALE && !seg->has_tsval && !seg->fast_open);
}

static void the_fixed_part(void)
{
    const uint8_t octets[HEADER_MIN] = { 0x9c, 0x40, 0x13, 0x88, 1, 2, 3, 4, 0xff, 0xfe, 0xfd, 0xfc, 0x50, 0x38, 0xab,
                                         0xcd, 0, 0, 0, 0 };
    const struct header h = {
        .octets = octets, .captured = sizeof octets, .payload = 70000, .flags = octets[HEADER_FLAGS],
    };
    const struct tcpfsm_segment seg = header_read(&h);

    CHECK(seg.seq == 0x01020304 && seg.ack == 0xfffefdfc && seg.window == 0xabcd && seg.flags == 0x38);
    CHECK(seg.len == 70000 && seg.time_us == 0 && seg.tsval == 0);
    check_no_options(&seg);
    CHECK(header_number16(octets + HEADER_SRCPORT) == 40000 && header_number16(octets + HEADER_DSTPORT) == 5000);
}

static void what_was_written(void)
{
    const struct tcpfsm_segment syn = { .seq = 7, .mss = 1460, .wscale = 14, .flags = TCP_SYN, .has_tsval = true,
                                        .tsval = 0x80000001, .fast_open = true };
    struct written_header written;

    write_header(&written, &syn);
    const struct header h = written_header(&written, 0);
    const struct tcpfsm_segment seg = header_read(&h);
    CHECK(seg.mss == 1460 && seg.wscale == 14 && seg.has_tsval && seg.tsval == 0x80000001 && seg.fast_open);
}

/* As Linux orders them: MSS, SACK permitted, time stamps, NOP, window scale. */
static const uint8_t usual[20] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7 };

static void the_usual_ones(void)
{
    const struct tcpfsm_segment seg = syn_with(usual, sizeof usual, sizeof usual);

    CHECK(seg.mss == 1460 && seg.wscale == 7 && seg.has_tsval && seg.tsval == 9 && !seg.fast_open);
}

static void options_cut_off_are_not_read(void)
{
    for (unsigned captured = 0; captured <= sizeof usual; captured++) {
        const struct tcpfsm_segment seg = syn_with(usual, sizeof usual, captured);
        CHECK(seg.mss == (captured >= 4 ? 1460 : 0));
        CHECK(seg.has_tsval == (captured >= 16));
        CHECK(seg.wscale == (captured >= 20 ? 7 : TCPFSM_NO_WSCALE));
    }
    const struct tcpfsm_segment short_header = syn_with(usual, 4, sizeof usual);
    CHECK(short_header.mss == 1460 && !short_header.has_tsval && short_header.wscale == TCPFSM_NO_WSCALE);
}

static void bad_options_end_the_list(void)
{
    static const uint8_t bad[][8] = {
        { 0, 3, 3, 7, 0, 0, 0, 0 },    /* after the end */
        { 5, 0, 3, 3, 7, 0, 0, 0 },    /* no length can be 0, */
        { 5, 1, 3, 3, 7, 0, 0, 0 },    /* or 1, */
        { 3, 9, 7, 2, 4, 5, 0xb4, 0 }, /* or beyond the header */
        { 1, 1, 1, 1, 1, 1, 1, 3 },    /* a kind without a length */
        { 3, 4, 7, 1, 2, 3, 5, 0 },    /* of another length than its kind has */
        { 34, 2, 8, 4, 0, 0, 0, 0 },   /* Fast Open without a cookie asks for one */
    };

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct tcpfsm_segment seg = syn_with(bad[i], sizeof bad[i], sizeof bad[i]);
        check_no_options(&seg);
    }
}

/* Whether a SYN's options are all common. */
static bool are_common(const uint8_t *options, unsigned said, unsigned captured)
{
    struct tcpfsm_segment seg = { .seq = 0 };
    uint8_t octets[HEADER_MAX] = { 0 };

    memcpy(octets + HEADER_MIN, options, captured);
    octets[HEADER_OFFSET] = (uint8_t)((HEADER_MIN + said) / 4 << 4);
    const struct header h = { .octets = octets, .captured = HEADER_MIN + captured, .flags = TCP_SYN };
    return header_read_options(&h, &seg);
}

static void common_options(void)
{
    static const uint8_t odd[][8] = {
        { 5, 0, 3, 3, 7, 0, 0, 0 }, { 5, 1, 3, 3, 7, 0, 0, 0 },    /* not well formed */
        { 3, 9, 7, 2, 4, 5, 0xb4, 0 }, { 1, 1, 1, 1, 1, 1, 1, 3 },
        { 3, 4, 7, 1, 3, 3, 7, 0 }, { 2, 3, 1, 1, 1, 1, 1, 0 },    /* of another length than their kind has */
        { 4, 3, 1, 1, 1, 1, 1, 0 }, { 8, 8, 1, 1, 1, 1, 1, 1 },
        { 34, 2, 1, 1, 1, 1, 1, 0 }, { 30, 4, 0, 1, 1, 1, 1, 0 },  /* of another kind: Fast Open, Multipath TCP */
    };
    static const uint8_t ends[4] = { 1, 1, 0, 99 };

    CHECK(are_common(usual, sizeof usual, sizeof usual) && are_common(usual, 0, 0));
    CHECK(are_common(ends, 4, 4)); /* what follows the end is none */
    for (unsigned captured = 0; captured < sizeof usual; captured++)
        CHECK(!are_common(usual, sizeof usual, captured));
    for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++)
        CHECK(!are_common(odd[i], sizeof odd[i], sizeof odd[i]));
}

static void time_stamps_alone(void)
{
    uint8_t octets[HEADER_MIN + 12] = { 0 };
    struct header h = { .octets = octets, .captured = sizeof octets };

    octets[HEADER_OFFSET] = sizeof octets / 4 << 4;
    memcpy(octets + HEADER_MIN, (const uint8_t[]){ 1, 1, 8, 10, 0x80, 0, 0, 1, 0, 0, 0, 7 }, 12);
    CHECK(header_has_timestamps_alone(h) && header_tsval_alone(h) == 0x80000001);
    h.captured--; /* they are cut off */
    CHECK(!header_has_timestamps_alone(h));
    h.captured++;
    octets[HEADER_MIN + 1] = 0; /* the list ends before them */
    CHECK(!header_has_timestamps_alone(h));
    octets[HEADER_MIN + 1] = 1;
    octets[HEADER_OFFSET] += 1 << 4; /* more follow */
    CHECK(!header_has_timestamps_alone(h));
}

static void only_a_syn_or_a_fin_is_asked_for_options(void)
{
    struct written_header written;
    struct tcpfsm_segment written_seg = { .wscale = TCPFSM_NO_WSCALE, .has_tsval = true, .tsval = 5 };

    for (unsigned flags = 0; flags <= UINT8_MAX; flags++) {
        written_seg.flags = (uint8_t)flags;
        write_header(&written, &written_seg);
        const struct header h = written_header(&written, 0);
        CHECK(header_read(&h).has_tsval == ((flags & (TCP_SYN | TCP_FIN)) != 0));
    }
}

int main(void)
{
    the_fixed_part();
    what_was_written();
    the_usual_ones();
    options_cut_off_are_not_read();
    bad_options_end_the_list();
    common_options();
    time_stamps_alone();
    only_a_syn_or_a_fin_is_asked_for_options();
    return 0;
}
