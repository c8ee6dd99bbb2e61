/* waiting.h
 * The segments of a connection at which nobody looks, as of most connections nobody ever does: the first ones wait, a
 * few octets each, those in order after them become one run, and then a few more wait, such as those of the close. The
 * machine moves once somebody looks, or too many wait. What it then shows is the same.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WAITING_H
#define WAITING_H

#include "history.h"
#include "run.h"

#include <stddef.h>

/* So many segments of a connection wait at most, besides those of the run. */
#define WAITING_MAX 12

struct waiting {
    int64_t from_ns; /* time of the first */
    struct sighting_packed segment[WAITING_MAX]; /* as many as there is room for */
};

/* How many segments of a connection wait, and for how many there is room. Fill with zeros. */
struct waiting_count {
    uint8_t now;
    uint8_t room : 7;
    uint8_t has_run : 1; /* there is a struct run before the struct waiting, in one block */
};

/*
 * Makes room for one more segment where there is none: takes more, or has those that wait become a run.
 *  log      the connection's, without an entry; what waits stands in the place of the entries
 *  time_ns  of the segment for which there is to be room
 * Returns false if too many wait.
 */
bool waiting_make_room(struct history *log, struct waiting_count *n, int64_t time_ns);

/*
 * Has any segment wait; there must be room.
 * Returns false if it cannot, an uncommon segment. Then those that wait are to be taken, and the machine to be moved by
 * them, then by this one.
 */
bool waiting_add(const struct history *log, struct waiting_count *n, struct header h, struct occasion at);

/* The run of those that have one. */
static inline struct run *waiting_run(const struct waiting *w)
{
    return (struct run *)((uintptr_t)w - sizeof(struct run));
}

/* Takes a segment that goes on in the run, after which nothing came so far. Returns false for others. */
static inline bool waiting_add_to_run(struct waiting *w, const struct waiting_count *n, struct header h,
                                      struct occasion at)
{
    return n->has_run && n->now == waiting_run(w)->after && run_take_header(waiting_run(w), h, at);
}

/* Does with most segments what there is to do. Returns false for others, and where there is no room. */
static inline bool waiting_add_at_once(const struct history *log, struct waiting_count *n, struct header h,
                                       struct occasion at)
{
    struct waiting *w = (struct waiting *)log->entry;
    const size_t next = n->now;

    if (next == n->room) /* as long as a run goes on there is none to spare */
        return waiting_add_to_run(w, n, h, at);
    if (sighting_has_options(h) || !sighting_pack_plain(h, at, w->from_ns, &w->segment[next]))
        return false;
    n->now = (uint8_t)(next + 1);
    return true;
}

/* What has waited, in order. */
struct waited {
    struct sighting segment[WAITING_MAX];
    unsigned count;
    bool has_run;
    struct run run; /* if there is one: after run.after segments */
};

/* Takes what waits. Then the log is as it was. */
void waiting_take(struct history *log, struct waiting_count *n, struct waited *taken);

#endif
