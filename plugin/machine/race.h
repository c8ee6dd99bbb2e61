/* race.h
 * Inside the machine: the race at the end of keep-alive, of a request against the close of an idle connection. Not for
 * its users: they read tcpfsm.race_idle_us.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef RACE_H
#define RACE_H

#include "arrival.h"

/*
 * An end closes a connection that was idle; its peer, which cannot know, sends a request, and gets a RST. These note
 * what may become one: call for each segment but those of calm connections, before anything of it is noted; and for
 * each RST, once its cause is noted. A connection was idle if nothing was captured for a round trip, or for a second
 * where that is not known.
 */
void race_note(struct tcpfsm *m, unsigned sender, const struct tcpfsm_segment *seg);
void race_decide(const struct arrival *a);

#endif
