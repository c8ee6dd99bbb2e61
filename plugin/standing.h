/* standing.h
 * How a connection stands at the end of the capture: what netstat would have printed on both machines then.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef STANDING_H
#define STANDING_H

#include "incarnations.h"
#include "names.h"

/* What an operator asks first of a connection, in this order. */
enum standing_stage {
    STANDING_STUCK, /* an end waits: in the handshake, in the close, or for a peer that is gone */
    STANDING_OPEN,  /* both ends are ESTABLISHED */
    STANDING_OVER,  /* both are CLOSED, in TIME_WAIT or LISTEN, or in another connection since */
};

struct standing_end {
    char endpoint[ENDPOINT_NAME_SIZE]; /* address and port */
    const char *state;                 /* tcp_state_text's; static */
    int64_t time_ns;                   /* how long it has been in that state, never negative */
    bool at_least;                     /* the state is older than the capture: counted from its first segment */
};

struct standing {
    struct standing_end client, server;
    const char *closed_by; /* who ended it; "": nobody so far; static */
    enum standing_stage stage;
    int64_t waiting_ns;    /* how long the longest of those ends has been in its state that put it into the stage */
};

/*
 * How the incarnation stands at the end of the capture, as far as it has been read. One whose sockets have
 * since begun another incarnation is over, and stands as it was when that began.
 */
void standing_of(const struct incarnation *i, struct standing *standing);

/* For qsort, of struct standing: by stage, then the longest wait first. */
int standing_compare(const void *a, const void *b);

#endif
