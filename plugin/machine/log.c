/* log.c
 * The log of a pair of sockets: what was shown, and from which segment on.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "log.h"

/* How far back a correction is followed to the time when the state that it restores was entered. */
#define CORRECTION_DEPTH 4

static uint8_t state_of(const struct log_entry *e, unsigned end)
{
    return (uint8_t)(end ? e->state1 : e->state0);
}

static uint32_t since_of(const struct log_entry *e, unsigned end)
{
    return end ? e->since1 : e->since0;
}

/* The state of an end before the entry with that index. */
static uint8_t state_before(const struct log *log, uint32_t index, unsigned end)
{
    return index ? state_of(&log->entry[index - 1], end) : log->initial[end];
}

/* When an end had entered its state before the entry with that index. */
static uint32_t since_before(const struct log *log, uint32_t index, unsigned end)
{
    return index ? since_of(&log->entry[index - 1], end) : LOG_UNSEEN;
}

/*
 * A proof that an assumption was wrong puts the end back into a state which it had never left, and
 * which has lasted since then. Leaves *since alone if it was in no such state of late.
 */
static void find_restored(const struct log *log, unsigned end, uint8_t state, uint32_t *since)
{
    uint32_t index = log->count;

    for (unsigned depth = 0; depth < CORRECTION_DEPTH; depth++) {
        const uint32_t entered = since_before(log, index, end);
        if (entered == LOG_UNSEEN)
            return;
        index = entered;
        if (state_before(log, index, end) == state) {
            *since = since_before(log, index, end);
            return;
        }
        if (log->entry[index].opened)
            return; /* what was before is of another incarnation */
    }
}

/* It has sent more numbers than its SYN's and its FIN's. */
static bool has_sent_data(const struct tcpfsm_end *e)
{
    return (e->knows_iss & e->knows_snd_nxt) && e->snd_nxt - e->iss > 1U + e->knows_fin;
}

static struct log_facts facts_of(const struct log *log, const struct tcpfsm *m)
{
    return (struct log_facts){
        .confirmed0 = m->end[0].confirmed, .confirmed1 = m->end[1].confirmed, .client = m->client,
        .midstream = m->midstream, .closed_by = m->closed_by, .local = log->facts.local,
        .local_by = log->facts.local_by, .stuck = log->facts.stuck,
        .reset_confirmed = m->reset_confirmed, .data0 = has_sent_data(&m->end[0]), .data1 = has_sent_data(&m->end[1]),
    };
}

/* The latest entry; before the first, an end is in its initial state, unseen. */
static struct log_entry latest_entry(const struct log *log)
{
    if (log->count > 0)
        return log->entry[log->count - 1];
    return (struct log_entry){ .since0 = LOG_UNSEEN, .since1 = LOG_UNSEEN,
                               .state0 = log->initial[0] & 0xf, .state1 = log->initial[1] & 0xf };
}

/* Writes an entry for each transition of an end: each as e, which becomes the latest. */
static void append_transitions(struct log *log, struct log_entry *e, unsigned end, const struct tcpfsm_change *change)
{
    for (unsigned n = 0; n < change->count; n++) {
        const uint8_t state = change->state[n], event = change->event[n];
        uint32_t since = log->count < LOG_UNSEEN ? log->count : LOG_UNSEEN;
        if (tcp_event_corrects(event))
            find_restored(log, end, state, &since);
        if (end == 0) {
            e->state0 = state & 0xf;
            e->since0 = since & LOG_UNSEEN;
        } else {
            e->state1 = state & 0xf;
            e->since1 = since & LOG_UNSEEN;
        }
        e->end = end & 1;
        e->event = event & 0x1f;
        log->entry[log->count++] = *e;
    }
}

bool log_notes_stuck(struct log *log, unsigned sender, const struct tcpfsm_segment *seg, int64_t now_ns,
                     int64_t stuck_ns)
{
    const struct log_entry *latest = log->count ? &log->entry[log->count - 1] : NULL;

    if (!latest || state_of(latest, sender) != TCP_CLOSE_WAIT || since_of(latest, sender) == LOG_UNSEEN
        || seg->len > 0 || (log->facts.stuck & 1U << sender)
        || log_elapsed_ns(log->entry[since_of(latest, sender)].time_ns, now_ns) <= stuck_ns)
        return false;
    log->facts.stuck |= 1U << sender & 3;
    return true;
}

void log_append(struct log *log, const struct log_position *at, unsigned sender, const struct tcpfsm *m,
                const struct tcpfsm_outcome *out)
{
    const uint32_t before = log->count;

    if (before == 0) {
        log->initial[0] = out->end[0].previous;
        log->initial[1] = out->end[1].previous;
    }
    if (log->facts.stuck) { /* an end that moves is not */
        const unsigned moves = (out->end[0].count > 0 ? 1 : 0) | (out->end[1].count > 0 ? 2 : 0);
        log->facts.stuck &= ~moves & 3;
    }
    log->facts = facts_of(log, m);
    struct log_entry e = latest_entry(log);
    e.time_ns = at->time_ns;
    e.frame = at->frame;
    e.layer = at->layer;
    e.facts = log->facts;
    e.reset_cause = m->reset_cause;
    e.opened = out->opened;
    e.in_between = 0;
    for (unsigned i = 0; i < 2; i++)
        append_transitions(log, &e, sender ^ i, &out->end[sender ^ i]);
    if (log->count == before) {
        e.end = 0;
        e.event = TCP_EV_NONE;
        log->entry[log->count++] = e;
    }
    if (out->in_between)
        log->entry[log->count - 1].in_between = 1;
    if (m->race_idle_us && log->races < log->race_room)
        log->race[log->races++] = (struct log_race){ .idle_ns = m->race_idle_us * 1000, .entry = before };
}

