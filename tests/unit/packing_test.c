/* packing_test.c
 * Machines at rest: any machine is made again as it was, and most take few octets.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "packing.h"

#include <stdio.h>
#include <string.h>

#define RANDOM_MACHINES 50000
#define TIME_WAIT_US INT64_C(240000000)
#define STEP_US 20000 /* from one segment to the next */
#define UNUSED 0x5a   /* fills what must not be written */

static int failures;

#define CHECK(condition, ...) \
    do { \
        if (!(condition)) { \
            printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            printf(__VA_ARGS__); \
            printf("\n"); \
            failures++; \
        } \
    } while (0)

/* Packs and unpacks: the machine must be the same in every octet. Returns how many it takes. */
static size_t check_rest(const struct tcpfsm *m, const char *what)
{
    uint8_t packed[TCPFSM_PACKED_MAX + 8];
    struct tcpfsm again;

    memset(packed, UNUSED, sizeof packed);
    memset(&again, UNUSED, sizeof again);
    const size_t octets = tcpfsm_pack(m, packed);
    for (size_t i = octets; i < sizeof packed; i++)
        CHECK(packed[i] == UNUSED, "%s: octet %zu of %zu", what, i, octets);
    CHECK(octets <= TCPFSM_PACKED_MAX, "%s: %zu octets", what, octets);
    CHECK(tcpfsm_unpack(&again, packed) == octets, "%s", what);
    CHECK(memcmp(&again, m, sizeof again) == 0, "%s: another machine", what);
    return octets;
}

/* ------------------------------------------------------------------ random machines */

static uint32_t next_random(void)
{
    static uint64_t random = 1;

    random = random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random >> 33) ^ (uint32_t)random;
}

/* Random octets, of which so many quarters are zero, and so many of the rest as those of the number before. */
static void fill(void *octets, size_t count, unsigned zero, unsigned same)
{
    uint8_t *octet = octets;

    for (size_t i = 0; i < count; i++) {
        const uint32_t random = next_random();
        octet[i] = random % 4 < zero ? 0 : random / 4 % 4 < same && i >= 4 ? octet[i - 4] : (uint8_t)(random >> 8);
    }
}

/* What a machine does not keep is zero: octets of no member, and ranges that are not held. */
static void clear_unused(struct tcpfsm *m)
{
    uint8_t *octets = (uint8_t *)m;
    const size_t flags = offsetof(struct tcpfsm, latest_us) + sizeof m->latest_us;

    for (unsigned i = 0; i < 2; i++) {
        struct tcpfsm_end *e = &m->end[i];
        const size_t used = offsetof(struct tcpfsm_end, wscale) + sizeof e->wscale;
        memset((uint8_t *)e + used, 0, sizeof *e - used);
        if (e->held_count > TCPFSM_HELD_MAX)
            e->held_count = TCPFSM_HELD_MAX;
        memset(&e->held[e->held_count], 0, (TCPFSM_HELD_MAX - e->held_count) * sizeof *e->held);
    }
    memset(octets + flags + 1, 0, sizeof *m - flags - 1);
}

static void check_random_machines(void)
{
    for (unsigned n = 0; n < RANDOM_MACHINES; n++) {
        struct tcpfsm m;
        char what[40];
        snprintf(what, sizeof what, "random machine %u", n);
        fill(&m, sizeof m, n % 4, n / 4 % 4);
        clear_unused(&m);
        check_rest(&m, what);
    }
}

/* Every number as far as can be from where it is expected. */
static void check_largest_machine(void)
{
    struct tcpfsm m;

    memset(&m, 0, sizeof m);
    m.syn_us = INT64_C(1) << 62;
    m.rtt_us = m.latest_us = 0x80000000u;
    for (unsigned i = 0; i < 2; i++) {
        struct tcpfsm_end *e = &m.end[i];
        e->held_count = TCPFSM_HELD_MAX;
        e->since_us = i ? m.syn_us : -m.syn_us;
        e->snd_nxt = e->fin = e->data_end = e->iss = e->iss_other = e->ctl_tsval = 0x80000000u;
        e->rcv_nxt = e->rcv_acked = e->last_ack = e->rcv_edge = e->fin_ack_from = 0x80000000u;
        for (unsigned n = 0; n < TCPFSM_HELD_MAX; n++)
            e->held[n] = (struct tcpfsm_range){ 0, 0x80000000u };
        e->mss = UINT16_MAX;
    }
    const size_t octets = check_rest(&m, "largest machine");
    CHECK(octets > TCPFSM_PACKED_MAX - 8, "%zu octets are not the largest", octets);
}

