/* timeline.h
 * How many ends are in each state over time: netstat on all machines, sampled through the capture. What the views
 * timeline and page print.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TIMELINE_H
#define TIMELINE_H

#include "ws_compat.h"
#include "incarnations.h"

/* The states that a socket is seen in. */
enum { TIMELINE_FIRST_STATE = TCP_SYN_SENT, TIMELINE_STATES = TCP_TIME_WAIT - TCP_SYN_SENT + 1 };

/* When samples are taken, and what is counted of one server endpoint at a time: a scan meets a great many. */
struct timeline {
    int64_t start_ns, interval_ns; /* of the first, and from one to the next */
    uint32_t count;
    uint32_t *changes; /* by role, state, and sample: how many more ends are in the state than at the sample before */
};

/* 1, 2 or 5 times a power of ten, so that there are about so many samples of a capture of that length. */
int64_t timeline_interval_ns(int64_t length_ns, int64_t samples);

/* Begins with no connection; all members but changes are set. timeline_end() frees it, timeline_clear() starts anew. */
void timeline_begin(struct timeline *timeline);
void timeline_clear(const struct timeline *timeline);
void timeline_end(struct timeline *timeline);

/* Counts both ends of a connection. */
void timeline_count(const struct timeline *timeline, const struct incarnation *i, const struct final_limits *limits);

/*
 * Goes from one sample to the next, from the first on.
 *  n        its index, below count
 *  present  how many ends are in each state, those of clients, then those of servers; zeros before the first
 */
void timeline_next(const struct timeline *timeline, uint32_t n, uint32_t present[2][TIMELINE_STATES]);

#endif
