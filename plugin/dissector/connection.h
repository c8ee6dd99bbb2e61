/* connection.h
 * From a segment's addresses and ports to the machine and its log.
 *
 * A connection here is what the TCP dissector calls a stream, one incarnation of a pair of sockets. To
 * ask for its conversation costs more than all the rest, so it is asked only where the answer is not
 * known: a pair stays in its stream until that dissector begins another one, and it counts them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "log.h"
#include "pair.h"
#include "segment.h"
#include "sighting.h"

#include <epan/packet.h>

/* One connection, as long as the capture file is open. */
struct connection;

/* A segment before the TCP dissector has seen it. Valid until it has been annotated. */
struct connection_arrival {
    struct connection *connection; /* its own; NULL: known only once the TCP dissector has had the segment */
    struct connection *latest; /* the pair's, so far; NULL: none */
    struct connection *before; /* the one that a new one would follow; NULL: none */
    uint32_t streams;          /* first pass: streams that the TCP dissector had begun */
    uint32_t accounted;        /* first pass: those of them that are known here */
    uint32_t sender;           /* index of the end that sent it */
    uint32_t hash;             /* for pair_add(), if there is no latest */
    uint8_t  layer;            /* the segment's, as pinfo tells it before the TCP dissector and the payload count theirs */
};

/* A SYN before the TCP dissector has seen it. Valid until connection_opens(). */
struct connection_opening {
    struct connection_arrival arrival;
    struct sighting_packed syn; /* its time is counted from itself */
};

/* The states on one segment, by the roles that are shown. Valid for the call's caller only. */
struct connection_view {
    struct log_view shown; /* by index of end */
    unsigned src;               /* index of the end that sent the segment */
    unsigned local;             /* index of the local end */
    uint32_t pair;              /* number of the pair of sockets in this file: the same in all its incarnations */
};

/* To be called when a capture file is opened. */
void connection_forget_all(void);

/* To be called before all else, on the first pass, once for each segment. */
void connection_count_streams(void);

/*
 * To be called before the TCP dissector, once for each segment; or connection_takes(), or connection_may_open().
 *  pinfo  with the segment's own addresses
 */
struct connection_arrival connection_arrives(packet_info *pinfo, const struct header *h);

/*
 * To be called after it where the connection was not known before, whatever that dissector did. Returns the segment's
 * connection, or NULL: it has none. May find that the segment is another end's than thought.
 *  pinfo    with the segment's own addresses and ports
 *  refused  by the TCP dissector
 */
struct connection *connection_of_segment(struct connection_arrival *arrival, packet_info *pinfo,
                                         const struct header *h, bool refused);

/*
 * On the first pass, for each segment in order: the connection is followed, if perhaps only once somebody looks.
 *  pinfo  with the segment's own layer, here and below: as it was before the TCP dissector
 */
void connection_segment(struct connection *c, const packet_info *pinfo, const struct header *h, unsigned sender);

/*
 * On the first pass, before the TCP dissector, for a segment at which nobody looks: if its connection is known by then,
 * it is followed. Returns false, and does nothing, if it is not: then go on with connection_may_open().
 */
bool connection_takes(const packet_info *pinfo, struct header h);

/*
 * On the first pass, before the TCP dissector, for a segment at which nobody looks: whether it is what connections most
 * often begin with, a SYN without payload or uncommon options. The TCP dissector has nothing to throw an exception over
 * in such a segment, nor anybody to hand it on to who would change pinfo's addresses. Returns false, and does nothing,
 * of others: then go on with connection_arrives().
 */
bool connection_may_open(const packet_info *pinfo, const struct header *h, struct connection_opening *o);

/* To be called after the TCP dissector has had it, unless it has refused it: its connection is followed. */
void connection_opens(struct connection_opening *o, packet_info *pinfo, const struct header *h);

/* On every pass, in any order: what is shown on a segment. Returns false if nothing is known of it. */
bool connection_view(struct connection *c, const packet_info *pinfo, unsigned sender, struct connection_view *view);

/*
 * Where the log of a connection goes on: the TCP dissector may have begun another stream for the same pair since.
 * NULL: it does not. The log handed in must be one of connection_view's.
 */
const struct log *connection_goes_on(const struct log *log);

/*
 * When the latest segment of the first pass was captured, nanoseconds since 1970: once the capture is read,
 * its end. Only segments with a state count.
 */
int64_t connection_latest_ns(void);

/* How long TIME_WAIT lasts, seconds; a preference. */
extern unsigned connection_time_wait_s;

#endif
