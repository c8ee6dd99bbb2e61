/* connection.h
 * From a segment's addresses and ports to the machine and its history.
 *
 * A connection here is what the TCP dissector calls a stream, one incarnation of a pair of sockets. To
 * ask for its conversation costs more than all the rest, so it is asked only where the answer is not
 * known: a pair stays in its stream until that dissector begins another one, and it counts them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "history.h"
#include "pair.h"
#include "segment.h"
#include "sighting.h"

#include <epan/packet.h>

/* One connection, as long as the capture file is open. */
struct connection;

/* A segment before the TCP dissector has seen it. Valid until it has been annotated. */
struct connection_arrival {
    struct pair_key key;
    struct connection *latest; /* the pair's, so far; NULL: none */
    struct connection *before; /* the one that a new one would follow; NULL: none */
    uint32_t streams;          /* first pass: streams that the TCP dissector had begun */
    uint32_t accounted;        /* first pass: those of them that are known here */
};

/* The states on one segment, by the roles that are shown. Valid for the call's caller only. */
struct connection_view {
    struct history_view shown; /* by index of end */
    unsigned src;               /* index of the end that sent the segment */
    unsigned local;             /* index of the local end */
    uint32_t pair;              /* number of the pair of sockets in this file: the same in all its incarnations */
};

/* To be called when a capture file is opened. */
void connection_forget_all(void);

/*
 * To be called before the TCP dissector, once for each segment.
 *  pinfo  with the segment's own addresses
 *  s      the segment; its sender is set here
 * Returns its connection; or NULL where that is known only once the TCP dissector has had the segment.
 */
struct connection *connection_arrives(struct connection_arrival *arrival, packet_info *pinfo,
                                      const struct segment_ports *ports, struct sighting *s);

/*
 * To be called after it where connection_arrives() returned NULL, whatever it did. Returns the segment's
 * connection, or NULL: it has none.
 *  pinfo  with the segment's own addresses and ports
 *  s      the segment; NULL: the TCP dissector refused it
 */
struct connection *connection_of_segment(struct connection_arrival *arrival, packet_info *pinfo, struct sighting *s);

/* On the first pass, for each segment in order: the connection is followed, if perhaps only once somebody looks. */
void connection_segment(struct connection *c, const packet_info *pinfo, struct sighting *s);

/* On every pass, in any order: what is shown on a segment. Returns false if nothing is known of it. */
bool connection_view(struct connection *c, const struct sighting *s, struct connection_view *view);

/*
 * Where the log of a connection goes on: the TCP dissector may have begun another stream for the same pair since.
 * NULL: it does not. The log handed in must be one of connection_view's.
 */
const struct history *connection_goes_on(const struct history *log);

/*
 * When the latest segment of the first pass was captured, nanoseconds since 1970: once the capture is read,
 * its end. Only segments with a state count.
 */
int64_t connection_latest_ns(void);

/* How long TIME_WAIT lasts, seconds; a preference. */
extern unsigned connection_time_wait_s;

#endif
