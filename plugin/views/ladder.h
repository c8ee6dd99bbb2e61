/* ladder.h
 * The rows of a ladder: a connection's segments as the figures of RFC 9293 section 3.5 have them, long runs that
 * change nothing folded. Collected from the tap, and printed by the views ladder and page.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LADDER_H
#define LADDER_H

#include "ws_compat.h"
#include "packet-tcpstate.h"

/* One transition. */
struct ladder_step {
    uint8_t event, entered; /* enum tcp_event, enum tcp_state */
    uint8_t end;
};

/* A segment, or a folded run of them. */
struct ladder_row {
    struct ladder_row *next;
    int64_t  time_ns;
    uint32_t frame;
    uint32_t run;           /* segments of a folded run, 0: this is a segment */
    union {
        struct { uint32_t seq, ack, len; } segment;
        struct { int64_t last_ns; uint64_t octets[2]; uint32_t last_frame; } folded; /* octets by sender */
    } of;
    uint8_t  src;           /* index of the end that sent it */
    uint8_t  flags;
    uint8_t  state[2];      /* enum tcp_state after it, by index of end */
    bool     confirmed[2];
    uint8_t  steps;         /* count of step[] */
    struct ladder_step step[]; /* in order */
};

/* Of one connection. Fill with zeros before its first segment. */
struct ladder {
    struct ladder_row *first, *last;
    struct ladder_row *run_from; /* the first row of the run that goes on; NULL: the last segment changed something */
    struct ladder_row *spare;    /* rows without steps that folding has set free */
    uint8_t  run_rows;      /* rows of that run, until it is folded */
    uint8_t  initial[2];    /* enum tcp_state before the first row */
};

/* Adds a segment of the connection, in order of the capture. pool: where rows live, as long as the ladder. */
void ladder_add(struct ladder *ladder, wmem_allocator_t *pool, const packet_info *pinfo,
                const struct tcpstate_tap *tap);

/* Octets of the longest notation of a segment, with its end. */
#define LADDER_NOTATION_SIZE 128

/*
 * A segment, not a folded run, in the RFC's notation: "<SEQ=100><ACK=301><CTL=FIN,ACK><DATA=10>"; returns text.
 *  control  set, unless NULL, to where "<CTL=" begins in text
 *  data     set, unless NULL, to where "<DATA=" begins, or to the end
 */
const char *ladder_notation(const struct ladder_row *row, char text[LADDER_NOTATION_SIZE], const char **control,
                            const char **data);

#endif
