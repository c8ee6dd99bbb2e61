/* seen.h
 * The connections that a listener of the tap "tcpstate" was told of, each incarnation on its own, and how
 * each of them stands at the end of the capture: what netstat would have printed on both machines then.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEEN_H
#define SEEN_H

#include "names.h"
#include "packet-tcpstate.h"

/* Belongs to one listener. Connections are forgotten when their capture is closed. */
struct seen;

struct seen *seen_new(void);
void seen_forget_all(struct seen *s);

/* How many connections were seen so far; they are numbered from 0, as they came. */
uint32_t seen_count(const struct seen *s);

/*
 * Notes the connection of a segment that the tap told of; returns its number.
 *  moved  set: the connection is new, or goes on in another conversation of Wireshark's
 */
uint32_t seen_note(struct seen *s, const struct tcpstate_tap *said, bool *moved);

/* What an operator asks first of a connection, in this order. */
enum seen_stage {
    SEEN_STUCK, /* an end waits: in the handshake, in the close, or for a peer that is gone */
    SEEN_OPEN,  /* both ends are ESTABLISHED */
    SEEN_OVER,  /* both are CLOSED, in TIME_WAIT or LISTEN, or in another connection since */
};

struct seen_end {
    char endpoint[ENDPOINT_NAME_SIZE]; /* address and port */
    const char *state;                 /* its name, with "?" if it is assumed; static */
    int64_t time_ns;                   /* how long it has been in that state, never negative */
    bool at_least;                     /* the state is older than the capture: counted from its first segment */
};

struct seen_row {
    struct seen_end client, server;
    const char *closed_by; /* who ended it; "": nobody so far; static */
    enum seen_stage stage;
    int64_t waiting_ns;    /* how long the longest of those ends has been in its state that put it into the stage */
};

/*
 * How the connection of that number stands at the end of the capture, as far as it has been read. One whose
 * sockets have since begun another incarnation is over, and stands as it was when that began.
 */
void seen_row(const struct seen *s, uint32_t number, struct seen_row *row);

/* For qsort, of struct seen_row: by stage, then the longest wait first. */
int seen_row_compare(const void *a, const void *b);

#endif
