/* waiting.h
 * The first segments of a connection at which nobody looks, as of most connections nobody ever does: they wait, a few
 * octets each, and the machine moves once somebody looks, or too many wait. What it then shows is the same.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WAITING_H
#define WAITING_H

#include "history.h"
#include "sighting.h"

/* So many segments of a connection wait at most: a short one fits. */
#define WAITING_MAX 12

struct waiting {
    int64_t from_ns; /* time of the first */
    struct sighting_packed segment[WAITING_MAX]; /* as many as there is room for */
};

/* How many segments of a connection wait, and for how many there is room. Fill with zeros. */
struct waiting_count {
    uint8_t now, room;
};

/*
 * Has a segment wait.
 *  log  the connection's, without an entry; what waits stands in the place of the entries
 * Returns false if it cannot: too many wait, or it is an uncommon segment. Then those that wait are to be taken, and
 * the machine to be moved by them, then by this one.
 */
bool waiting_add(struct history *log, struct waiting_count *n, struct header h, struct occasion at);

/* The same for most segments, at once. Returns false, and does nothing, for others, and where there is no room. */
static inline bool waiting_add_at_once(struct history *log, struct waiting_count *n, struct header h,
                                       struct occasion at)
{
    struct waiting *w = (struct waiting *)log->entry;
    const size_t next = n->now;

    if (next == n->room || sighting_has_options(h) || !sighting_pack_plain(h, at, w->from_ns, &w->segment[next]))
        return false;
    n->now = (uint8_t)(next + 1);
    return true;
}

/* Takes the segments that wait, in order. Returns how many. Then the log is as it was. */
unsigned waiting_take(struct history *log, struct waiting_count *n, struct sighting taken[WAITING_MAX]);

#endif
