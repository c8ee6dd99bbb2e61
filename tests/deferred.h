/* deferred.h
 * A connection at which nobody has looked so far, as waiting.c keeps it, but for the memory: what its machine is once
 * somebody looks.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef DEFERRED_H
#define DEFERRED_H

#include "packing.h"
#include "run.h"
#include "written_header.h"

#define DEFERRED_MAX 12 /* segments that wait */

struct deferred {
    int64_t from_ns;
    struct sighting_packed waiting[DEFERRED_MAX];
    bool is_news[DEFERRED_MAX]; /* the segment changed what is shown */
    unsigned count;
    unsigned run_from;          /* so many wait before a run may begin */
    struct run run;
    bool has_run, is_over;      /* over: the machine had to move */
};

/* Whether a segment changed what is shown: the machine was `before`, and is `after`. */
static inline bool deferred_is_news(const struct tcpfsm *before, const struct tcpfsm *after,
                                    const struct tcpfsm_outcome *out, bool closes)
{
    return out->opened || out->end[0].count > 0 || out->end[1].count > 0 || closes
        || before->end[0].confirmed != after->end[0].confirmed || before->end[1].confirmed != after->end[1].confirmed
        || before->client != after->client || before->midstream != after->midstream;
}

static inline bool deferred_is_same(const struct tcpfsm *a, const struct tcpfsm *b)
{
    uint8_t packed[2][TCPFSM_PACKED_MAX];
    const size_t octets = tcpfsm_pack(a, packed[0]);

    return tcpfsm_pack(b, packed[1]) == octets && memcmp(packed[0], packed[1], octets) == 0;
}

/* The machine that all segments so far lead to. Returns false if it is over. */
static inline bool deferred_machine(const struct deferred *d, struct tcpfsm *m, int64_t time_wait_us)
{
    memset(m, 0, sizeof *m);
    for (unsigned i = 0; i < d->count && !d->is_over; i++) {
        struct sighting s;
        struct tcpfsm_outcome out;
        sighting_unpack(&d->waiting[i], d->from_ns, &s);
        tcpfsm_segment(m, s.at.sender, 0, &s.seg, time_wait_us, &out);
        if (d->has_run && d->run.after == i + 1)
            run_move(&d->run, m);
    }
    return !d->is_over;
}

/* Returns false if a segment with news would be in the run. */
static inline bool deferred_begin_run(struct deferred *d)
{
    const unsigned taken = run_begin(&d->run, d->waiting, d->count, d->from_ns);

    if (taken == 0)
        return true;
    for (unsigned i = d->run.after; i < taken; i++) {
        if (d->is_news[i])
            return false;
    }
    memmove(&d->waiting[d->run.after], &d->waiting[taken], (d->count - taken) * sizeof *d->waiting);
    memmove(&d->is_news[d->run.after], &d->is_news[taken], (d->count - taken) * sizeof *d->is_news);
    d->count -= taken - d->run.after;
    d->has_run = true;
    return true;
}

/*
 * Takes the next segment. seg->time_us is that of the machine.
 *  is_news  it changed what is shown
 * Returns false if a segment with news went into the run.
 */
static inline bool deferred_take(struct deferred *d, unsigned sender, const struct tcpfsm_segment *seg, bool is_news)
{
    const struct occasion at = { .time_ns = seg->time_us * 1000, .sender = sender & 1 };
    struct written_header written;

    if (d->is_over)
        return true;
    if (d->count == 0)
        d->from_ns = at.time_ns;
    write_header(&written, seg);
    const struct header h = written_header(&written, seg->len);
    if (d->has_run && d->count == d->run.after && run_take_header(&d->run, h, at))
        return !is_news;
    const uint64_t later_ns = (uint64_t)at.time_ns - (uint64_t)d->from_ns;
    d->is_over = d->count == DEFERRED_MAX || later_ns >= SIGHTING_LATER_END
        || !sighting_pack(&h, at, later_ns, &d->waiting[d->count]);
    if (d->is_over)
        return true;
    d->is_news[d->count++] = is_news;
    return d->has_run || d->count != d->run_from || deferred_begin_run(d);
}

#endif
