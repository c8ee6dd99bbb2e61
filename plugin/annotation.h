/* annotation.h
 * What is shown on a segment: the fields, and the subtree that they stand in.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ANNOTATION_H
#define ANNOTATION_H

#include "connection.h"

#include <epan/packet.h>

/* Registers the fields. Call once, with the protocol's number. */
void annotation_register(int proto);

/* Whether somebody looks: a filter, a column, an output or a reader refers to it. */
bool annotation_is_wanted(proto_tree *tree);

/*
 * Adds the subtree of a segment to the tree that its dissector was given.
 *  tvb    the segment
 *  pinfo  with the segment's own addresses and ports
 */
void annotation_add(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo, const struct connection_view *view);

#endif
