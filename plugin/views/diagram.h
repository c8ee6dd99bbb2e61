/* diagram.h
 * The state diagram of RFC 9293 figure 5, as a picture: where each state and arc stands, what is drawn of a
 * connection's way through it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef DIAGRAM_H
#define DIAGRAM_H

#include "ws_compat.h"
#include "incarnations.h"

/* An arc of figure 5, or of its note 2. */
struct diagram_arc {
    uint8_t from, to;   /* enum tcp_state */
    const char *label;  /* what happens, as in the figure: "rcv SYN / snd SYN,ACK" */
    const char *path;   /* SVG path data */
    int x, y;           /* where its label begins, baseline; two lines of notes below it are free */
    bool above;         /* the arc runs below the notes: label and notes move down to it */
};

/* Where a state stands in the figure. CLOSED stands twice: where a connection begins, and last where it ends. */
struct diagram_box {
    uint8_t state;      /* enum tcp_state */
    int x, y, height;   /* middle of its top edge */
};

enum { DIAGRAM_BOXES = 12, DIAGRAM_ARCS = 21, DIAGRAM_BOX_WIDTH = 170 };
extern const struct diagram_box diagram_boxes[DIAGRAM_BOXES];
extern const struct diagram_arc diagram_arcs[DIAGRAM_ARCS];

/* The arc between two states that this event takes, or NULL. */
const struct diagram_arc *diagram_arc_of(uint8_t from, uint8_t to, uint8_t event);

/* One transition of one end, ready to be drawn. */
struct diagram_step {
    int64_t  elapsed_ns;    /* since the connection's first segment */
    uint32_t frame;
    uint32_t undone_by;     /* number of the step that proved this one wrong, 0: none */
    const struct diagram_arc *arc; /* NULL: it is no arc of the figure */
    uint8_t  end;           /* index of the end */
    uint8_t  event, left, entered;
    bool     proved;        /* segments of the end itself have proved the state entered */
};

/* What is drawn. */
struct diagram {
    const struct diagram_step *step; /* in order; the number of each is its index + 1 */
    uint32_t steps;
    unsigned client;          /* index of the client */
    const char *socket[2];    /* by index of end: "10.9.0.1:40000" */
    uint8_t  state[2];        /* enum tcp_state at last */
    bool     confirmed[2];
    const char *subtitle;     /* which connection of how many */
};

/*
 * The way of both ends of an incarnation, each step with its arc, or undone by a later proof.
 *  last_frame  transitions of later frames are left out
 * Returns an array of struct diagram_step, a step for each transition, to be freed with g_array_free.
 */
GArray *diagram_way(const struct incarnation *i, uint32_t last_frame);

/* Returns the picture, an SVG document; the caller frees it with g_string_free. */
GString *diagram_svg(const struct diagram *d);

/* The same where there is nothing to draw, with a text that says why. */
GString *diagram_svg_empty(const char *text);

#endif
