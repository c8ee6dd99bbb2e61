/* waiting.c
 * The segments of a connection at which nobody looks.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "waiting.h"

#include "blocks.h"

#include <string.h>

#define RUN_FROM 10u /* so many wait before a run may begin: a short connection has none */
#define RUN_LEAST 3u /* a shorter one would not be worth its room */
#define CLOSE 4u     /* segments that wait after a run, most likely */

_Static_assert(sizeof(struct run) % BLOCK_GRAIN == 0, "what comes after a run is aligned as the run is");

static size_t run_size(const struct waiting_count *n)
{
    return n->has_run ? sizeof(struct run) : 0;
}

static uint32_t size_of(const struct waiting_count *n)
{
    return block_size(run_size(n) + offsetof(struct waiting, segment) + n->room * sizeof(struct sighting_packed));
}

static struct waiting *take(const struct waiting_count *n)
{
    return (struct waiting *)(void *)((char *)block_take(size_of(n)) + run_size(n));
}

static void give(struct waiting *w, const struct waiting_count *n)
{
    block_give((char *)w - run_size(n), size_of(n));
}

/* What waits moves to where there is other room, of which *n tells then. */
static void move_to(struct history *log, struct waiting_count *n, const struct waiting_count *other)
{
    struct waiting *old = (struct waiting *)log->entry, *w = take(other);

    if (n->room > 0) {
        w->from_ns = old->from_ns;
        memcpy(w->segment, old->segment, n->now * sizeof *w->segment);
        if (n->has_run)
            *waiting_run(w) = *waiting_run(old);
        give(old, n);
    }
    log->entry = (struct history_entry *)w;
    *n = *other;
}

/* A run takes the place of those in it. */
static bool begin_run(struct history *log, struct waiting_count *n)
{
    struct waiting *w = (struct waiting *)log->entry;
    struct run run;
    const unsigned taken = run_begin(&run, w->segment, n->now, w->from_ns);

    if (taken == 0 || taken < run.after + RUN_LEAST)
        return false;
    const unsigned rest = n->now - taken, now = run.after + rest;
    const struct waiting_count fewer = {
        .now = (uint8_t)now, .room = (rest > 0 ? run.after + CLOSE : now) & 0x7f, .has_run = true,
    };
    memmove(&w->segment[run.after], &w->segment[taken], rest * sizeof *w->segment);
    n->now = fewer.now;
    move_to(log, n, &fewer);
    *waiting_run((struct waiting *)log->entry) = run;
    return true;
}

/* For how many there is to be room next. Few sizes, so that what one connection leaves suits another. */
static unsigned next_room(const struct waiting *w, const struct waiting_count *n)
{
    if (n->has_run && n->now == waiting_run(w)->after)
        return n->now + CLOSE;
    return n->room < 2 ? 2 : n->room < 5 ? 5 : n->room < RUN_FROM ? RUN_FROM : n->room + 1u;
}

bool waiting_make_room(struct history *log, struct waiting_count *n, int64_t time_ns)
{
    const unsigned room = next_room((const struct waiting *)log->entry, n);
    const struct waiting_count more = { .now = n->now, .room = room & 0x7f, .has_run = n->has_run };
    const bool is_first = n->room == 0;

    if (n->now == RUN_FROM && !n->has_run && begin_run(log, n))
        return true;
    if (room > WAITING_MAX)
        return false;
    move_to(log, n, &more);
    if (is_first)
        ((struct waiting *)log->entry)->from_ns = time_ns;
    return true;
}

bool waiting_add(const struct history *log, struct waiting_count *n, struct header h, struct occasion at)
{
    struct waiting *w = (struct waiting *)log->entry;

    if (!sighting_pack(h, at, w->from_ns, &w->segment[n->now]))
        return false;
    n->now++;
    return true;
}

void waiting_take(struct history *log, struct waiting_count *n, struct waited *taken)
{
    struct waiting *w = (struct waiting *)log->entry;

    taken->count = n->now;
    taken->has_run = n->has_run;
    if (n->room == 0)
        return;
    for (unsigned i = 0; i < n->now; i++)
        sighting_unpack(&w->segment[i], w->from_ns, &taken->segment[i]);
    if (n->has_run)
        taken->run = *waiting_run(w);
    give(w, n);
    log->entry = NULL;
    *n = (struct waiting_count){ .now = 0 };
}
