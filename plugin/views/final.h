/* final.h
 * How a connection stands at the end of the capture: what netstat would have printed on both machines then.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FINAL_H
#define FINAL_H

#include "incarnations.h"
#include "names.h"

/* What an operator asks first of a connection, in this order. */
enum final_stage {
    FINAL_STUCK, /* an end waits: in the handshake, in the close, or for a peer that is gone */
    FINAL_OPEN,  /* both ends are ESTABLISHED */
    FINAL_OVER,  /* both are CLOSED, in TIME_WAIT or LISTEN, or in another connection since */
};

struct final_end {
    char endpoint[ENDPOINT_NAME_SIZE]; /* address and port */
    const char *state;                 /* tcp_state_text's; static */
    int64_t time_ns;                   /* how long it has been in that state, never negative */
    bool at_least;                     /* the state is older than the capture: counted from its first segment */
};

struct final_states {
    struct final_end client, server;
    const char *closed_by; /* who ended it; "": nobody so far; static */
    enum final_stage stage;
    int64_t waiting_ns;    /* how long the longest of those ends has been in its state that put it into the stage */
};

/*
 * How the incarnation stands at the end of the capture, as far as it has been read. One whose sockets have
 * since begun another incarnation is over, and stands as it was when that began.
 */
void final_states_of(const struct incarnation *i, struct final_states *final);

/* For qsort, of struct final_states: by stage, then the longest wait first. */
int final_states_compare(const void *a, const void *b);

#endif
