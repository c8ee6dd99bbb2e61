/* flow.h
 * Which part of a split capture a frame belongs to: all that concerns a TCP connection must come into one. Pure C,
 * no state: what a single frame tells.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FLOW_H
#define FLOW_H

#include <stdbool.h>
#include <stdint.h>

/* What the frames begin with. */
enum flow_link {
    FLOW_LINK_OTHER, /* nothing is known of it */
    FLOW_LINK_ETHERNET,
    FLOW_LINK_IP,    /* the IP header itself */
    FLOW_LINK_LOOP,  /* four octets of address family, then IP */
    FLOW_LINK_SLL,   /* Linux "cooked" capture */
    FLOW_LINK_SLL2,
};

/* What the fragments of one datagram have in common: RFC 791 section 3.2, RFC 8200 section 4.5. */
struct flow_datagram {
    uint8_t address[2][16]; /* source, destination; an IPv4 address is followed by zeros */
    uint32_t id;
    uint32_t protocol;      /* of IPv4; 256 for IPv6, whose fragments have none in common */
};

enum flow_fragment {
    FLOW_WHOLE,
    FLOW_FRAGMENT_FIRST,
    FLOW_FRAGMENT_LATER, /* neither ports nor an inner header: it belongs to the part of the first one */
    FLOW_FRAGMENT_LAST,  /* the same */
};

struct flow {
    /*
     * The same for all frames of a connection, both ways, and for ICMP errors about it: of its ports. Of other IP
     * packets, of their addresses. 0: no IP packet, or ports 0.
     */
    uint64_t hash;
    bool is_tcp;               /* a segment, as opposed to one that an ICMP error quotes */
    enum flow_fragment fragment;
    struct flow_datagram datagram; /* of a fragment */
};

/*
 * Reads a frame.
 *  data  its captured octets, as many as captured tells; none need be there
 */
void flow_of(enum flow_link link, const uint8_t *data, uint32_t captured, struct flow *flow);

#endif
