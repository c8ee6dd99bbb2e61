/* views.h
 * What users see of whole connections, from the tap "tcpstate": the ladder, the state diagram, the flow
 * graph. And what the views that tshark's -z prints have in common: their start, and connections.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef VIEWS_H
#define VIEWS_H

#include "ws_compat.h"
#include "packet-tcpstate.h"

#include <epan/tap.h>

/* Each registers one view; called once, before the command line is read. */
void ladder_register(void);
void diagram_register(void);
void flow_register(int proto);

/* One incarnation of a pair of sockets, as far as segments of it were tapped. Lives until the next reset. */
struct view_connection {
    struct view_connection *next; /* in order of their first tapped segments */
    address  address[2];          /* by index of end */
    uint16_t port[2];
    uint8_t  client;              /* index of the client, as of the latest tapped segment; so the next two */
    uint8_t  closed_by;           /* enum tcp_closer */
    bool     midstream;
    bool     has_syn[2];
    uint32_t syn[2];              /* has_syn: number of the end's latest SYN */
    int64_t  start_ns;            /* time of its first segment in the capture, nanoseconds since 1970 */
    uint32_t first_frame, last_frame; /* of those that were tapped */
    uint32_t number;              /* from 1, in the same order */
};

struct view;

/* One of -z's views. It stays as long as the program runs. */
struct view_kind {
    const char *cli;        /* what follows -z, "tcpstate,ladder" */
    const char *title;
    size_t record;          /* size of the view's own record of a connection; its first member is a view_connection */
    tap_packet_cb packet;   /* called with the view for each segment that the filter lets through */
    tap_draw_cb draw;       /* called with the view, at the end of the capture */
    void (*forget)(struct view *view); /* or NULL: called before the view's memory goes */
    stat_tap_ui ui;         /* view_register's */
};

/* Registers a view as -z has it: cli, and a display filter behind a comma if the user likes. */
void view_register(struct view_kind *kind);

/* What a view that was asked for remembers. */
struct view {
    const struct view_kind *kind;
    wmem_allocator_t *pool; /* of all that is remembered; emptied on reset */
    unsigned on_close;      /* number of the callback at the capture file's end, 0: none */
    wmem_map_t *pairs;
    struct view_connection *first, *last;
    char *filter;           /* display filter as the user wrote it, or NULL */
};

/* The record of the segment's connection; new ones are filled with zeros behind their first member. */
struct view_connection *view_connection_of(struct view *view, const packet_info *pinfo,
                                           const struct tcpstate_tap *segment);

/* "10.9.0.1:40000", "[fd00:9::1]:40000". The caller's to free. */
char *view_socket(wmem_allocator_t *pool, const struct view_connection *c, unsigned end);

/* Nanoseconds since the connection's first segment; negative where time stamps run backwards. */
int64_t view_elapsed_ns(const struct view_connection *c, int64_t time_ns);

/*
 * Views print a line for each of millions of segments, so these do without printf.
 * Each returns text, which has room for as many octets as the constant says.
 */
#define VIEW_NUMBER 32
#define VIEW_STATE 32
#define VIEW_FLAGS 32

/* A number, written at `to`, which has room for VIEW_NUMBER octets. Returns its end, a NUL. */
char *view_number(char *to, uint64_t number);

/* A time as seconds with microseconds: "-0.000100". VIEW_NUMBER. */
const char *view_seconds(char *text, int64_t time_ns);

/* A number with its thousands apart: "14,480". VIEW_NUMBER. */
const char *view_count(char *text, uint64_t number);

/* "CLOSE_WAIT?": a state, marked if it is assumed. VIEW_STATE. */
const char *view_state(char *text, uint8_t state, bool assumed);

/* "FIN,ACK": the flags of a segment. VIEW_FLAGS. */
const char *view_flags(char *text, uint8_t flags);

#endif
