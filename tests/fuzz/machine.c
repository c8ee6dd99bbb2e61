/* machine.c
 * Fuzzes the machine, its log and the closer: any octets are a stream of segments (stream.h), and after
 * each segment what must always hold is checked. A breach prints what it was and aborts.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"
#include "log.h"
#include "legal.h"
#include "stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TIME_WAIT_US INT64_C(240000000)
#define SEGMENTS_MAX 2048 /* of one input; the rest is not read */

/* What was seen on a segment when it came. */
struct seen {
    uint32_t frame;
    uint8_t  layer;
    uint8_t  state[2], previous[2], confirmed[2];
    uint8_t  client, midstream, closed_by;
    struct tcpfsm_outcome out;
};

/* One pair of sockets, as pair.c keeps it. */
struct pair {
    struct tcpfsm m;
    struct log log;
    bool any_fin, any_rst; /* captured, or inferred, in any incarnation */
    struct legal_end proof[2];
    struct seen seen[SEGMENTS_MAX];
    unsigned count;
    uint64_t random; /* for the order of look-ups; not of time */
};

/* The same segments, seen otherwise: what is shown must not depend on it. */
struct twin {
    const char *name;
    uint32_t offset[2]; /* added to each end's numbers */
    int64_t  later_us;
    bool     swapped;   /* which end has which index */
    struct tcpfsm m;
};

static void make_room(struct pair *r, uint32_t entries)
{
    struct log *h = &r->log;

    if (h->room - h->count >= entries)
        return;
    h->room = h->room * 2 + entries;
    h->entry = realloc(h->entry, h->room * sizeof *h->entry);
    CHECK(h->entry != NULL, "out of memory");
}

/* ------------------------------------------------------------------ the step */

static void check_steps(const struct tcpfsm_change *change, uint8_t before, uint8_t after, const char *whose)
{
    uint8_t state = before;

    CHECK(change->previous == before, "%s: previous is %u, was %u", whose, change->previous, before);
    CHECK(change->count <= TCPFSM_STEPS_MAX, "%s: %u steps", whose, change->count);
    for (unsigned n = 0; n < change->count; n++) {
        fuzz_say("    %s: %u -(%u)-> %u\n", whose, state, change->event[n], change->state[n]);
        CHECK(legal_transition(state, change->event[n], change->state[n]), "%s: no such transition: %u -(%u)-> %u",
              whose, state, change->event[n], change->state[n]);
        state = change->state[n];
    }
    CHECK(state == after, "%s: steps end in %u, the state is %u", whose, state, after);
}

/* Newly confirmed: the segment must be one that such a state sends. */
static void check_proof(const struct pair *r, const struct tcpfsm_end *before, unsigned sender,
                        const struct tcpfsm_segment *seg)
{
    const struct tcpfsm_end *s = &r->m.end[sender], *p = &r->m.end[!sender];
    const struct tcpfsm_end *old = &before[!sender];

    CHECK(!p->confirmed || (old->confirmed && old->state == p->state), "the receiver's state %u is confirmed",
          p->state);
    if (!s->confirmed || (before[sender].confirmed && before[sender].state == s->state))
        return;
    CHECK(legal_proof(&r->proof[sender], &r->proof[!sender], seg, s->state), "flags %02x prove no state %u",
          seg->flags, s->state);
}

static void check_closer(const struct pair *r)
{
    switch ((enum tcp_closer)r->m.closed_by) {
    case TCP_CLOSER_NONE:
        break;
    case TCP_CLOSER_CLIENT:
    case TCP_CLOSER_SERVER:
    case TCP_CLOSER_SIMULTANEOUS:
        CHECK(r->any_fin, "closed by %u without a FIN", r->m.closed_by);
        break;
    case TCP_CLOSER_RESET_BY_CLIENT:
    case TCP_CLOSER_RESET_BY_SERVER:
    case TCP_CLOSER_REFUSED:
    case TCP_CLOSER_ICMP:
        CHECK(r->any_rst, "closed by %u without a RST", r->m.closed_by);
        break;
    default:
        CHECK(false, "no such closer: %u", r->m.closed_by);
    }
}

static void check_numbers(const struct tcpfsm_end *e)
{
    CHECK(e->state <= TCP_TIME_WAIT && e->live <= TCP_TIME_WAIT, "state %u, live %u", e->state, e->live);
    CHECK(e->held_count <= TCPFSM_HELD_MAX, "%u ranges held", e->held_count);
    for (unsigned i = 0; i < e->held_count; i++)
        CHECK(e->held[i].from != e->held[i].to, "an empty range is held");
}

/* ------------------------------------------------------------------ twins */

