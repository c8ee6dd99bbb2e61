/* rows.h
 * What the tables of connections show of each: how it stands at the end of the capture.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ROWS_H
#define ROWS_H

#include "final.h"
#include "incarnations.h"
#include "names.h"
#include "views.h"

/* What an operator asks first of a connection, in this order. */
enum row_rank {
    ROW_LEFT_OPEN = 1, /* an end has been in a state of opening or closing for longer than stuck_after */
    ROW_WAITING,       /* an end waits: in the handshake, in the close, or for a peer that is gone */
    ROW_OPEN,          /* both ends are ESTABLISHED */
    ROW_OVER,          /* both are CLOSED, in TIME_WAIT or LISTEN, or in another connection since */
};

struct row {
    const struct incarnation *connection;
    struct final_view final;
    char client[ENDPOINT_NAME_SIZE], server[ENDPOINT_NAME_SIZE]; /* addresses and ports */
    enum row_rank rank;
    unsigned waiting;   /* index of the end for which it has its rank: of both that which waits longer */
};

/* How the incarnation stands at the end of the capture, as far as it has been read. */
void row_fill(struct row *row, const struct incarnation *i);

/*
 * The connections that a view shows: by rank, then the longest wait first, then in order of the capture.
 *  count  set to their number
 * Returns an array, to be freed with g_free.
 */
struct row *rows_of(const struct view *view, uint32_t *count);

/* One server endpoint, and how its connections were left. */
struct server_summary {
    const char *endpoint; /* of a row; lives as long as that */
    uint32_t connections;
    uint32_t left[2][TCP_TIME_WAIT + 1]; /* ends left open, of the client 0 and the server 1, by enum tcp_state */
    uint32_t all_left;    /* connections of which an end was left open */
};

/*
 * Sums rows up by server endpoint: those with the most connections left open first, then in order of the rows.
 * Returns an array of struct server_summary, to be freed with g_array_free.
 */
GArray *rows_by_server(const struct row *rows, uint32_t count);

#endif
