/* ladder_machine.c
 * Moves the machine and the log by the rows of ladders, and checks that both show the same.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ladder.h"

#include "call.h"

#include <string.h>

/* The numbers as this reading has them: each end's first is the last before 0. */
static void shift_numbers(struct player *p, const struct row *row, struct tcpfsm_segment *seg)
{
    const unsigned src = row->sender, dst = !src;

    if (!p->reading->wraps)
        return;
    if (!p->has_offset[src])
        p->offset[src] = UINT32_MAX - seg->seq;
    p->has_offset[src] = true;
    seg->seq += p->offset[src];
    if (!(seg->flags & TCP_ACK))
        return;
    if (!p->has_offset[dst])
        p->offset[dst] = -seg->ack;
    p->has_offset[dst] = true;
    seg->ack += p->offset[dst];
}

/* Returns whether anything that is shown changed. */
static bool move(struct player *p, unsigned sender, const struct tcpfsm_segment *seg, struct tcpfsm_outcome *out)
{
    if (p->reading->all_rules)
        p->m.calm = false;
    if (seg->flags & QUOTED)
        return tcpfsm_icmp_error(&p->m, sender, seg->seq, seg->time_us, out);
    return tcpfsm_segment(&p->m, sender, sender, seg, TIME_WAIT_US, out);
}

static bool shows_the_same(const struct log_view *a, const struct log_view *b)
{
    for (unsigned i = 0; i < 2; i++) {
        if (a->end[i].state != b->end[i].state || a->end[i].confirmed != b->end[i].confirmed)
            return false;
    }
    return a->client == b->client && a->midstream == b->midstream && a->closed_by == b->closed_by;
}

/* The log shows what the machine knows, and has no entry that shows nothing new. */
static void check_log(struct player *p, const struct tcpfsm_outcome *out, bool news)
{
    const struct log_view *shown = &p->shown[p->segments];
    struct log_view known = { .client = p->m.client, .midstream = p->m.midstream, .closed_by = p->m.closed_by };

    for (unsigned i = 0; i < 2; i++) {
        known.end[i].state = p->m.end[i].state;
        known.end[i].confirmed = p->m.end[i].confirmed;
    }
    if (!shows_the_same(shown, &known))
        complain(p, "is shown otherwise than the machine knows it", "row");
    const bool changes = out->opened || out->tries_on || out->in_between || out->end[0].count || out->end[1].count;
    if (news && p->segments > 0 && !changes && shows_the_same(shown, shown - 1)
        && shown->reset_cause == shown[-1].reset_cause && shown->reset_confirmed == shown[-1].reset_confirmed)
        complain(p, "is written down, though it shows nothing new", "row");
}

/* Anomalies and calls of a row. */
static void tell_row(const struct log_view *view, struct shown_row *row)
{
    row->calls = row->seg.flags & QUOTED ? 0 : calls_of(view, row->sender, &row->seg);
    row->anomalies = anomalies_of(view, row->sender, &row->seg, STUCK_NS);
}

/* Writes into the log what the segment did, if that is news. Leaves what is shown on it, and its anomalies. */
static void note(struct player *p, unsigned sender, const struct tcpfsm_segment *seg, const struct tcpfsm_outcome *out,
                 bool news)
{
    const uint32_t n = p->segments, in_pairs = p->reading->in_pairs;
    const struct log_position at = {
        .time_ns = seg->time_us * 1000, .frame = in_pairs ? n / 2 + 1 : n + 1, .layer = in_pairs ? n % 2 : 0,
    };
    struct log_view *shown = &p->shown[n];

    p->log.entry = p->entry;
    p->log.race = p->race;
    p->log.race_room = ROWS_MAX;
    const bool stuck = !(seg->flags & QUOTED) && p->m.end[sender].state == TCP_CLOSE_WAIT
        && log_notes_stuck(&p->log, sender, seg, at.time_ns, STUCK_NS);
    if (news || stuck)
        log_append(&p->log, &at, sender, &p->m, out);
    if (!log_find(&p->log, at.frame, at.layer, shown)) {
        complain(p, "is not found", "row");
        return;
    }
    check_log(p, out, news);
    struct shown_row *row = &p->shown_row[n];
    *row = (struct shown_row){ .seg = *seg, .sender = sender };
    tell_row(shown, row);
    if (row->anomalies && !anomalies_are_possible(shown, sender, seg))
        complain(p, "has anomalies, which are said to be impossible", "row");
}

void check_again(struct player *p)
{
    for (unsigned n = p->segments; n-- > 0;) {
        const uint32_t frame = p->reading->in_pairs ? n / 2 + 1 : n + 1;
        const struct log_view *then = &p->shown[n];
        struct shown_row again = p->shown_row[n];
        struct log_view now;

        if (!log_find(&p->log, frame, p->reading->in_pairs ? n % 2 : 0, &now) || now.first != then->first
            || now.count != then->count || memcmp(now.end, then->end, sizeof now.end) != 0
            || now.closed_by != then->closed_by || now.in_between != then->in_between
            || now.reset_cause != then->reset_cause || now.reset_confirmed != then->reset_confirmed
            || now.client != then->client || now.midstream != then->midstream)
            complain(p, "is shown otherwise than before", "an earlier row");
        tell_row(&now, &again);
        if (again.anomalies != p->shown_row[n].anomalies || again.calls != p->shown_row[n].calls
            || log_race_idle_ns(&now) != log_race_idle_ns(then))
            complain(p, "tells of other anomalies, calls or races than before", "an earlier row");
    }
}

void play(struct player *p, struct row *row)
{
    const unsigned sender = end_of(p, row->sender);
    struct tcpfsm_outcome out;

    end_row(p);
    if (p->segments == ROWS_MAX) {
        complain(p, "is a row too many", row->a);
        return;
    }
    p->now_us += 100000;
    row->seg.time_us = p->now_us;
    shift_numbers(p, row, &row->seg);
    const bool news = move(p, sender, &row->seg, &out);
    for (unsigned end = 0; end < 2; end++) {
        const struct tcpfsm_change *change = &out.end[end_of(p, end)];
        const uint8_t last = change->count ? change->state[change->count - 1] : change->previous;
        if (last != p->m.end[end_of(p, end)].state)
            complain(p, "the reported steps do not lead to the state of", end ? "B" : "A");
    }
    check_end(p, 0, row->a);
    check_end(p, 1, row->b);
    note(p, sender, &row->seg, &out, news);
    p->latest = out;
    p->row_line = p->line;
    p->segments++;
}
