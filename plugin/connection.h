/* connection.h
 * From Wireshark's conversation to the machine and its history.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "history.h"

#include <epan/conversation.h>
#include <epan/packet.h>

/* One connection, as long as the capture file is open. */
struct connection;

/* The states on one segment, by the roles that are shown. Valid for the call's caller only. */
struct connection_view {
    struct history_view shown; /* by index of end */
    unsigned src;               /* index of the end that sent the segment */
    unsigned local;             /* index of the local end */
    uint32_t pair;              /* number of the pair of sockets in this file: the same in all its incarnations */
};

/*
 * On the first pass: moves the machine of the segment's conversation and logs what changed.
 *  conv   the conversation of the segment
 *  before the conversation that the same addresses and ports had before this frame, or NULL:
 *         its last states are those with which a new one begins
 *  pinfo  with the segment's own addresses and ports
 */
void connection_segment(int proto, conversation_t *conv, conversation_t *before, const packet_info *pinfo,
                        uint8_t layer, const struct tcpfsm_segment *seg);

/* On every pass, in any order: what is shown on a segment. Returns false if nothing is known of it. */
bool connection_view(int proto, conversation_t *conv, const packet_info *pinfo, uint8_t layer,
                     struct connection_view *view);

/*
 * When the latest segment of the first pass was captured, nanoseconds since 1970: once the capture is read,
 * its end. Only segments with a state count.
 */
int64_t connection_latest_ns(void);

/* How long TIME_WAIT lasts, seconds; a preference. */
extern unsigned connection_time_wait_s;

#endif
