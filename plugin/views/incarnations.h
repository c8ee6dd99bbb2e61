/* incarnations.h
 * The connections that a listener of the tap "tcpstate" was told of, each incarnation of a pair of sockets on
 * its own. What begins an incarnation is the machine's to say: tcpfsm_outcome.opened.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef INCARNATIONS_H
#define INCARNATIONS_H

#include "ws_compat.h"
#include "packet-tcpstate.h"

/* One incarnation, as far as segments of it were tapped. Lives until all are forgotten. */
struct incarnation {
    struct incarnation *next;  /* in order of their first tapped segments */
    const struct log *log;     /* of its pair of sockets; the file's */
    uint32_t opening;          /* index of the entry in it with which the incarnation began */
    uint32_t number;           /* from 1, in order */
    address  address[2];       /* by index of end */
    uint16_t port[2];
    uint8_t  client;           /* index of the client, as of the latest tapped segment; so the next two */
    uint8_t  closed_by;        /* enum tcp_closer */
    bool     midstream;
    uint32_t first_frame, last_frame; /* of those that were tapped */
    uint32_t stream;           /* has_stream: tcp.stream of the first of them */
    bool     has_stream;
    bool     chosen;           /* a segment of it passes the filter of a view whose kind is whole */
    int64_t  start_ns;         /* time of its first segment in the capture, nanoseconds since 1970 */
};

/* Belongs to one listener, who fills it with zeros but for record. Forgets all when the capture file is closed. */
struct incarnation_list {
    size_t record;             /* size of the listener's own record of one; its first member is a struct incarnation */
    wmem_allocator_t *pool;    /* of all that is remembered; NULL: nothing is */
    struct incarnation *first, *last;
    wmem_map_t *pairs;
    unsigned at_close;         /* number of a callback */
};

/* The record of the segment's incarnation; new ones are filled with zeros behind their first member. */
struct incarnation *incarnations_note(struct incarnation_list *all, packet_info *pinfo,
                                      const struct tcpstate_tap *tap);

/* Wireshark's number of the TCP stream of a segment. Returns whether it has one. */
bool stream_of(packet_info *pinfo, const struct annotated_segment *segment, uint32_t *stream);

void incarnations_forget(struct incarnation_list *all);

/* Nanoseconds since the incarnation's first segment; negative where time stamps run backwards. */
int64_t incarnation_elapsed_ns(const struct incarnation *i, int64_t time_ns);

#endif
