/* waiting.h
 * The segments of a connection at which nobody looks, as of most connections nobody ever does: the first ones wait, a
 * few octets each, those in order after them become one run, and then a few more wait, such as those of the close. The
 * machine moves once somebody looks, or too many wait. What it then shows is the same.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WAITING_H
#define WAITING_H

#include "log.h"
#include "run.h"
#include "segment.h"

#include <stddef.h>

/* So many segments of a connection wait at most, besides those of the run. */
#define WAITING_MAX 12

/* What waits is counted in words, of which one has so many: so the place of the next is found without multiplying. */
#define WAITING_WORDS ((unsigned)(sizeof(struct sighting_packed) / sizeof(uint32_t)))

struct waiting {
    int64_t from_s; /* when the first was captured, whole seconds since 1970 */
    struct sighting_packed segment[WAITING_MAX]; /* as many as there is room for */
};

/* How many segments of a connection wait, and for how many there is room. Fill with zeros. */
struct waiting_count {
    uint8_t next;        /* words that are taken */
    uint8_t end : 7;     /* words that there are */
    uint8_t has_run : 1; /* there is a struct run before the struct waiting, in one block */
};

/*
 * Has any segment wait, or takes it into the run.
 *  log  the connection's, without an entry; what waits stands in the place of the entries
 * Returns false if it cannot: too many wait, or it is an uncommon segment. Then those that wait are to be taken, and
 * the machine to be moved by them, then by this one.
 */
bool waiting_add(struct log *log, struct waiting_count *n, const packet_info *pinfo, const struct header *h,
                 unsigned sender);

/* The same of a SYN that was packed, whatever its time was counted from: it was captured at that time. */
bool waiting_add_syn(struct log *log, struct waiting_count *n, const struct sighting_packed *syn,
                     const nstime_t *time);

/*
 * Their time is counted from so many nanoseconds before the second in which the first was captured: whatever nstime_t
 * may hold of nanoseconds, of either sign, is then none of them less.
 */
#define WAITING_BEFORE_NS 0x80000000u

/* Counts a time as theirs is. Returns false if it cannot be: it is of an earlier second, or 17 minutes later. */
static inline bool waiting_later_ns(int64_t from_s, const nstime_t *time, uint64_t *later_ns)
{
    const uint64_t later_s = (uint64_t)time->secs - (uint64_t)from_s;

    *later_ns = later_s * 1000000000 + ((uint32_t)time->nsecs + WAITING_BEFORE_NS);
    return later_s < 1024;
}

/* The run of those that have one. */
static inline struct run *waiting_run(const struct waiting *w)
{
    return (struct run *)((uintptr_t)w - sizeof(struct run));
}

/* Whether there is a run after which nothing came so far. */
static inline bool waiting_is_run_on(const struct log *log, const struct waiting_count *n)
{
    return n->has_run && n->next == waiting_run((const struct waiting *)log->entry)->after * WAITING_WORDS;
}

/* The place of the next. */
static inline struct sighting_packed *waiting_next(struct waiting *w, const struct waiting_count *n)
{
    return (struct sighting_packed *)(void *)((uint32_t *)(void *)w->segment + n->next);
}

/* Does with most segments what there is to do. Returns false for others, and where there is no room. */
G_ALWAYS_INLINE static inline bool waiting_add_at_once(const struct log *log, struct waiting_count *n,
                                                       const packet_info *pinfo, struct header h, unsigned sender)
{
    struct waiting *w = (struct waiting *)log->entry;
    uint64_t later_ns;

    if (n->next == n->end) /* as long as a run goes on there is none to spare */
        return waiting_is_run_on(log, n) && run_take_header(waiting_run(w), h, segment_occasion(pinfo, sender));
    if (sighting_has_options(h) || !waiting_later_ns(w->from_s, &pinfo->abs_ts, &later_ns)
        || !sighting_pack_plain(h, segment_place(pinfo, sender), later_ns, waiting_next(w, n)))
        return false;
    n->next += WAITING_WORDS;
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
void waiting_take(struct log *log, struct waiting_count *n, struct waited *taken);

#endif
