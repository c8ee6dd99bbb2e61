/* history.h
 * What one connection showed, and from which segment on. One entry for each transition of an end, and
 * one where something else that is shown changed; none for all other segments. The states on any
 * segment are those of the last entry at or before it. Written in order on the first pass, searched
 * in any order ever after.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "sighting.h"

#include <stddef.h>

/* What is shown besides the states. Compared and stored as a whole. */
struct history_facts {
    uint16_t confirmed0 : 1; /* end 0's own segments prove its state */
    uint16_t confirmed1 : 1;
    uint16_t client : 1;     /* index of the end that opened, or is taken to have opened */
    uint16_t local : 1;      /* index of the local end */
    uint16_t midstream : 1;  /* no handshake of this connection was captured */
    uint16_t closed_by : 3;  /* enum tcp_closer */
    uint16_t local_by : 3;   /* enum local_by */
    uint16_t spare : 5;      /* 0 */
};

/* 24 octets: there are millions of them. */
struct history_entry {
    int64_t  time_ns;     /* when the segment was captured, nanoseconds since 1970 */
    uint32_t frame;       /* number of its frame, from 1 */
    uint32_t since0 : 27; /* index of the entry with which end 0 entered its state, or HISTORY_UNSEEN */
    uint32_t event : 5;   /* enum tcp_event, why; TCP_EV_NONE: no transition */
    uint32_t since1 : 27; /* the same of end 1 */
    uint32_t end : 1;     /* index of the end that made the transition */
    uint32_t opened : 1;  /* the segment's SYN began an incarnation, here or, with the last entry, elsewhere */
    uint8_t  layer;       /* which of several segments in that frame: number of its protocol layer */
    uint8_t  state0 : 4;  /* enum tcp_state of end 0 after the transition */
    uint8_t  state1 : 4;  /* the same of end 1 */
    struct history_facts facts; /* after the segment */
};

#define HISTORY_UNSEEN 0x7ffffffu /* the state is older than the capture, or than entries can be counted */

/* As many entries as history_inherit adds at most. */
#define HISTORY_INHERITED 2

/* Owned by the caller, who fills it with zeros and provides room; the entries may move. */
struct history {
    struct history_entry *entry;
    uint32_t count;
    uint8_t  initial[2]; /* enum tcp_state before the first entry */
    struct history_facts facts; /* after the latest segment: set by the owner, written down with the next entry */
};

/* How many entries a segment that did this adds at most. */
static inline uint32_t history_entries_of(const struct tcpfsm_outcome *out)
{
    const uint32_t steps = (uint32_t)out->end[0].count + out->end[1].count;
    return steps ? steps : 1;
}

/*
 * Writes down what a segment did, if that is any news. They come in order of frame and layer; h must have room for
 * history_entries_of(out) more entries.
 */
void history_append(struct history *h, const struct occasion *at, const struct tcpfsm_outcome *out);

/*
 * Begins the empty history of a connection that takes over the ends' last states from an older one
 * of the same addresses and ports, and the facts; h must have room for HISTORY_INHERITED entries.
 */
void history_inherit(struct history *h, const struct history *old);

/* What is shown of one end on a segment. */
struct history_end {
    uint8_t  state;       /* enum tcp_state after the segment */
    uint8_t  previous;    /* enum tcp_state before it */
    uint8_t  confirmed;   /* 1: the end's own segments prove the state */
    uint8_t  event;       /* enum tcp_event with which the state was entered, on whichever segment */
    uint32_t since_frame; /* in which it was entered; 0: not in this capture */
    int64_t  since_ns;    /* when, as time_ns; valid only with since_frame */
};

/* What is shown on a segment. Valid as long as the history, and until the next history_append. */
struct history_view {
    const struct history *history;
    struct history_end end[2];
    uint32_t first, count; /* the segment's own entries, if it has any */
    uint8_t  client, local, local_by, midstream, opened, closed_by;
};

/* Finds what is shown on a segment. Returns false where nothing is known of it: it lies before the first entry. */
bool history_find(const struct history *h, uint32_t frame, uint8_t layer, struct history_view *view);

/* One transition of one end. */
struct history_step {
    uint8_t end;      /* index of the end that made it */
    uint8_t event;    /* enum tcp_event */
    uint8_t left;     /* enum tcp_state before it */
    uint8_t entered;  /* enum tcp_state after it */
    int64_t dwell_ns; /* how long the state left had lasted, never negative; valid only with has_dwell */
    bool has_dwell;   /* not of a state older than the capture, nor of one that was assumed in error */
};

/* The n-th of the view's own entries, n < count. Returns false if it is no transition. */
bool history_step(const struct history_view *view, uint32_t n, struct history_step *step);

/* Index of the next entry, from that index on, with which an incarnation begins; h->count if there is none. */
uint32_t history_next_opening(const struct history *h, uint32_t from);

/* What was shown once the entry with that index had been written. The view has no entries of its own. */
void history_at(const struct history *h, uint32_t index, struct history_view *view);

/* Nanoseconds from one moment to a later one; 0 if it is earlier, as time stamps may run backwards. */
int64_t history_elapsed_ns(int64_t from_ns, int64_t to_ns);

#endif
