/* zeek.h
 * Zeek's conn_state and history of one connection, for those who hold a capture against Zeek's conn.log.
 *
 * Sources: the fields of conn.log in Zeek's documentation (scripts/base/protocols/conn/main.zeek), and what Zeek
 * does as of commit 040d7583: src/packet_analysis/protocol/tcp/TCPSessionAdapter.cc, src/analyzer/protocol/tcp/
 * TCP_Endpoint.cc and TCP_Reassembler.cc.
 *
 * Where Zeek would write another line:
 *  - It ends a connection by timers: a SYN that nobody answered after 5 s, any connection 5 s after it closed or after
 *    5 min of silence. What follows is a line of its own. It also begins one with each SYN of another number, from
 *    either end: a simultaneous open (RFC 9293 figure 7) is two lines. Here a connection is the plugin's incarnation.
 *  - The originator is the plugin's client. Zeek takes the sender of the first segment, unless ports, or what follows a
 *    SYN,ACK, tell otherwise; then its history begins with "^", which is not written here.
 *  - It drops segments with a wrong checksum, and writes "c". Here they count as any other.
 *  - Octets that a snap length cut are a gap to Zeek. Here only those of segments that were not captured, and not more
 *    than two gaps at once.
 *  - Its history has no limit; "x", for analysis that was given up, is not written here.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZEEK_H
#define ZEEK_H

#include "tcpfsm.h"

#define ZEEK_HISTORY_SIZE 32 /* of a text, with its end; letters beyond that are lost */
#define ZEEK_HELD_MAX 2

/* One end. Numbers are relative to `start`, and valid once a segment of either end told it. */
struct zeek_end {
    uint32_t start;     /* number of its SYN, or the one that a SYN would have had */
    uint32_t last;      /* one past the highest it sent */
    uint32_t acked;     /* the highest that the peer acknowledged */
    uint32_t syn, fin, rst; /* of the latest one; fin is the FIN's own */
    uint32_t delivered; /* next number of its data: all below was captured, or is a gap that was counted */
    struct tcpfsm_range held[ZEEK_HELD_MAX]; /* data captured beyond `delivered` */
    uint32_t retransmissions, zero_windows, gaps;
    uint8_t  state : 3, before : 3; /* the state, and the one before it */
    uint8_t  held_count : 2;
    bool     has_fin : 1;
    uint8_t  seen;      /* a bit for each letter that is written once */
};

/* One connection. Fill with zeros before the first segment. */
struct zeek {
    struct zeek_end end[2];
    char    history[ZEEK_HISTORY_SIZE - 1]; /* capital letters: of end 0 */
    uint8_t letters;
};

/*
 * Notes a segment. To be called in order of the capture; any sequence of segments has a defined result.
 *  sender  index of the end that sent it, 0 or 1
 */
void zeek_segment(struct zeek *z, unsigned sender, const struct tcpfsm_segment *seg);

/* conn_state as of the latest segment: "S0", "SF", ...; "OTH" if none. Static. client: index of the client, 0 or 1. */
const char *zeek_conn_state(const struct zeek *z, unsigned client);

/* history as of the latest segment, capital letters: of the client. */
void zeek_history(const struct zeek *z, unsigned client, char text[ZEEK_HISTORY_SIZE]);

#endif
