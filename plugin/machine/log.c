/* log.c
 * What one connection showed, and from which segment on.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "log.h"

#include <string.h>

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
static uint8_t state_before(const struct log *h, uint32_t index, unsigned end)
{
    return index ? state_of(&h->entry[index - 1], end) : h->initial[end];
}

/* When an end had entered its state before the entry with that index. */
static uint32_t since_before(const struct log *h, uint32_t index, unsigned end)
{
    return index ? since_of(&h->entry[index - 1], end) : LOG_UNSEEN;
}

/*
 * A proof that an assumption was wrong puts the end back into a state which it had never left, and
 * which has lasted since then. Returns false if it was in no such state of late.
 */
static bool find_restored(const struct log *h, unsigned end, uint8_t state, uint32_t *since)
{
    uint32_t index = h->count;

    for (unsigned depth = 0; depth < CORRECTION_DEPTH; depth++) {
        const uint32_t entered = since_before(h, index, end);
        if (entered == LOG_UNSEEN)
            return false;
        index = entered;
        if (state_before(h, index, end) == state) {
            *since = since_before(h, index, end);
            return true;
        }
        if (h->entry[index].opened)
            return false; /* what was before is of another incarnation */
    }
    return false;
}

/* Whether there is anything to write down of a segment that did this. */
static bool has_news(const struct log *h, const struct tcpfsm_outcome *out)
{
    if (h->count == 0 || out->opened || out->end[0].count || out->end[1].count)
        return true;
    return memcmp(&h->entry[h->count - 1].facts, &h->facts, sizeof h->facts) != 0;
}

/* What an entry says of the two ends. */
struct ends {
    uint8_t state[2];
    uint32_t since[2];
};

static void append(struct log *h, const struct occasion *at, const struct ends *ends, bool opened,
                   unsigned end, uint8_t event)
{
    h->entry[h->count++] = (struct log_entry){
        .time_ns = at->time_ns, .frame = at->frame, .layer = at->layer, .facts = h->facts,
        .since0 = ends->since[0] & LOG_UNSEEN, .since1 = ends->since[1] & LOG_UNSEEN,
        .state0 = ends->state[0] & 0xf, .state1 = ends->state[1] & 0xf,
        .event = event & 0x1f, .end = end & 1, .opened = opened,
    };
}

void log_append(struct log *h, const struct occasion *at, const struct tcpfsm_outcome *out)
{
    const uint32_t before = h->count;

    if (!has_news(h, out))
        return;
    if (before == 0) {
        h->initial[0] = out->end[0].previous;
        h->initial[1] = out->end[1].previous;
    }
    struct ends ends = {
        .state = { state_before(h, before, 0), state_before(h, before, 1) },
        .since = { since_before(h, before, 0), since_before(h, before, 1) },
    };
    for (unsigned i = 0; i < 2; i++) {
        const unsigned end = at->sender ^ i;
        const struct tcpfsm_change *change = &out->end[end];
        for (unsigned n = 0; n < change->count; n++) {
            ends.state[end] = change->state[n];
            ends.since[end] = h->count < LOG_UNSEEN ? h->count : LOG_UNSEEN;
            if (change->event[n] >= TCP_EV_SYN_REPEATED) /* the first of those that correct */
                find_restored(h, end, change->state[n], &ends.since[end]);
            append(h, at, &ends, out->opened, end, change->event[n]);
        }
    }
    if (h->count == before)
        append(h, at, &ends, out->opened, 0, TCP_EV_NONE);
}

