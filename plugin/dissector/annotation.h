/* annotation.h
 * What is shown on a segment: the fields, the subtree that they stand in, expert items, the Info column.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ANNOTATION_H
#define ANNOTATION_H

#include "connection.h"

#include <epan/packet.h>

/* Registers fields and expert items. Call once, with the protocol's number. */
void annotation_register(int proto);

/* Whether somebody looks: a filter, a column, an output or a reader refers to it, or to expert items. */
bool annotation_is_wanted(proto_tree *tree);

/*
 * Adds the subtree of a segment to the tree that its dissector was given, and its expert items.
 *  tree   may be NULL: expert items alone
 *  tvb    the segment
 *  pinfo  with the segment's own addresses and ports
 */
void annotation_add(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo, const struct connection_view *view,
                    const struct tcpfsm_segment *seg);

/* Appends the segment's transitions, if any, to the Info column, which must be writable. */
void annotation_info_column(packet_info *pinfo, const struct connection_view *view);

/* How long CLOSE_WAIT and FIN_WAIT_2 may last unnoticed, seconds; a preference. */
extern unsigned annotation_stuck_after_s;

#endif
