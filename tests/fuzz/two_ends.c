/* two_ends.c
 * Fuzzes what is confirmed: two endpoints that obey RFC 9293 talk over a wire that loses, delays, doubles
 * and reorders, before and after the place of capture; any octets say what happens next. A state that a
 * captured segment proves must be one in which its sender was when it sent that segment, or has been since.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "endpoint.h"
#include "fuzz.h"

#include <inttypes.h>
#include <string.h>

#define TIME_WAIT_US INT64_C(240000000)
#define ON_WIRE 8 /* segments on a stretch of the wire; more are lost */
#define STEPS_MAX 1000

/* A stretch of the wire, oldest first. */
struct stretch {
    struct sent at[ON_WIRE];
    unsigned count;
};

struct world {
    struct endpoint end[2];
    struct stretch before[2], after[2]; /* the place of capture; by sender */
    struct tcpfsm m;
    int64_t now_us;
    uint32_t frame, opened;
    bool fin_captured[2];     /* since its latest SYN */
    uint32_t captured_iss[2]; /* number of that SYN */
    uint16_t seen[2][STEPS_MAX + 1]; /* states that each end has been in after each step, as bits */
    uint32_t steps;
};

static void push(struct stretch *s, const struct sent *sent)
{
    if (s->count < ON_WIRE)
        s->at[s->count++] = *sent;
}

static void push_new(struct world *w, unsigned sender, struct sent *sent)
{
    sent->moment = w->steps;
    push(&w->before[sender], sent);
}

static bool pull(struct stretch *s, unsigned index, bool keep, struct sent *out)
{
    if (s->count == 0)
        return false;
    index %= s->count;
    *out = s->at[index];
    if (!keep) {
        s->count--;
        memmove(&s->at[index], &s->at[index + 1], (s->count - index) * sizeof s->at[0]);
    }
    return true;
}

/* The end was in that state when it sent the segment, or has been since. LISTEN counts as CLOSED: no connection. */
static bool was_in(const struct world *w, unsigned end, const struct sent *sent, uint8_t state)
{
    unsigned seen = 1u << sent->state;

    for (uint32_t i = sent->moment; i < w->steps; i++)
        seen |= w->seen[end][i];
    /* No capture can know of a FIN that was lost on the way to it, while what comes before it is sent again. */
    if (!w->fin_captured[end] && (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) && sent->closing)
        return true;
    /* Nor of a new connection whose SYN was lost on the way to it: what the end refuses is of the old one. */
    if (w->captured_iss[end] != sent->iss && state == TCP_CLOSED)
        return true;
    /* A known defect, see README.md beside this: a bare ACK in a simultaneous open captured in another order. */
    if (w->end[1].opened_actively && state == TCP_ESTABLISHED && sent->state == TCP_SYN_RCVD)
        return true;
    return (seen >> state & 1) || (state == TCP_CLOSED && (seen >> TCP_LISTEN & 1));
}

static void capture(struct world *w, unsigned sender, const struct sent *sent)
{
    const struct tcpfsm_end before = w->m.end[sender], peer = w->m.end[!sender];
    struct tcpfsm_segment seg = sent->seg;
    struct tcpfsm_outcome out;

    seg.time_us = w->now_us;
    tcpfsm_segment(&w->m, sender, 0, &seg, TIME_WAIT_US, &out);
    fuzz_say("frame %" PRIu32 " %c flags %02x seq %" PRIu32 " ack %" PRIu32 " len %" PRIu32 " from %u: %u%s %u%s\n",
             ++w->frame, "AB"[sender], seg.flags, seg.seq, seg.ack, seg.len, sent->state, w->m.end[0].state,
             w->m.end[0].confirmed ? "" : "?", w->m.end[1].state, w->m.end[1].confirmed ? "" : "?");
    w->fin_captured[sender] = (seg.flags & TCP_FIN) || (w->fin_captured[sender] && !(seg.flags & TCP_SYN));
    if (seg.flags & TCP_SYN)
        w->captured_iss[sender] = seg.seq;
    const struct tcpfsm_end *s = &w->m.end[sender], *p = &w->m.end[!sender];
    CHECK(!p->confirmed || (peer.confirmed && peer.state == p->state), "confirmed by what it received");
    if (s->confirmed && !(before.confirmed && before.state == s->state))
        CHECK(was_in(w, sender, sent, s->state), "state %u is confirmed, it was %u", s->state, sent->state);
}