void log_inherit(struct log *h, const struct log *old)
{
    h->facts = old->facts;
    if (old->count == 0)
        return;
    const struct log_entry last = old->entry[old->count - 1];
    const uint32_t since[2] = { last.since0, last.since1 };
    const unsigned earlier = since[1] < since[0];
    struct log_entry taken = last;

    taken.event = TCP_EV_NONE;
    taken.opened = 0;
    taken.since0 = taken.since1 = LOG_UNSEEN;
    for (unsigned i = 0; i < 2; i++) {
        const unsigned end = earlier ^ i;
        if (since[end] == LOG_UNSEEN)
            continue;
        taken.time_ns = old->entry[since[end]].time_ns;
        taken.frame = old->entry[since[end]].frame;
        taken.layer = old->entry[since[end]].layer;
        if (end)
            taken.since1 = h->count & LOG_UNSEEN;
        else
            taken.since0 = h->count & LOG_UNSEEN;
        h->entry[h->count++] = taken;
    }
    if (h->count == 0)
        h->entry[h->count++] = taken;
}

static bool is_after(const struct log_entry *e, uint32_t frame, uint8_t layer)
{
    return e->frame > frame || (e->frame == frame && e->layer > layer);
}

/* The number of entries that are not after the segment. */
static uint32_t count_up_to(const struct log *h, uint32_t frame, uint8_t layer)
{
    uint32_t low = 0, high = h->count;

    if (high > 0 && !is_after(&h->entry[high - 1], frame, layer))
        return high; /* on the first pass always */
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (is_after(&h->entry[middle], frame, layer))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void view_end(struct log_view *view, unsigned end, const struct log_entry *shown)
{
    const struct log *h = view->log;
    struct log_end *v = &view->end[end];
    const uint32_t since = since_of(shown, end);

    v->state = state_of(shown, end);
    v->previous = view->count ? state_before(h, view->first, end) : v->state;
    v->confirmed = end ? shown->facts.confirmed1 : shown->facts.confirmed0;
    v->event = TCP_EV_NONE;
    v->since_frame = 0;
    v->since_ns = 0;
    if (since != LOG_UNSEEN) {
        const struct log_entry *entered = &h->entry[since];
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
    view->closed_by = shown->facts.closed_by;
}

bool log_find(const struct log *h, uint32_t frame, uint8_t layer, struct log_view *view)
{
    const uint32_t after = count_up_to(h, frame, layer);

    if (after == 0)
        return false;
    view->log = h;
    view->first = after;
    while (view->first > 0 && h->entry[view->first - 1].frame == frame && h->entry[view->first - 1].layer == layer)
        view->first--;
    view->count = after - view->first;
    view_entry(view, &h->entry[after - 1]);
    return true;
}

void log_at(const struct log *h, uint32_t index, struct log_view *view)
{
    view->log = h;
    view->first = index + 1;
    view->count = 0;
    view_entry(view, &h->entry[index]);
}

/* All entries of a segment that began an incarnation are marked: it begins with the first of them. */
uint32_t log_next_opening(const struct log *h, uint32_t from)
{
    for (uint32_t n = from; n < h->count; n++) {
        const struct log_entry *e = &h->entry[n], *before = n ? e - 1 : NULL;
        if (e->opened && !(before && before->opened && before->frame == e->frame && before->layer == e->layer))
            return n;
    }
    return h->count;
}

bool log_step(const struct log_view *view, uint32_t n, struct log_step *step)
{
    const struct log *h = view->log;
    const uint32_t index = view->first + n;
    const struct log_entry *e = &h->entry[index];
    const uint32_t entered = since_before(h, index, e->end);

    if (e->event == TCP_EV_NONE)
        return false;
    step->end = e->end;
    step->event = e->event;
    step->left = state_before(h, index, e->end);
    step->entered = state_of(e, e->end);
    step->has_dwell = entered != LOG_UNSEEN && since_of(e, e->end) == index;
    step->dwell_ns = step->has_dwell ? log_elapsed_ns(h->entry[entered].time_ns, e->time_ns) : 0;
    return true;
}

int64_t log_elapsed_ns(int64_t from_ns, int64_t to_ns)
{
    if (to_ns <= from_ns)
        return 0;
    return from_ns < 0 && to_ns > INT64_MAX + from_ns ? INT64_MAX : to_ns - from_ns;
}
