/* packing.h
 * A machine at rest: all that is known of a connection in a few octets, from which the machine is made again
 * when another segment comes.
 *
 * Of the 184 octets of a machine few tell anything: the numbers of an end and those that its peer has of it
 * lie close together, most of them where the others say, and what is not known is zero. So each number is
 * packed as its distance from where it is expected, and not at all if it is there. A connection that was seen
 * from SYN to TIME_WAIT takes about 50 octets, 10 more if its SYNs and FINs bore timestamps.
 *
 * The octets are for the process that made them, not to be kept or sent anywhere.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PACKING_H
#define PACKING_H

#include "tcpfsm.h"

#include <stddef.h>

/* As many octets as a packed machine takes at most. */
#define TCPFSM_PACKED_MAX 224

/* Packs a machine into up to TCPFSM_PACKED_MAX octets. Returns how many. */
size_t tcpfsm_pack(const struct tcpfsm *m, uint8_t packed[TCPFSM_PACKED_MAX]);

/*
 * Makes the machine again: each member has the value it had, but for the ranges of held beyond held_count and
 * octets of no member, which are zero. packed must be what tcpfsm_pack wrote, and may be longer. Returns how
 * many octets the packed machine takes.
 */
size_t tcpfsm_unpack(struct tcpfsm *m, const uint8_t *packed);

#endif
