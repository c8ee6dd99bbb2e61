/* closer.h
 * Who ended the connection.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CLOSER_H
#define CLOSER_H

#include "tcpfsm.h"

enum tcp_closer {
    TCP_CLOSER_NONE,            /* nobody so far */
    TCP_CLOSER_CLIENT,          /* its FIN was first */
    TCP_CLOSER_SERVER,
    TCP_CLOSER_SIMULTANEOUS,    /* both FINs left before the other's came (RFC 9293 figure 13) */
    TCP_CLOSER_RESET_BY_CLIENT, /* its RST came before any FIN */
    TCP_CLOSER_RESET_BY_SERVER,
    TCP_CLOSER_REFUSED,         /* the SYN was answered by a RST (RFC 9293 section 3.10.7.1) */
};

/*
 * Who ended the present incarnation, as far as its segments so far tell. A FIN counts before a RST.
 *  before   what was returned for the segment before, or TCP_CLOSER_NONE: of two resets the first counts
 */
enum tcp_closer tcpfsm_closer(const struct tcpfsm *m, enum tcp_closer before);

#endif
