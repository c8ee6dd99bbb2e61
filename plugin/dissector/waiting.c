/* waiting.c
 * The segments of a connection at which nobody looks.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "waiting.h"

#include "blocks.h"
#include "local_end.h"

#include <string.h>

/* For how many there is room. Few sizes, so that what one connection leaves suits another. */
#define FIRST_ROOM 3u
#define RUN_FROM 10u /* so many wait before a run may begin: a short connection has none */
#define RUN_LEAST 3u /* a shorter one would not be worth its room */
#define CLOSE 4u     /* segments that wait after a run, most likely */

_Static_assert(sizeof(struct run) % BLOCK_GRAIN == 0, "what comes after a run is aligned as the run is");

static inline struct waiting_count count_of(unsigned now, unsigned room, bool has_run)
{
    return (struct waiting_count){
        .next = (uint8_t)(now * WAITING_WORDS), .end = (room * WAITING_WORDS) & 0x7f, .has_run = has_run,
    };
}

static inline size_t run_size(struct waiting_count n)
{
    return n.has_run ? sizeof(struct run) : 0;
}

static inline uint32_t size_of(struct waiting_count n)
{
    return block_size(run_size(n) + offsetof(struct waiting, segment) + n.end * sizeof(uint32_t));
}

static inline struct waiting *take(struct waiting_count n)
{
    return (struct waiting *)(void *)((char *)block_take(size_of(n)) + run_size(n));
}

static inline void give(struct waiting *w, struct waiting_count n)
{
    block_give((char *)w - run_size(n), size_of(n));
}

static int64_t from_ns(const struct waiting *w)
{
    return w->from_s * 1000000000 - WAITING_BEFORE_NS;
}

/* What waits moves to where there is other room. */
static inline void move_to(struct log *log, struct waiting_count n, struct waiting_count other)
{
    struct waiting *old = (struct waiting *)log->entry, *w = take(other);

    if (n.end > 0) {
        w->from_s = old->from_s;
        memcpy(w->segment, old->segment, n.next * sizeof(uint32_t));
        if (n.has_run)
            *waiting_run(w) = *waiting_run(old);
        give(old, n);
    }
    log->entry = (struct log_entry *)w;
}

/* A run takes the place of those in it. */
static bool begin_run(struct log *log, struct waiting_count *n)
{
    struct waiting *w = (struct waiting *)log->entry;
    const unsigned before = n->next / WAITING_WORDS;
    struct run run;
    const unsigned taken = run_begin(&run, w->segment, before, from_ns(w));

    if (taken == 0 || taken < run.after + RUN_LEAST)
        return false;
    const unsigned rest = before - taken, now = run.after + rest;
    const struct waiting_count fewer = count_of(now, rest > 0 ? run.after + CLOSE : now, true);
    memmove(&w->segment[run.after], &w->segment[taken], rest * sizeof *w->segment);
    n->next = fewer.next;
    move_to(log, *n, fewer);
    *n = fewer;
    *waiting_run((struct waiting *)log->entry) = run;
    return true;
}

/* Where neither of the two is the case that make_room() sees to. */
static G_NO_INLINE bool make_more_room(struct log *log, struct waiting_count *n)
{
    const unsigned now = n->next / WAITING_WORDS, room = waiting_is_run_on(log, n) ? now + CLOSE : now + 1;
    const struct waiting_count more = count_of(now, room, n->has_run);

    if (now == RUN_FROM && !n->has_run && begin_run(log, n))
        return true;
    if (room > WAITING_MAX)
        return false;
    move_to(log, *n, more);
    *n = more;
    return true;
}

/* Makes room where there is none: takes more, or has those that wait become a run. Returns false if too many wait. */
static inline bool make_room(struct log *log, struct waiting_count *n)
{
    const struct waiting_count none = { 0, 0, 0 }, first = count_of(0, FIRST_ROOM, false),
                               full = count_of(FIRST_ROOM, FIRST_ROOM, false),
                               second = count_of(FIRST_ROOM, RUN_FROM, false);

    if (n->end == 0) { /* these two most often: so the compiler knows how much is to be moved */
        move_to(log, none, first);
        *n = first;
        return true;
    }
    if (n->end == full.end && !n->has_run) {
        move_to(log, full, second);
        *n = second;
        return true;
    }
    return make_more_room(log, n);
}

/* Counts the time of the next segment to wait, for which there is room. Returns false if it cannot be. */
static bool later_ns(struct waiting *w, const struct waiting_count *n, const nstime_t *time, uint64_t *later)
{
    if (n->next == 0) {
        if ((uint64_t)time->secs >> 33 != 0) /* from the year 2242 on: at last it is not known how many ns that are */
            return false;
        w->from_s = time->secs;
    }
    return waiting_later_ns(w->from_s, time, later);
}

/* Where there is no room, if the run does not go on. */
static G_NO_INLINE bool add_without_room(struct log *log, struct waiting_count *n, const packet_info *pinfo,
                                         const struct header *h, unsigned sender)
{
    const bool is_first = n->end == 0;

    if (waiting_add_at_once(log, n, pinfo, *h, sender)) /* it goes on */
        return true;
    if (!make_room(log, n))
        return false;
    return (!is_first && waiting_add_at_once(log, n, pinfo, *h, sender)) || waiting_add(log, n, pinfo, h, sender);
}

bool waiting_add(struct log *log, struct waiting_count *n, const packet_info *pinfo, const struct header *h,
                 unsigned sender)
{
    struct waiting *w = (struct waiting *)log->entry;
    struct occasion at = segment_place(pinfo, sender);
    uint64_t later;

    if (n->next == n->end)
        return add_without_room(log, n, pinfo, h, sender);
    if (n->next == 0 || (h->flags & TCP_SYN))
        at.direction = (uint8_t)local_direction(pinfo);
    if (!later_ns(w, n, &pinfo->abs_ts, &later) || !sighting_pack(h, at, later, waiting_next(w, n)))
        return false;
    n->next += WAITING_WORDS;
    return true;
}

bool waiting_add_syn(struct log *log, struct waiting_count *n, const struct sighting_packed *syn,
                     const nstime_t *time)
{
    uint64_t later;

    if (n->next == n->end && (!make_room(log, n) || n->next == n->end)) /* or a run has begun just now */
        return false;
    struct waiting *w = (struct waiting *)log->entry;
    if (!later_ns(w, n, time, &later))
        return false;
    *waiting_next(w, n) = *syn;
    sighting_set_later(waiting_next(w, n), later);
    n->next += WAITING_WORDS;
    return true;
}

void waiting_take(struct log *log, struct waiting_count *n, struct waited *taken)
{
    struct waiting *w = (struct waiting *)log->entry;

    taken->count = n->next / WAITING_WORDS;
    taken->has_run = n->has_run;
    if (n->end == 0)
        return;
    for (unsigned i = 0; i < taken->count; i++)
        sighting_unpack(&w->segment[i], from_ns(w), &taken->segment[i]);
    if (n->has_run)
        taken->run = *waiting_run(w);
    give(w, *n);
    log->entry = NULL;
    *n = (struct waiting_count){ .next = 0 };
}
