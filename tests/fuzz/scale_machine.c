/* scale_machine.c
 * The machine and its log under hostile numbers: what it prints is compared for N and 2N by scale.py.
 *
 * usage: scale_machine WHAT N
 *     transitions  one connection with N transitions or more, each looked up afterwards, in no order
 *     storm        the same pair of sockets opened and reset N times in one log
 *     scan         N connections of one packet
 * Prints the octets that were needed per unit of N.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME_WAIT_US INT64_C(240000000)

/* One pair of sockets, as pair.c keeps it. */
struct run {
    struct tcpfsm m;
    struct log h;
    uint32_t frame;
    size_t octets; /* of finished logs */
};

static void make_room(struct run *r, uint32_t entries)
{
    struct log *h = &r->h;

    if (h->room - h->count >= entries)
        return;
    h->room = h->room * 2 + entries;
    h->entry = realloc(h->entry, h->room * sizeof *h->entry);
    if (!h->entry)
        exit(2);
}

static void take(struct run *r, unsigned sender, uint8_t flags, uint32_t seq, uint32_t ack)
{
    struct tcpfsm_segment seg = { .time_us = r->frame, .seq = seq, .ack = ack, .window = UINT16_MAX, .flags = flags,
                                  .wscale = TCPFSM_NO_WSCALE };
    struct tcpfsm_outcome out;
    const struct log_position at = { .time_ns = r->frame, .frame = ++r->frame };

    if (!tcpfsm_segment(&r->m, sender, 0, &seg, TIME_WAIT_US, &out))
        return;
    make_room(r, log_entries_of(&out));
    log_append(&r->h, &at, sender, &r->m, &out);
}

static void open_and_reset(struct run *r, uint32_t n)
{
    const uint32_t iss = n * 100000;

    take(r, 0, TCP_SYN, iss, 0);
    take(r, 1, TCP_SYN | TCP_ACK, iss + 500, iss + 1);
    take(r, 0, TCP_ACK, iss + 1, iss + 501);
    take(r, 0, TCP_RST, iss + 1, 0);
}

/* An open connection whose ends seem to close and to live on: a forged RST, and data, by turns. */
static void flap(struct run *r, uint32_t n)
{
    if (n == 0) {
        take(r, 0, TCP_SYN, 0, 0);
        take(r, 1, TCP_SYN | TCP_ACK, 1000, 1);
        take(r, 0, TCP_ACK, 1, 1001);
    }
    take(r, 0, TCP_RST, 1, 0);
    take(r, 1, TCP_ACK, 1001, 1);
    take(r, 0, TCP_ACK, 1, 1001);
    take(r, 1, TCP_FIN | TCP_ACK, 1001, 1);
    take(r, 0, TCP_ACK, 1, 1002);
    take(r, 1, TCP_SYN | TCP_ACK, 1000, 1);
}

/* Another pair. */
static void begin_pair(struct run *r)
{
    r->octets += r->h.room * sizeof *r->h.entry + sizeof r->m;
    free(r->h.entry);
    memset(&r->h, 0, sizeof r->h);
    memset(&r->m, 0, sizeof r->m);
}

static void look_up_all(const struct run *r)
{
    uint32_t frame = 1;

    for (uint32_t i = 0; i < r->frame; i++) {
        struct log_view v;
        struct log_step step;
        frame = (uint32_t)(((uint64_t)frame * 48271u) % r->frame) + 1;
        if (log_find(&r->h, frame, 0, &v) && v.count > 0)
            log_step(&v, 0, &step);
    }
}

int main(int argc, char **argv)
{
    static struct run r;
    const uint32_t n = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    const char *what = n ? argv[1] : "";

    if (strcmp(what, "transitions") == 0) {
        while (r.h.count < n)
            flap(&r, r.frame);
        look_up_all(&r);
    } else if (strcmp(what, "storm") == 0) {
        for (uint32_t i = 0; i < n; i++)
            open_and_reset(&r, i);
        look_up_all(&r);
    } else if (strcmp(what, "scan") == 0) {
        for (uint32_t i = 0; i < n; i++) {
            begin_pair(&r);
            take(&r, 0, TCP_SYN, i, 0);
        }
    } else {
        fprintf(stderr, "usage: scale_machine transitions|storm|scan N\n");
        return 2;
    }
    r.octets += r.h.room * sizeof *r.h.entry;
    printf("%zu octets per unit, %" PRIu32 " frames, %" PRIu32 " entries\n", r.octets / n, r.frame, r.h.count);
    return 0;
}
