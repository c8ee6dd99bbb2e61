/* run_test.c
 * A run of segments in order leads to the machine that each of them by itself would have led to, octet by octet, and
 * none of them changes what is shown. Connections are made at random, orderly but for a disturbance now and then.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "check.h"
#include "closer.h"
#include "deferred.h"

#include <inttypes.h>

#define TIME_WAIT_US INT64_C(240000000)
#define CONNECTIONS 60000

static uint64_t seed;

#define CHECK_HERE(condition) CHECK_IN(condition, " (connection %" PRIu64 ")\n", seed)

static uint64_t state;

static uint32_t random_below(uint32_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % limit);
}

static bool one_in(uint32_t n)
{
    return random_below(n) == 0;
}

/* What an end of an orderly connection knows. */
struct peer {
    uint32_t next, acked; /* next number to send, and what it has acknowledged */
    uint16_t window, mss;
    uint8_t  wscale;
};

struct connection {
    struct peer end[2];
    int64_t now_us;
    struct tcpfsm m;
    uint8_t closed_by;
    struct deferred deferred;
};

/* How many connections came so far. */
static struct {
    unsigned runs, in_run, after_run;
} seen;

/* Both take the segment: the machine, and the deferred one. */
static void take(struct connection *c, unsigned sender, const struct tcpfsm_segment *seg)
{
    const struct tcpfsm before = c->m;
    struct tcpfsm deferred;
    struct tcpfsm_outcome out;
    const uint8_t closed_before = c->closed_by;

    tcpfsm_segment(&c->m, sender, 0, seg, TIME_WAIT_US, &out);
    c->closed_by = (uint8_t)tcpfsm_closer(&c->m, out.opened ? TCP_CLOSER_NONE : (enum tcp_closer)c->closed_by);
    const bool is_news = deferred_is_news(&before, &c->m, &out, c->closed_by != closed_before);
    const bool had_run = c->deferred.has_run;
    const unsigned waited = c->deferred.count;
    CHECK_HERE(deferred_take(&c->deferred, sender, seg, is_news));
    if (deferred_machine(&c->deferred, &deferred, TIME_WAIT_US))
        CHECK_HERE(deferred_is_same(&deferred, &c->m));
    seen.runs += !had_run && c->deferred.has_run;
    seen.in_run += had_run && waited == c->deferred.count && !c->deferred.is_over;
    seen.after_run += c->deferred.has_run && c->deferred.count > c->deferred.run.after;
}

static uint32_t any_number(void)
{
    return one_in(3) ? UINT32_MAX - random_below(3000) : one_in(3) ? 0x80000000u - random_below(3000)
        : random_below(UINT32_MAX);
}

static void opens(struct connection *c)
{
    static const uint16_t mss[] = { 0, 536, 1460, 65495 };

    memset(c, 0, sizeof *c);
    c->now_us = INT64_C(1767225600000000) + random_below(1000000);
    c->deferred.run_from = 3 + random_below(DEFERRED_MAX - 2);
    for (unsigned i = 0; i < 2; i++) {
        struct peer *p = &c->end[i];
        p->next = any_number();
        p->window = (uint16_t)(one_in(3) ? random_below(2000) : 20000 + random_below(45536));
        p->mss = mss[random_below(4)];
        p->wscale = (uint8_t)(one_in(4) ? TCPFSM_NO_WSCALE : random_below(TCPFSM_WSCALE_MAX + 1));
    }
}

static void time_goes_by(struct connection *c)
{
    if (!one_in(4))
        c->now_us += one_in(20) ? random_below(400000000) : random_below(3000);
}

/* The segment that comes next in order, or much like it. */
static struct tcpfsm_segment segment(struct connection *c, unsigned sender, uint8_t flags, uint32_t len)
{
    struct peer *p = &c->end[sender];
    const struct peer *other = &c->end[!sender];

    if ((flags & TCP_ACK) && !one_in(4))
        p->acked = other->next;
    if (one_in(8))
        p->window = (uint16_t)(one_in(3) ? random_below(100) : random_below(65536));
    const struct tcpfsm_segment seg = {
        .time_us = c->now_us, .seq = p->next, .ack = flags & TCP_ACK ? p->acked : 0, .len = len, .window = p->window,
        .flags = flags, .mss = flags & TCP_SYN ? p->mss : 0,
        .wscale = flags & TCP_SYN ? p->wscale : TCPFSM_NO_WSCALE,
    };
    p->next += len + ((flags & (TCP_SYN | TCP_FIN)) != 0);
    return seg;
}

static void disturb(struct tcpfsm_segment *seg)
{
    switch (random_below(7)) {
    case 0:
        seg->seq += random_below(5) - 2;
        break;
    case 1:
        seg->ack += random_below(5) - 2;
        break;
    case 2:
        seg->seq -= random_below(3000);
        break;
    case 3:
        seg->flags ^= (uint8_t)(1u << random_below(5));
        break;
    case 4:
        seg->seq = any_number();
        break;
    case 5:
        seg->window = (uint16_t)random_below(3);
        break;
    default:
        seg->time_us -= random_below(5000);
        break;
    }
}

static void connection(void)
{
    static struct connection c;
    const uint32_t trouble = one_in(2) ? UINT32_MAX : 5 + random_below(60); /* one segment in so many is disturbed */
    const unsigned count = 3 + random_below(40);
    struct tcpfsm_segment last = { .flags = 0 };
    unsigned last_sender = 0;
    const unsigned client = random_below(2);

    opens(&c);
    for (unsigned i = 0; i < count; i++) {
        const unsigned usual = i == 0 || i == 2 ? client : i == 1 ? !client : random_below(2);
        const unsigned sender = one_in(trouble) ? !usual : usual;
        const uint8_t flags = (uint8_t)(i == 0 ? TCP_SYN : i == 1 ? TCP_SYN | TCP_ACK
            : i > 5 && one_in(20) ? TCP_FIN | TCP_ACK : TCP_ACK);
        time_goes_by(&c);
        if (i == 1 || i == 2) /* or there is hardly a connection */
            c.end[sender].acked = c.end[!sender].next;
        struct tcpfsm_segment seg = segment(&c, sender, flags, i < 2 || one_in(2) ? 0 : random_below(1461));
        if (i == 1 || i == 2)
            seg.ack = c.end[!sender].next;
        if (one_in(trouble))
            disturb(&seg);
        take(&c, sender, &seg);
        if (i > 2 && one_in(trouble)) /* again, or the one before once more */
            take(&c, one_in(2) ? sender : last_sender, one_in(2) || last.flags == 0 ? &seg : &last);
        last = seg;
        last_sender = sender;
    }
}

int main(void)
{
    for (seed = 0; seed < CONNECTIONS; seed++) {
        state = seed * 0x9e3779b97f4a7c15u + 1;
        connection();
    }
    /* Else it has shown little. */
    CHECK(seen.runs > CONNECTIONS / 4 && seen.in_run > CONNECTIONS && seen.after_run > CONNECTIONS / 4);
    printf("%u runs, %u segments taken into them, %u after them\n", seen.runs, seen.in_run, seen.after_run);
    return 0;
}
