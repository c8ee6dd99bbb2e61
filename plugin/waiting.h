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

/*
 * Has a segment wait.
 *  log    the connection's, without an entry; what waits stands in the place of the entries
 *  count  of the segments that wait, 0 at first
 * Returns false if it cannot: too many wait, or it is an uncommon segment. Then those that wait are to be taken, and
 * the machine to be moved by them, then by this one.
 */
bool waiting_add(struct history *log, uint8_t *count, const struct sighting *s);

/* Takes the segments that wait, in order. Returns how many. Then the log is as it was. */
unsigned waiting_take(struct history *log, uint8_t *count, struct sighting taken[WAITING_MAX]);

#endif