static void check_twin(struct twin *t, const struct pair *r, const struct stream_segment *in,
                       const struct tcpfsm_outcome *expected)
{
    const unsigned sender = in->sender ^ t->swapped;
    struct tcpfsm_segment seg = in->seg;
    struct tcpfsm_outcome out;

    seg.seq += t->offset[in->sender];
    seg.ack += t->offset[!in->sender];
    seg.time_us += t->later_us;
    tcpfsm_segment(&t->m, sender, t->swapped, &seg, TIME_WAIT_US, &out);
    CHECK(out.opened == expected->opened, "%s: opened differs", t->name);
    CHECK(t->m.client == (r->m.client ^ t->swapped) && t->m.midstream == r->m.midstream, "%s: client differs", t->name);
    for (unsigned i = 0; i < 2; i++) {
        const unsigned end = i ^ t->swapped;
        CHECK(memcmp(&out.end[end], &expected->end[i], sizeof out.end[end]) == 0, "%s: transitions differ: %u, not %u",
              t->name, t->m.end[end].state, r->m.end[i].state);
        CHECK(t->m.end[end].confirmed == r->m.end[i].confirmed, "%s: confirmed differs in state %u", t->name,
              r->m.end[i].state);
    }
}

/* ------------------------------------------------------------------ look-ups */

static uint64_t next_random(struct pair *r)
{
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    return r->random >> 33;
}

/* What is shown on a segment is what was seen when it came; `moved`: the segment is one of the log's own. */
static void check_view(const struct pair *r, const struct seen *s, uint32_t frame, uint8_t layer, bool moved)
{
    struct log_view v;
    uint32_t steps = 0;

    CHECK(log_find(&r->log, frame, layer, &v), "frame %" PRIu32 " layer %u shows nothing", frame, layer);
    for (unsigned i = 0; i < 2; i++) {
        const struct log_end *e = &v.end[i];
        CHECK(e->state == s->state[i] && e->confirmed == s->confirmed[i],
              "frame %" PRIu32 " end %u: shows %u %u, was %u %u", frame, i, e->state, e->confirmed, s->state[i],
              s->confirmed[i]);
        CHECK(e->previous == (moved ? s->previous[i] : s->state[i]), "frame %" PRIu32 " end %u: previous is %u", frame,
              i, e->previous);
        CHECK(e->since_frame <= frame, "frame %" PRIu32 " end %u: since %" PRIu32, frame, i, e->since_frame);
    }
    CHECK(v.client == s->client && v.midstream == s->midstream && v.closed_by == s->closed_by,
          "frame %" PRIu32 ": client, midstream or closer differs", frame);
    CHECK(v.opened == (moved && s->out.opened), "frame %" PRIu32 ": opened is %u", frame, v.opened);
    CHECK(v.in_between == (moved && s->out.in_between), "frame %" PRIu32 ": in_between is %u", frame, v.in_between);
    uint32_t next[2] = { 0, 0 };
    for (uint32_t n = 0; n < v.count; n++) {
        struct log_step step;
        if (!log_step(&v, n, &step))
            continue;
        const struct tcpfsm_change *change = &s->out.end[step.end];
        const uint32_t at = next[step.end]++;
        CHECK(moved && at < change->count, "frame %" PRIu32 ": a step too many", frame);
        CHECK(step.entered == change->state[at] && step.event == change->event[at]
              && step.left == (at ? change->state[at - 1] : change->previous),
              "frame %" PRIu32 ": another step", frame);
        CHECK(step.dwell_ns >= 0, "frame %" PRIu32 ": negative dwell", frame);
        steps++;
    }
    CHECK(!moved || steps == (uint32_t)s->out.end[0].count + s->out.end[1].count, "frame %" PRIu32 ": a step too few",
          frame);
}

static void check_lookups(struct pair *r)
{
    if (r->count == 0)
        return;
    const struct seen *last = &r->seen[r->count - 1];
    for (unsigned i = 0; i < r->count; i++) {
        const struct seen *s = &r->seen[next_random(r) % r->count];
        check_view(r, s, s->frame, s->layer, true);
        check_view(r, s, s->frame, (uint8_t)(s->layer + 1), false); /* until the next segment */
    }
    check_view(r, last, UINT32_MAX, UINT8_MAX, false);
}

/* ------------------------------------------------------------------ a conversation */

static bool begins_anew(const struct tcpfsm_change *change)
{
    for (unsigned n = 0; n < change->count; n++) {
        if (change->event[n] == TCP_EV_RCV_SYN || change->event[n] == TCP_EV_OTHER_CONNECTION)
            return true;
    }
    return false;
}

