/* local_end.h
 * Which end of a connection is local: the first rule that answers, once per connection.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOCAL_END_H
#define LOCAL_END_H

#include "pair.h"

#include <epan/packet.h>

/* How local and remote were told apart; values of tcpstate.local.by. */
enum local_by {
    LOCAL_BY_PREFERENCE,
    LOCAL_BY_NETWORKS,
    LOCAL_BY_DIRECTION,
    LOCAL_BY_INITIATOR,
    LOCAL_BY_HIGHER_PORT,
    LOCAL_BY_FIRST_SENDER,
};
extern const value_string local_by_names[];

/* Where a frame was going, seen from the machine that captured it. */
enum direction { DIRECTION_UNKNOWN, DIRECTION_OUT, DIRECTION_IN };

/* Values of the preference local_endpoint. */
enum local_endpoint { LOCAL_AUTO, LOCAL_CLIENT, LOCAL_SERVER, LOCAL_SENDER };

/* The preferences; valid once registered. */
extern int local_endpoint;         /* enum local_endpoint */
extern const char *local_networks; /* as the user wrote it */

/* Reads local_networks. Reports each part that is no address or network by name; the others hold. */
void local_networks_apply(void);

/* Where the frame was going, if the capture tells. */
enum direction local_direction(const packet_info *pinfo);

/* What the rules look at: the connection's first segment. */
struct local_question {
    const struct pair *pair;
    address_type type;        /* of its addresses */
    unsigned sender;          /* index of the end that sent it */
    unsigned client;          /* index of the client */
    enum direction direction; /* of the segment */
    bool knows_client;        /* by a SYN or SYN,ACK, rather than by guess */
};

/* Returns the index of the local end and, in *by, the rule that told. */
unsigned local_end(const struct local_question *q, enum local_by *by);

#endif
