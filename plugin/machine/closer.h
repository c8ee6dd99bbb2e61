/* closer.h
 * Inside the machine: who ended the connection. Not for its users: they read tcpfsm.closed_by.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CLOSER_H
#define CLOSER_H

#include "tcpfsm.h"

/*
 * Who ended the present incarnation, as far as its segments so far tell. A FIN counts before a RST.
 * Of two resets the first counts: m->closed_by is read as what the segments before told.
 */
enum tcp_closer closer_of(const struct tcpfsm *m);

#endif
