/* machines.h
 * The machines of all connections in the file, and the logs beside them. A bounded number of machines is at work,
 * each in a place with room for its log to grow. Every other one rests: packed, in one block with its log, which
 * has just the size of both.
 *
 * A place goes to whoever needs one, first the free ones, then that of a machine not used of late. A log that has
 * become long keeps its place for good: it is large anyway, and would be copied each time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MACHINES_H
#define MACHINES_H

#include "log.h"

/* Where a connection's machine is. Fill with zeros. Stands in the connection, as does the log, and stays there. */
struct machine_place {
    uint16_t index : 15;    /* 0: the machine rests behind the log; or there is none, if there is no log */
    uint16_t own_block : 1; /* that in which it rests is by itself, not among those of others */
};

/*
 * The machine, ready to be moved; one filled with zeros, if there was none. Valid until this or the next function
 * is called for any connection. The log's entries may move.
 */
struct tcpfsm *machine_at_work(struct log *log, struct machine_place *place);

/* Gives a connection with neither machine nor log a copy of another one's machine. That may move the other's log. */
void machine_copy(struct log *log, struct machine_place *place, const struct log *other_log,
                  const struct machine_place *other);

/* Makes room in the log for more entries. The machine must be at work. */
void machine_log_room(struct log *log, const struct machine_place *place, uint32_t entries);

/* Forgets all machines: their memory is of the file that was closed. */
void machines_forget_all(void);

#endif
