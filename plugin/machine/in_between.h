/* in_between.h
 * Inside the machine: by what a segment is seen to come from someone in between, in its end's name. Not for its users:
 * they read tcpfsm.reset_cause.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef IN_BETWEEN_H
#define IN_BETWEEN_H

#include "arrival.h"

enum {
    ID_STEPS_SETTLED = 3,
    ID_STEP_MOST = 1024, /* further than that is no step of a counter which the end has for this peer */
};

/* Notes hop limit and identification of a segment. Call for each, RSTs and what is in between apart, once judged. */
void in_between_note(struct tcpfsm_end *s, const struct tcpfsm_segment *seg);

/*
 * The same of a segment of a calm connection, whose hop limit is that of the others: the identification alone. One that
 * does not go on from the last is left to in_between_note(): then false is returned, and nothing was noted.
 */
static inline bool in_between_note_in_order(struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    const uint16_t step = (uint16_t)(seg->ip_id - s->ip_id);

    if (s->id_varies || seg->ip_id == 0)
        return true;
    if (s->id_steps != ID_STEPS_SETTLED || step - 1U >= ID_STEP_MOST)
        return false;
    s->ip_id = seg->ip_id;
    s->id_us = (uint32_t)seg->time_us;
    return true;
}

/* The hop limit is that of all the end's other segments: nobody on the way sent it, who is nearer or further off. */
bool comes_as_others(const struct arrival *a);

/*
 * Whether a RST or FIN is unlike what the end sends otherwise. Call once, before it moves an end: what is decided here
 * goes with the segment, as arrival.in_between.
 */
bool is_in_between(const struct tcpfsm_end *s, const struct tcpfsm_end *peer, const struct tcpfsm_segment *seg);

/* The end lives, so that the RST which was sent in its name was not its own: notes that as the cause. */
void in_between_note_belied(const struct arrival *a);

#endif