static void act(struct world *w, unsigned what, unsigned end)
{
    struct sent room[4];
    struct outbox out = { room, 0 };
    struct endpoint *e = &w->end[end];

    switch (what) {
    case 0:
        if (end == 0 ? w->opened == 0 : e->listens) /* A opens first, and B may open too: simultaneous open */
            endpoint_open(e, 1000000 * ++w->opened + end * 500000, &out);
        break;
    case 1:
        endpoint_send(e, 1, &out);
        break;
    case 2:
        endpoint_send(e, 100, &out);
        break;
    case 3:
        endpoint_acknowledge(e, &out);
        break;
    case 4:
        endpoint_close(e, &out);
        break;
    case 5:
        endpoint_retransmit(e, &out);
        break;
    case 6:
        if (!w->end[1].opened_actively) /* not in a simultaneous open, see README.md beside this */
            endpoint_abort(e, &out);
        break;
    default:
        w->now_us += TIME_WAIT_US;
        endpoint_expire(&w->end[0]);
        endpoint_expire(&w->end[1]);
        break;
    }
    for (unsigned i = 0; i < out.count; i++)
        push_new(w, end, &room[i]);
}

static void deliver(struct world *w, unsigned sender, unsigned index, bool again)
{
    struct sent sent, room[4];
    struct outbox out = { room, 0 };

    if (!pull(&w->after[sender], index, again, &sent))
        return;
    endpoint_receive(&w->end[!sender], &sent.seg, &out);
    for (unsigned i = 0; i < out.count; i++)
        push_new(w, !sender, &room[i]);
}

/*
 * One octet, one step: bit 0 the end, bits 1 to 3 which segment or act, bits 4 to 7 what happens. Mostly
 * segments go on in order.
 */
static void step(struct world *w, uint8_t octet)
{
    const unsigned end = octet & 1, which = octet >> 1 & 7, what = octet >> 4;
    struct sent sent;

    w->now_us += 1000;
    if (w->end[1].state != TCP_LISTEN)
        w->end[1].listens = false; /* one connection, no more */
    for (unsigned i = 0; i < 2; i++)
        w->seen[i][w->steps] = (uint16_t)(1u << w->end[i].state);
    w->steps++;
    switch (what) {
    case 0: case 1: case 2: case 3: /* to the place of capture, and on */
        if (pull(&w->before[end], 0, false, &sent)) {
            capture(w, end, &sent);
            push(&w->after[end], &sent);
        }
        break;
    case 4: case 5: case 6: case 7: /* to its receiver */
        deliver(w, end, 0, false);
        break;
    case 8: /* out of order */
        if (pull(&w->before[end], which, false, &sent)) {
            capture(w, end, &sent);
            push(&w->after[end], &sent);
        }
        break;
    case 9:
        deliver(w, end, which, false);
        break;
    case 10: /* lost */
        pull(&w->before[end], which, false, &sent);
        break;
    case 11:
        if (which & 1)
            pull(&w->after[end], which, false, &sent);
        else
            deliver(w, end, which, true); /* and once more later */
        break;
    default:
        act(w, which, end);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;

    memset(&w, 0, sizeof w);
    w.end[1].listens = true;
    w.end[1].state = TCP_LISTEN;
    act(&w, 0, 0);
    for (size_t i = 0; i < size && i < STEPS_MAX; i++)
        step(&w, data[i]);
    return 0;
}