/* A segment that changed what is shown is told of: else the log would miss it. */
static void check_news(const struct tcpfsm *before, const struct tcpfsm *after, const struct tcpfsm_outcome *out,
                       bool news)
{
    const bool differs = out->opened || out->in_between || out->end[0].count > 0 || out->end[1].count > 0
        || before->end[0].confirmed != after->end[0].confirmed || before->end[1].confirmed != after->end[1].confirmed
        || before->client != after->client || before->midstream != after->midstream
        || before->closed_by != after->closed_by || before->reset_cause != after->reset_cause
        || before->reset_confirmed != after->reset_confirmed;

    CHECK(news || !differs, "what is shown has changed, and that was not told");
}

/* A segment that only moves numbers moves them as the rules for all segments do. */
static void check_in_order(const struct tcpfsm *before, const struct pair *r, const struct stream_segment *in)
{
    struct tcpfsm general = *before;
    struct tcpfsm_outcome out;

    general.calm = false;
    tcpfsm_segment(&general, in->sender, 0, &in->seg, TIME_WAIT_US, &out);
    CHECK(memcmp(&general, &r->m, sizeof general) == 0, "in order, the machine is another");
}

static void take(struct pair *r, struct twin *twins, unsigned twin_count, const struct stream_segment *in)
{
    const struct tcpfsm machine_before = r->m;
    const struct tcpfsm_end *before = machine_before.end;
    const bool first = !r->m.started;
    struct seen *s = &r->seen[r->count++];
    struct tcpfsm_outcome out = { .opened = false };

    const bool news = tcpfsm_segment(&r->m, in->sender, 0, &in->seg, TIME_WAIT_US, &out);
    fuzz_say("frame %" PRIu32 " %c flags %02x seq %" PRIu32 " ack %" PRIu32 " len %" PRIu32 " ts %d: %u%s %u%s\n",
             in->frame, "AB"[in->sender], in->seg.flags, in->seg.seq, in->seg.ack, in->seg.len,
             in->seg.has_tsval ? (int)in->seg.tsval : -1, r->m.end[0].state, r->m.end[0].confirmed ? "" : "?",
             r->m.end[1].state, r->m.end[1].confirmed ? "" : "?");
    r->any_fin |= (in->seg.flags & TCP_FIN) || r->m.end[0].fin_inferred || r->m.end[1].fin_inferred;
    r->any_rst |= (in->seg.flags & TCP_RST) != 0;
    for (unsigned i = 0; i < 2; i++) {
        check_steps(&out.end[i], first ? out.end[i].previous : before[i].state, r->m.end[i].state, i ? "B" : "A");
        check_numbers(&r->m.end[i]);
    }
    check_proof(r, before, in->sender, &in->seg);
    if (out.opened) { /* FINs captured before may be of an older incarnation */
        r->proof[0].surely_from = r->proof[0].fins;
        r->proof[1].surely_from = r->proof[1].fins;
    }
    legal_note(&r->proof[in->sender], &in->seg, r->m.end[in->sender].state);
    if (begins_anew(&out.end[!in->sender])) /* its FINs so far may be of the incarnation before */
        r->proof[!in->sender].surely_from = r->proof[!in->sender].fins;
    check_closer(r);
    check_news(&machine_before, &r->m, &out, news);
    check_in_order(&machine_before, r, in);
    for (unsigned i = 0; i < twin_count; i++)
        check_twin(&twins[i], r, in, &out);

    const struct log_position at = { .time_ns = in->seg.time_us * 1000, .frame = in->frame, .layer = in->layer };
    if (news) {
        make_room(r, log_entries_of(&out));
        log_append(&r->log, &at, in->sender, &r->m, &out);
    }
    *s = (struct seen){
        .frame = in->frame, .layer = in->layer, .state = { r->m.end[0].state, r->m.end[1].state },
        .previous = { out.end[0].previous, out.end[1].previous }, .client = r->m.client,
        .confirmed = { r->m.end[0].confirmed, r->m.end[1].confirmed },
        .midstream = r->m.midstream, .closed_by = r->m.closed_by, .out = out,
    };
    check_view(r, s, in->frame, in->layer, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pair r; /* too large for the stack */
    struct twin twins[] = {
        { .name = "sequence numbers moved", .offset = { 0x9e3779b9u, 0x7ffffc17u } },
        { .name = "ends swapped", .swapped = true },
        { .name = "time moved", .later_us = INT64_C(-77777777777) },
    };
    struct stream stream;
    struct stream_segment in;

    memset(&r, 0, sizeof r);
    stream_begin(&stream, data, size);
    for (unsigned n = 0; n < SEGMENTS_MAX && stream_next(&stream, &in); n++) {
        take(&r, twins, sizeof twins / sizeof *twins, &in);
    }
    check_lookups(&r);
    free(r.log.entry);
    return 0;
}
