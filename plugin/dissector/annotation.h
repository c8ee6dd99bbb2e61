/* annotation.h
 * What is shown on a segment: the fields, the subtree that they stand in, expert items, the Info column.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ANNOTATION_H
#define ANNOTATION_H

#include "pair.h"

#include <epan/packet.h>

/* A segment that is annotated, with its own addresses and ports: pinfo has those of the innermost layer. */
struct annotated_segment {
    struct tcpfsm_segment seg;
    address src, dst; /* valid as long as the packet is dissected */
    uint16_t srcport, destport;
};

/* Registers fields and expert items. Call once, with the protocol's number. */
void annotation_register(int proto);

/* Whether a filter, a column, an output or a visible tree refers to the protocol, its fields or expert items. */
bool annotation_is_referenced(proto_tree *tree);

/*
 * Adds the subtree of a segment to the tree that its dissector was given, and its expert items.
 *  tree  may be NULL: expert items alone
 *  tvb   the segment
 */
void annotation_add(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo, const struct pair_view *view,
                    const struct annotated_segment *segment);

/* Appends the segment's transitions, if any, to the Info column, which must be writable. */
void annotation_info_column(packet_info *pinfo, const struct pair_view *view);
#endif
