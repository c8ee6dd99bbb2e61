/* parts.h
 * The parts that a capture is split into, each a pcapng file and a list of the numbers of its frames in the whole.
 *
 * Every part has two markers: frames of an interface of its own, "tcpstate-split", which bear the times of the first
 * and of the last segment of the whole, so that what is counted from there is the same in all parts. The first one
 * stands before all segments, the second one at the end. A marker is the IP header of a segment that is cut off behind
 * it: there is no TCP header, so no connection.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PARTS_H
#define PARTS_H

#include "ws_compat.h"

enum { PARTS_MAX = 1024 };

/* All parts. Functions that return false have printed why. */
struct parts;

/*
 * Begins to write.
 *  folder  in which the parts are to be; it must not exist, and does only once parts_finish() has returned true
 *  number  how many, 1 to PARTS_MAX
 *  name    of this program, for messages
 * Returns NULL after a message.
 */
struct parts *parts_new(const char *folder, unsigned number, const char *name);

/* Makes an interface known to all parts, in the order of their numbers. */
bool parts_add_interface(struct parts *parts, wtap_block_t interface);

/* Adds a marker to all parts. */
bool parts_mark(struct parts *parts, const nstime_t *time);

/*
 * Adds a packet to a part.
 *  record        its interface and section are overwritten
 *  interface     the number of one that was made known, from 0
 *  whole_number  that it has in the whole, from 1
 */
bool parts_add(struct parts *parts, unsigned part, struct ws_record *record, unsigned interface, uint64_t whole_number);

/* Closes and frees all. Where that fails, and unless keep, nothing is left behind. Returns whether there are parts. */
bool parts_finish(struct parts *parts, bool keep);

#endif
