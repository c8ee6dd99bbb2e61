/* call.h
 * The user calls (RFC 9293 section 3.9.1) that a segment shows of the end that sent it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CALL_H
#define CALL_H

#include "log.h"

enum tcp_call {
    TCP_CALL_NONE = 0,
#define TCP_CALL(number, name, text, section) TCP_CALL_##name = number,
#include "tcp_calls.def"
#undef TCP_CALL
};

#define TCP_CALL_BIT(name) (1U << TCP_CALL_##name)

/*
 * The calls that a segment shows, a set of bits 1 << enum tcp_call; 0 for most without data.
 * OPEN and CLOSE are shown by the first SYN, SYN,ACK or FIN alone, ABORT by a RST in the middle of a connection. Data
 * show a SEND; so do data that are sent again, and the octet of a keep-alive.
 *  shown  what is shown on the segment
 *  src    index of the end that sent it
 */
unsigned calls_of(const struct log_view *shown, unsigned src, const struct tcpfsm_segment *seg);

#endif
