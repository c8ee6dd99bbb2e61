/* header_test.c
 * What is read from TCP headers, well formed and not.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "check.h"
#include "header.h"

#include <string.h>

/* A SYN whose header says that so many octets of options follow, of which some are captured, in memory of that size. */
static struct tcpfsm_segment syn_with(const uint8_t *options, unsigned said, unsigned captured)
{
    uint8_t *octets = (uint8_t *)calloc(1, HEADER_MIN + captured);

    CHECK(octets != NULL);
    memcpy(octets + HEADER_MIN, options, captured);
    octets[HEADER_OFFSET] = (uint8_t)((HEADER_MIN + said) / 4 << 4);
    octets[HEADER_FLAGS] = TCP_SYN;
    struct tcpfsm_segment seg;
    header_read(octets, HEADER_MIN + captured, 0, 0, &seg);
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
    struct tcpfsm_segment seg;

    header_read(octets, sizeof octets, 70000, -5, &seg);
    CHECK(seg.seq == 0x01020304 && seg.ack == 0xfffefdfc && seg.window == 0xabcd && seg.flags == 0x38);
    CHECK(seg.len == 70000 && seg.time_us == -5 && seg.tsval == 0);
    check_no_options(&seg);
    CHECK(header_length(octets) == HEADER_MIN);
    CHECK(header_number16(octets + HEADER_SRCPORT) == 40000 && header_number16(octets + HEADER_DSTPORT) == 5000);
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
    static const uint8_t data_like_options[8] = { 2, 4, 5, 0xb4, 1, 3, 3, 7 };
    const struct tcpfsm_segment with_data = syn_with(data_like_options, 4, sizeof data_like_options);
    CHECK(with_data.mss == 1460 && with_data.wscale == TCPFSM_NO_WSCALE);
}

static void bad_options_end_the_list(void)
{
    static const uint8_t bad[][12] = {
        { 0, 2, 3, 3, 7, 0, 0, 0 },    /* after the end */
        { 5, 0, 3, 3, 7, 0, 0, 0 },    /* no length can be 0, */
        { 5, 1, 3, 3, 7, 0, 0, 0 },    /* or 1, */
        { 3, 9, 7, 2, 4, 5, 0xb4, 0 }, /* or beyond the header */
        { 1, 1, 1, 1, 1, 1, 1, 3 },    /* a kind without a length */
        { 3, 4, 7, 1, 2, 3, 5, 0 },    /* of another length than its kind has, */
        { 3, 10, 0, 0, 0, 9 },         /* but than another kind has */
        { 34, 2, 8, 4, 0, 0, 0, 0 },   /* Fast Open without a cookie asks for one */
    };

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct tcpfsm_segment seg = syn_with(bad[i], sizeof bad[i], sizeof bad[i]);
        check_no_options(&seg);
    }
}

static void fast_open(void)
{
    static const uint8_t cookie[12] = { 2, 4, 5, 0xb4, 34, 6, 1, 2, 3, 4, 1, 1 };
    const struct tcpfsm_segment seg = syn_with(cookie, sizeof cookie, sizeof cookie);

    CHECK(seg.fast_open && seg.mss == 1460);
}

static void options_of_syn_and_fin_alone(void)
{
    uint8_t octets[HEADER_MIN + 12] = { 0 };

    octets[HEADER_OFFSET] = sizeof octets / 4 << 4;
    memcpy(octets + HEADER_MIN, (const uint8_t[]){ 1, 1, 8, 10, 0x80, 0, 0, 1, 0, 0, 0, 7 }, 12);
    for (unsigned flags = 0; flags <= UINT8_MAX; flags++) {
        struct tcpfsm_segment seg;
        octets[HEADER_FLAGS] = (uint8_t)flags;
        header_read(octets, sizeof octets, 0, 0, &seg);
        CHECK(seg.has_tsval == ((flags & (TCP_SYN | TCP_FIN)) != 0));
        CHECK(!seg.has_tsval || seg.tsval == 0x80000001);
    }
}

int main(void)
{
    the_fixed_part();
    the_usual_ones();
    options_cut_off_are_not_read();
    bad_options_end_the_list();
    fast_open();
    options_of_syn_and_fin_alone();
    return 0;
}
