/* history.h
 * What one connection showed, and from which segment on. One entry per segment that changed
 * something, none for the others: the states on any segment are those of the last entry at or
 * before it. Written in order on the first pass, searched in any order ever after.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is shown of one end. */
struct history_end {
    uint8_t state;     /* enum tcp_state after the segment */
    uint8_t previous;  /* enum tcp_state before it */
    uint8_t confirmed; /* 1: the end's own segments prove the state */
};

struct history_entry {
    uint32_t frame;         /* number of the frame, from 1 */
    uint8_t  layer;         /* which of several segments in that frame: number of its protocol layer */
    uint8_t  client : 1;    /* index of the end that opened, or is taken to have opened */
    uint8_t  local : 1;     /* index of the local end */
    uint8_t  midstream : 1; /* no handshake of this connection was captured */
    uint8_t  local_by : 4;  /* enum local_by */
    struct history_end end[2];
};

/* Owned by the caller, who fills it with zeros and provides room. */
struct history {
    struct history_entry *entry;
    uint32_t count, capacity;
};

/* Whether the caller must enlarge `entry` (and `capacity`) before history_append. */
static inline bool history_is_full(const struct history *h)
{
    return h->count == h->capacity;
}

/*
 * Appends an entry, unless it shows just what the one before it shows. Entries come in order of
 * frame and layer; h must not be full.
 */
void history_append(struct history *h, const struct history_entry *entry);

/*
 * Finds what is shown on a segment. Returns false where nothing is known of it: it lies before
 * the first entry. On a segment that is no entry itself, each end's previous state is its state.
 */
bool history_find(const struct history *h, uint32_t frame, uint8_t layer, struct history_entry *found);

#endif