static bool is_after(const struct log_entry *e, uint32_t frame, uint8_t layer)
{
    return e->frame > frame || (e->frame == frame && e->layer > layer);
}

/* The number of entries that are not after the segment. */
static uint32_t count_up_to(const struct log *log, uint32_t frame, uint8_t layer)
{
    uint32_t low = 0, high = log->count;

    if (high > 0 && !is_after(&log->entry[high - 1], frame, layer))
        return high; /* on the first pass always */
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (is_after(&log->entry[middle], frame, layer))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void view_end(struct log_view *view, unsigned end, const struct log_entry *shown)
{
    const struct log *log = view->log;
    struct log_end *v = &view->end[end];
    const uint32_t since = since_of(shown, end);

    v->state = state_of(shown, end);
    v->previous = view->count ? state_before(log, view->first, end) : v->state;
    v->confirmed = end ? shown->facts.confirmed1 : shown->facts.confirmed0;
    v->event = TCP_EV_NONE;
    v->since_frame = 0;
    v->since_ns = 0;
    if (since != LOG_UNSEEN) {
        const struct log_entry *entered = &log->entry[since];
        v->since_frame = entered->frame;
        v->since_ns = entered->time_ns;
        if (entered->end == end)
            v->event = entered->event;
    }
}

/* Completes a view whose log, first and count are set. */
static void view_entry(struct log_view *view, const struct log_entry *shown)
{
    view_end(view, 0, shown);
    view_end(view, 1, shown);
    view->client = shown->facts.client;
    view->local = shown->facts.local;
    view->local_by = shown->facts.local_by;
    view->midstream = shown->facts.midstream;
    view->opened = view->count && shown->opened;
    view->in_between = view->count && shown->in_between;
    view->closed_by = shown->facts.closed_by;
    view->reset_cause = shown->reset_cause;
    view->reset_confirmed = shown->facts.reset_confirmed;
}

bool log_find(const struct log *log, uint32_t frame, uint8_t layer, struct log_view *view)
{
    const uint32_t after = count_up_to(log, frame, layer);

    if (after == 0)
        return false;
    view->log = log;
    view->first = after;
    while (view->first > 0 && log->entry[view->first - 1].frame == frame && log->entry[view->first - 1].layer == layer)
        view->first--;
    view->count = after - view->first;
    view_entry(view, &log->entry[after - 1]);
    return true;
}

void log_at(const struct log *log, uint32_t index, struct log_view *view)
{
    view->log = log;
    view->first = index + 1;
    view->count = 0;
    view_entry(view, &log->entry[index]);
}

/* All entries of a segment that began an incarnation are marked: it begins with the first of them. */
static bool begins_incarnation(const struct log *log, uint32_t index)
{
    const struct log_entry *e = &log->entry[index], *before = index ? e - 1 : NULL;

    return e->opened && !(before && before->opened && before->frame == e->frame && before->layer == e->layer);
}

uint32_t log_next_opening(const struct log *log, uint32_t from)
{
    while (from < log->count && !begins_incarnation(log, from))
        from++;
    return from < log->count ? from : log->count;
}

uint32_t log_opening_of(const struct log *log, uint32_t index)
{
    while (index > 0 && !begins_incarnation(log, index))
        index--;
    return index;
}

bool log_step(const struct log_view *view, uint32_t n, struct log_step *step)
{
    const struct log *log = view->log;
    const uint32_t index = view->first + n;
    const struct log_entry *e = &log->entry[index];
    const uint32_t entered = since_before(log, index, e->end);

    if (e->event == TCP_EV_NONE)
        return false;
    step->end = e->end;
    step->event = e->event;
    step->left = state_before(log, index, e->end);
    step->entered = state_of(e, e->end);
    step->has_dwell = entered != LOG_UNSEEN && since_of(e, e->end) == index;
    step->dwell_ns = step->has_dwell ? log_elapsed_ns(log->entry[entered].time_ns, e->time_ns) : 0;
    return true;
}

int64_t log_race_idle_ns(const struct log_view *view)
{
    for (uint32_t n = 0; view->count && n < view->log->races; n++) {
        if (view->log->race[n].entry == view->first)
            return view->log->race[n].idle_ns;
    }
    return -1;
}

static struct log_facts facts_before(const struct log_view *view)
{
    return view->first ? view->log->entry[view->first - 1].facts : (struct log_facts){ 0 };
}

unsigned log_stuck_before(const struct log_view *view)
{
    return facts_before(view).stuck;
}

unsigned log_stuck_by(const struct log_view *view)
{
    return view->count ? view->log->entry[view->first + view->count - 1].facts.stuck & ~log_stuck_before(view) : 0;
}

uint8_t log_entered_from(const struct log_view *view, unsigned end)
{
    const struct log *log = view->log;
    const uint32_t since = since_before(log, view->first + view->count, end);

    return since == LOG_UNSEEN ? view->end[end].state : state_before(log, since, end);
}

bool log_confirmed_before(const struct log_view *view, unsigned end)
{
    const struct log_facts before = facts_before(view);

    return end ? before.confirmed1 : before.confirmed0;
}

int64_t log_elapsed_ns(int64_t from_ns, int64_t to_ns)
{
    if (to_ns <= from_ns)
        return 0;
    return from_ns < 0 && to_ns > INT64_MAX + from_ns ? INT64_MAX : to_ns - from_ns;
}
