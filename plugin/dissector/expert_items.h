/* expert_items.h
 * The anomalies of a segment as Wireshark's expert information.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef EXPERT_ITEMS_H
#define EXPERT_ITEMS_H

#include "final.h"

#include <epan/packet.h>

/* Registers them. Call once, with the protocol's number. */
void expert_items_register(int proto);

/*
 * Whether they are referenced: by a list of expert information, or a filter or output that refers to one. A tree
 * that is read whole need not be asked for: it has our subtree, and them with it.
 */
bool expert_items_are_referenced(const proto_tree *tree);

/*
 * Adds one item for each anomaly, and one for all ends that were left open.
 *  item       the subtree that the anomalies are about, may be NULL
 *  anomalies  as anomalies_of() returns them
 *  shown, src what is shown on the segment, and the index of its sender
 *  final      how the connection stands at the end of the capture; may be NULL if left_open is 0
 *  left_open  as ends_left_open() returns it
 */
void expert_items_add(packet_info *pinfo, proto_item *item, uint32_t anomalies, const struct log_view *shown,
                      unsigned src, const struct final_view *final, unsigned left_open);

#endif
