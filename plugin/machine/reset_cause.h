/* reset_cause.h
 * Inside the machine: why a RST was sent. Not for its users: they read tcpfsm.reset_cause.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef RESET_CAUSE_H
#define RESET_CAUSE_H

#include "arrival.h"

/*
 * Decides why the RST was sent, and notes it of its sender and of the connection. Call before the RST moves an end.
 *
 * Confirmed is a cause that stands under every reading of what the capture may lack, as far as its sender is the end in
 * whose name it came: its hop limit is that of the end's other segments. So few can be: a FIN and data that were not
 * captured turn most others into DATA_AFTER_CLOSE.
 */
void reset_cause_note(const struct arrival *a);

/*
 * It has come another way than all the end's other segments, two at least, which had come the same way. A stack may
 * begin with another hop limit for a RST than for a socket, and paths that share the load differ by their length: then
 * the end's other segments differ, too.
 */
bool reset_comes_from_elsewhere(const struct arrival *a);

#endif
