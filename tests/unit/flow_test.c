/* flow_test.c
 * To which part of a split capture a frame belongs: through link types, tunnels and fragments, whole and cut short.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "check.h"
#include "flow.h"

#include <string.h>

/* A frame, put together from its octets in hexadecimal; blanks between them. */
struct frame {
    uint8_t octets[512];
    uint32_t count;
};

static void append(struct frame *frame, const char *hex)
{
    for (; *hex; hex += 2) {
        while (*hex == ' ')
            hex++;
        const char digits[] = { hex[0], hex[1], 0 };
        CHECK(frame->count < sizeof frame->octets);
        frame->octets[frame->count++] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

/* In memory of just the frame's size, so that a sanitizer finds what is read beyond it. */
static struct flow read_part(enum flow_link link, const struct frame *frame, uint32_t count)
{
    uint8_t *octets = (uint8_t *)malloc(count + !count);
    struct flow flow;

    CHECK(octets != NULL);
    memcpy(octets, frame->octets, count);
    flow_of(link, octets, count, &flow);
    free(octets);
    return flow;
}

/* What the layers tell, down to a NULL. Each length to which the frame may be cut is read too. */
static struct flow flow_in(enum flow_link link, const char *const *layers)
{
    struct frame frame = { .count = 0 };

    for (; *layers; layers++)
        append(&frame, *layers);
    for (uint32_t count = 0; count < frame.count; count++)
        read_part(link, &frame, count);
    return read_part(link, &frame, frame.count);
}
#define FLOW(link, ...) flow_in((link), (const char *const[]){ __VA_ARGS__, NULL })

#define MACS      "020000000001 020000000002"
#define ETHERNET4 MACS "0800"
#define ETHERNET6 MACS "86dd"
#define ADDRESSES "0a000001 0a000002"
#define BACK      "0a000002 0a000001"
#define OUTER     "c0000201 c0000202"
#define IP4(protocol, addresses)        "45000028 00000000 40" protocol "0000" addresses
#define FRAGMENT4(place, addresses)     "45000028 0007" place "4006 0000" addresses
#define IP6(next, source, destination)  "60000000 0014" next "40" source destination
#define HOST_A    "20010db8 00000000 00000000 00000001"
#define HOST_B    "20010db8 00000000 00000000 00000002"
#define HOST_C    "20010db8 00000000 00000000 00000003"
#define PORTS     "9c401388"
#define PORTS_BACK "13889c40"
#define TCP       PORTS "00000001 00000000 50020000 00000000"
#define TCP_BACK  PORTS_BACK "00000001 00000002 50120000 00000000"
#define OTHER_TCP "9c411388 00000001 00000000 50020000 00000000"

static struct flow plain(void)
{
    return FLOW(FLOW_LINK_ETHERNET, ETHERNET4, IP4("06", ADDRESSES), TCP);
}

static bool is_plain(struct flow flow)
{
    return flow.hash == plain().hash && flow.is_tcp && flow.fragment == FLOW_WHOLE;
}

static void a_connection(void)
{
    CHECK(plain().is_tcp);
    CHECK(is_plain(FLOW(FLOW_LINK_ETHERNET, ETHERNET4, IP4("06", BACK), TCP_BACK)));
    CHECK(!is_plain(FLOW(FLOW_LINK_ETHERNET, ETHERNET4, IP4("06", ADDRESSES), OTHER_TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_ETHERNET, ETHERNET4, "46000028 00000000 4006 0000" ADDRESSES "01010101", TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_ETHERNET, ETHERNET6, IP6("06", HOST_A, HOST_B), TCP)));
}

static void link_types(void)
{
    CHECK(is_plain(FLOW(FLOW_LINK_IP, IP4("06", ADDRESSES), TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_LOOP, "02000000", IP4("06", ADDRESSES), TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_SLL, "0000 0001 0006 020000000001 0000 0800", IP4("06", ADDRESSES), TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_SLL2, "0800 0000 00000001 0001 00 06 020000000001 0000", IP4("06", ADDRESSES), TCP)));
    CHECK(FLOW(FLOW_LINK_OTHER, ETHERNET4, IP4("06", ADDRESSES), TCP).hash == 0);
    CHECK(is_plain(FLOW(FLOW_LINK_ETHERNET, MACS, "8100 0001 0800", IP4("06", ADDRESSES), TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_ETHERNET, MACS, "88a8 0001 8100 0001 0800", IP4("06", ADDRESSES), TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_ETHERNET, MACS, "8847 00010040 00011140", IP4("06", ADDRESSES), TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_ETHERNET, MACS, "8864 1100 0001 0016 0021", IP4("06", ADDRESSES), TCP)));
    CHECK(FLOW(FLOW_LINK_ETHERNET, MACS, "0806 00010800060400010200000000010a000001").hash == 0);
}

static void tunnels(void)
{
    CHECK(is_plain(FLOW(FLOW_LINK_IP, IP4("04", OUTER), IP4("06", ADDRESSES), TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_IP, IP4("29", OUTER), IP6("06", HOST_A, HOST_B), TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_IP, IP4("2f", OUTER), "0000 0800", IP4("06", ADDRESSES), TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_IP, IP4("2f", OUTER), "b000 6558 00000000 00000007 00000001", ETHERNET4,
                        IP4("06", ADDRESSES), TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_IP, IP4("11", OUTER), "c00012b5 00400000 08000000 00000100", ETHERNET4,
                        IP4("06", ADDRESSES), TCP)));
}

static void other_packets_go_by_their_addresses(void)
{
    const struct flow udp = FLOW(FLOW_LINK_IP, IP4("11", ADDRESSES), PORTS "00080000");

    CHECK(!udp.is_tcp && udp.hash != 0 && udp.hash != plain().hash);
    CHECK(udp.hash == FLOW(FLOW_LINK_IP, IP4("11", BACK), PORTS_BACK "00080000").hash);
    CHECK(udp.hash == FLOW(FLOW_LINK_IP, IP4("32", ADDRESSES), "00000001").hash);
    CHECK(udp.hash != FLOW(FLOW_LINK_IP, IP4("11", OUTER), PORTS "00080000").hash);
    CHECK(FLOW(FLOW_LINK_IP, IP6("11", HOST_A, HOST_B), PORTS "00080000").hash
          != FLOW(FLOW_LINK_IP, IP6("11", HOST_A, HOST_C), PORTS "00080000").hash);
    const struct flow cut_short = FLOW(FLOW_LINK_IP, IP4("06", ADDRESSES));
    CHECK(cut_short.is_tcp && cut_short.hash == udp.hash);
}

static void extension_headers(void)
{
    CHECK(is_plain(FLOW(FLOW_LINK_IP, IP6("00", HOST_A, HOST_B), "2b00 0000 00000000", "3c02 0000 00000000" HOST_C,
                        "3300 0000 00000000", "0601 0000 00000000 00000000", TCP)));
    /* A source route that has not yet come to its end: the destination is not the peer. */
    CHECK(is_plain(FLOW(FLOW_LINK_IP, IP6("2b", HOST_A, HOST_C), "0602 0001 00000000" HOST_B, TCP)));
    CHECK(is_plain(FLOW(FLOW_LINK_IP, IP6("2c", HOST_A, HOST_B), "0600 0000 00000007", TCP))); /* atomic fragment */
}

static void what_an_error_quotes(void)
{
    const struct flow quoted = FLOW(FLOW_LINK_IP, IP4("01", OUTER), "03030000 00000000", IP4("06", BACK),
                                    PORTS_BACK "00000001");

    CHECK(quoted.hash == plain().hash && !quoted.is_tcp);
    CHECK(FLOW(FLOW_LINK_IP, IP6("3a", HOST_C, HOST_A), "01040000 00000000", IP6("06", HOST_A, HOST_B),
               PORTS "00000001").hash == plain().hash);
    CHECK(FLOW(FLOW_LINK_IP, IP4("01", OUTER), "08000000 00000000", IP4("06", BACK), PORTS_BACK "00000001").hash
          != plain().hash); /* an echo request */
    CHECK(FLOW(FLOW_LINK_IP, IP4("01", OUTER), "03040000 00000000", FRAGMENT4("2000", ADDRESSES), TCP).fragment
          == FLOW_WHOLE);
}

static void fragments(void)
{
    const struct flow first = FLOW(FLOW_LINK_IP, FRAGMENT4("2000", ADDRESSES), TCP);
    const struct flow later = FLOW(FLOW_LINK_IP, FRAGMENT4("2002", ADDRESSES), TCP_BACK);
    const struct flow last = FLOW(FLOW_LINK_IP, FRAGMENT4("0004", ADDRESSES), OTHER_TCP);
    const struct flow first6 = FLOW(FLOW_LINK_IP, IP6("2c", HOST_A, HOST_B), "0600 0001 00000007", TCP);
    const struct flow last6 = FLOW(FLOW_LINK_IP, IP6("2c", HOST_A, HOST_B), "0600 0010 00000007", TCP);

    CHECK(first.fragment == FLOW_FRAGMENT_FIRST && first.hash == plain().hash);
    CHECK(later.fragment == FLOW_FRAGMENT_LATER && last.fragment == FLOW_FRAGMENT_LAST);
    CHECK(memcmp(&first.datagram, &later.datagram, sizeof first.datagram) == 0);
    CHECK(memcmp(&first.datagram, &last.datagram, sizeof first.datagram) == 0);
    CHECK(first6.fragment == FLOW_FRAGMENT_FIRST && first6.hash == plain().hash);
    CHECK(last6.fragment == FLOW_FRAGMENT_LAST);
    CHECK(memcmp(&first6.datagram, &last6.datagram, sizeof first6.datagram) == 0);
    CHECK(memcmp(&first.datagram, &first6.datagram, sizeof first.datagram) != 0);
}

/* As many headers as a frame can have, and headers that say what cannot be. */
static void hostile(void)
{
    struct frame frame = { .count = 0 };

    while (frame.count + 20 < sizeof frame.octets)
        append(&frame, IP4("04", OUTER));
    CHECK(!read_part(FLOW_LINK_IP, &frame, frame.count).is_tcp);
    frame.count = 0;
    append(&frame, IP6("00", HOST_A, HOST_B));
    while (frame.count + 8 < sizeof frame.octets)
        append(&frame, "0000 0000 00000000");
    CHECK(!read_part(FLOW_LINK_IP, &frame, frame.count).is_tcp);
    CHECK(!FLOW(FLOW_LINK_IP, "44000028 00000000 4006 0000" ADDRESSES, TCP).is_tcp);
    CHECK(!FLOW(FLOW_LINK_IP, "45000013 00000000 4006 0000" ADDRESSES, TCP).is_tcp);
    CHECK(!FLOW(FLOW_LINK_IP, "75000028 00000000 4006 0000" ADDRESSES, TCP).is_tcp);
}

int main(void)
{
    a_connection();
    link_types();
    tunnels();
    other_packets_go_by_their_addresses();
    extension_headers();
    what_an_error_quotes();
    fragments();
    hostile();
    return 0;
}
