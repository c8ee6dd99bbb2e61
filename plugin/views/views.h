/* views.h
 * What users see of whole connections, from the tap "tcpstate"; and the start of all views that tshark's -z prints.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef VIEWS_H
#define VIEWS_H

#include "ws_compat.h"
#include "incarnations.h"

#include <epan/tap.h>

/*
 * Registers all views. Call once, after the dissector has registered.
 *  proto  number of the protocol "tcpstate"
 */
void views_register(int proto);

/* Each registers one view. */
void connections_register(void);
void states_tree_register(void);
void ladder_register(void);
void diagram_register(void);
void flow_graph_register(int proto);
void json_register(void);
void timeline_register(void);
void page_register(void);

/* One of -z's views that print a text. It stays as long as the program runs. */
struct view_kind {
    const char *cli;        /* what follows -z, "tcpstate,ladder" */
    const char *title;
    size_t record;          /* incarnations.record */
    tap_packet_cb packet;   /* called with the view for each segment that the filter lets through */
    bool whole;             /* it is called for all segments: the filter chooses connections, incarnation.chosen */
    tap_draw_cb draw;       /* called with the view, at the end of the capture */
    bool has_interval;      /* a number of seconds may stand before the filter */
    stat_tap_ui ui;         /* view_register's */
};

/* Registers a view as -z has it: cli, and behind commas, both optional, an interval if it has one, a display filter. */
void view_register(struct view_kind *kind);

/* One that was asked for. */
struct view {
    const struct view_kind *kind;
    struct incarnation_list connections;
    int64_t interval_ns;    /* > 0 as the user wrote it, 0: none */
    char *filter;           /* display filter as the user wrote it, or NULL */
    struct chooser { struct view *view; } chooser; /* listens with the filter where kind->whole */
};

/* Whether a view shows a connection: not where it is whole, and no segment of it passes the filter. */
static inline bool view_shows(const struct view *view, const struct incarnation *i)
{
    return !view->kind->whole || !view->filter || i->chosen;
}

#endif
