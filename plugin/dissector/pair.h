/* pair.h
 * The pairs of sockets in the capture file: found by a segment's addresses and ports, each with one machine and one
 * log of all its incarnations.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PAIR_H
#define PAIR_H

#include "final.h"
#include "log.h"

#include <epan/packet.h>

/* A pair of sockets, as long as the capture file is open. */
struct pair;

/* What is shown on one segment. Valid until the next segment moves the pair's machine. */
struct pair_view {
    struct log_view shown; /* by index of end */
    unsigned src;          /* index of the end that sent the segment */
    unsigned local;        /* index of the local end */
};

/* Forgets all pairs. Call when a capture file is opened. */
void pairs_forget(void);

/*
 * The pair of a segment, in either direction. Before the TCP dissector has it.
 *  pinfo   with the segment's addresses
 *  header  its TCP header, of which both ports are read
 *  sender  set to the index of the end that sent the segment
 * On the first pass a pair that is not there begins. On others NULL is returned for it: a segment without a state.
 */
struct pair *pair_find(const packet_info *pinfo, const uint8_t *header, unsigned *sender);

/*
 * The pair of a segment that an ICMP error quotes; none begins. On the first pass the machine moves, as
 * tcpfsm_icmp_error() tells, and the log notes what changed.
 *  pinfo   with the quoted segment's addresses
 *  header  the first 8 octets of its TCP header
 *  sender  set to the index of the end that sent the segment
 */
struct pair *pair_refused(const packet_info *pinfo, const uint8_t *header, unsigned *sender);

/* On the first pass, for each segment in order of the capture: the machine moves, and the log notes what changed. */
void pair_segment(struct pair *pair, const packet_info *pinfo, unsigned sender, const struct tcpfsm_segment *seg);

/*
 * On every pass, in any order: what is shown on a segment.
 *  layer  number of the protocol layer with which pair_segment() was called
 * Returns false if nothing is known of it.
 */
bool pair_view(const struct pair *pair, uint32_t frame, uint8_t layer, unsigned sender, struct pair_view *view);

/* How the connection of a segment stands at the end of the capture, as far as it has been read: for later passes. */
void pair_final(const struct pair_view *view, struct final_view *final);

/* How long TIME_WAIT and stuck_after last, and when the capture ends, as far as it has been read. */
struct final_limits pair_final_limits(void);

/* Notes the time of a TCP segment of the first pass, whether it has a state or not. */
void pairs_note_time(const packet_info *pinfo);

/* An end's port. */
uint16_t pair_port(const struct pair *pair, unsigned end);

#define PAIR_ADDRESS_MAX 16 /* octets of an address that count: an IP address has no more */

/* Writes the octets of an end's address, 4 for IPv4, else 16. */
void pair_address(const struct pair *pair, unsigned end, uint8_t octets[PAIR_ADDRESS_MAX]);

/* Preferences, in seconds: how long TIME_WAIT lasts, and a state of closing may last before it is called stuck. */
extern unsigned pair_time_wait_s, pair_stuck_after_s;

/* The latter in nanoseconds. */
static inline int64_t pair_stuck_after_ns(void)
{
    return (int64_t)pair_stuck_after_s * 1000000000;
}

/* A frame's time, nanoseconds since 1970. Times too far off for that are brought to its ends. */
static inline int64_t time_ns(const nstime_t *time)
{
    const int64_t second_ns = 1000000000, most_s = INT64_MAX / second_ns - 1;
    int64_t secs = time->secs, nsecs = time->nsecs;

    if (secs > most_s || secs < -most_s) {
        secs = secs > 0 ? most_s : -most_s;
        nsecs = 0;
    }
    return secs * second_ns + nsecs;
}

#endif
