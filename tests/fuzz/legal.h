/* legal.h
 * Which transitions there may be, and which states a segment can prove: written down apart from the machine.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LEGAL_H
#define LEGAL_H

#include "tcpfsm.h"

/* RFC 9293 figure 5, and the corrections that proofs make (plugin/machine/tcp_events.def). */
bool legal_transition(uint8_t left, uint8_t event, uint8_t entered);

#define LEGAL_FINS 8 /* as many different FINs of one end are told apart; more are taken for any number */

/* What was captured of one end, as far as it bears on proof. Fill with zeros. */
struct legal_end {
    uint32_t fin[LEGAL_FINS]; /* numbers of its FINs */
    unsigned fins;
    unsigned surely_from;     /* of those before, a SYN came after: they may be of an older incarnation */
    bool fast_open;           /* a SYN bore data or a cookie */
};

/* Notes a captured segment, and in which state it leaves its sender. Call after legal_proof. */
void legal_note(struct legal_end *sender, const struct tcpfsm_segment *seg, uint8_t state);

/* Whether the segment can prove that its sender was in that state. */
bool legal_proof(const struct legal_end *sender, const struct legal_end *peer, const struct tcpfsm_segment *seg,
                 uint8_t state);

#endif