/* ------------------------------------------------------------------ machines as they come about */


struct script {
    struct tcpfsm m;
    uint32_t nxt[2];
    int64_t time_us;
    bool timestamps;
};

static void begin(struct script *s, bool timestamps)
{
    memset(s, 0, sizeof *s);
    s->nxt[0] = 788606;
    s->nxt[1] = 2023892971;
    s->time_us = INT64_C(1767225600123456);
    s->timestamps = timestamps;
}

/* A segment of the next numbers, received by its peer. */
static void send(struct script *s, unsigned sender, unsigned flags, uint32_t len)
{
    const struct tcpfsm_segment seg = {
        .time_us = s->time_us, .seq = s->nxt[sender], .ack = flags & TCP_ACK ? s->nxt[!sender] : 0, .len = len,
        .tsval = s->timestamps ? 0x12345678u + (uint32_t)(s->time_us / 1000) : 0, .has_tsval = s->timestamps,
        .window = flags & TCP_SYN ? 64240 : 502, .mss = flags & TCP_SYN ? 1460 : 0, .flags = (uint8_t)flags,
        .wscale = flags & TCP_SYN ? 7 : TCPFSM_NO_WSCALE,
    };
    struct tcpfsm_outcome out;

    tcpfsm_segment(&s->m, sender, 0, &seg, TIME_WAIT_US, &out);
    s->nxt[sender] += len + (flags & TCP_SYN ? 1 : 0) + (flags & TCP_FIN ? 1 : 0);
    s->time_us += STEP_US;
}

static void check_size(const struct script *s, const char *what, size_t most)
{
    struct tcpfsm m = s->m;

    clear_unused(&m);
    const size_t octets = check_rest(&m, what);
    printf("%s%s: %zu octets\n", what, s->timestamps ? " with timestamps" : "", octets);
    CHECK(octets <= most, "%s: %zu octets", what, octets);
}

static void check_connection(bool timestamps)
{
    struct script s;
    const size_t more = timestamps ? 10 : 0;

    begin(&s, timestamps);
    send(&s, 0, TCP_SYN, 0);
    check_size(&s, "lone SYN", 30 + more / 2);
    send(&s, 1, TCP_SYN | TCP_ACK, 0);
    send(&s, 0, TCP_ACK, 0);
    send(&s, 0, TCP_ACK, 64);
    send(&s, 1, TCP_ACK, 20000);
    send(&s, 0, TCP_ACK, 0);
    check_size(&s, "open connection", 52 + more);
    send(&s, 0, TCP_ACK | TCP_FIN, 0);
    send(&s, 1, TCP_ACK, 0);
    send(&s, 1, TCP_ACK | TCP_FIN, 0);
    send(&s, 0, TCP_ACK, 0);
    CHECK(s.m.end[0].state == TCP_TIME_WAIT && s.m.end[1].state == TCP_CLOSED, "not closed");
    check_size(&s, "closed connection", 56 + more);
}

static void check_midstream(void)
{
    struct script s;

    begin(&s, false);
    for (unsigned n = 0; n < 10; n++)
        send(&s, n % 2, TCP_ACK, 1000);
    check_size(&s, "connection older than the capture", 42);
}

int main(void)
{
    const struct tcpfsm none = { .midstream = false };

    check_rest(&none, "no segment so far");
    check_random_machines();
    check_largest_machine();
    check_connection(false);
    check_connection(true);
    check_midstream();
    printf("%d failures\n", failures);
    return failures != 0;
}
