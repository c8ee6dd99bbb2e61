/* diagram.c
 * tshark -z tcpstate,diagram[,filter]: the way of a connection through the state diagram of RFC 9293, as SVG.
 *
 * The filter chooses the connection, the first of which a segment passes it; all of its transitions are drawn.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "diagram.h"
#include "views.h"

#include "names.h"

#include <stdio.h>

/* ------------------------------------------------------------------ an end's way */

/* What it sent without a step back of the machine's; yet it tells in which state it was. */
static bool is_proof(uint8_t event)
{
    return event == TCP_EV_SND_SYN || event == TCP_EV_SND_SYN_ACK;
}

/* The step of the same end before this one that still holds, or NULL. */
static struct diagram_step *holding_before(struct diagram_step *step, uint32_t index, uint8_t end)
{
    while (index-- > 0) {
        if (step[index].end == end && !step[index].undone_by)
            return &step[index];
    }
    return NULL;
}

/*
 * A proof says that the end is in a state to which no arc leads from the one that was assumed. The steps since
 * it was in that state, or where an arc leads there, were assumed in error. Returns false if there is no such place.
 */
static bool correct(struct diagram_step *step, uint32_t index)
{
    struct diagram_step *proof = &step[index], *wrong = holding_before(step, index, proof->end);
    const struct diagram_step *from = wrong;

    while (from && !(from->proved && is_proof(proof->event)) && from->left != proof->entered
           && !diagram_arc_of(from->left, proof->entered, proof->event))
        from = holding_before(step, (uint32_t)(from - step), proof->end);
    if (!from || (from->proved && is_proof(proof->event)))
        return false;
    if (from->left != proof->entered)
        proof->arc = diagram_arc_of(from->left, proof->entered, proof->event);
    while (wrong && wrong >= from) {
        wrong->undone_by = index + 1;
        wrong = holding_before(step, (uint32_t)(wrong - step), proof->end);
    }
    return true;
}

void diagram_follow(struct diagram_step *step, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        const bool correction = tcp_event_corrects(step[i].event);
        const struct diagram_arc *arc = diagram_arc_of(step[i].left, step[i].entered, step[i].event);
        if ((correction || (!arc && is_proof(step[i].event))) && correct(step, i))
            continue;
        step[i].arc = correction ? NULL : arc;
    }
}

/* ------------------------------------------------------------------ what is kept */

struct diagram_connection {
    struct incarnation base;
    uint32_t read;                 /* entries of the log that were read; of the first connection only */
    uint32_t frame;                /* the segment of the entry read last */
    uint8_t  layer;
    wmem_array_t *step;            /* of struct diagram_step */
    uint32_t latest[2];            /* number of each end's latest step, 0: none */
    uint8_t  state[2];             /* enum tcp_state by index of end, as of what was read */
    bool     confirmed[2];
};

/* After the last entry of a segment: what it proved. */
static void note_proofs(const struct diagram_connection *c)
{
    for (unsigned end = 0; end < 2; end++) {
        if (c->confirmed[end] && c->latest[end])
            ((struct diagram_step *)wmem_array_index(c->step, c->latest[end] - 1))->proved = true;
    }
}

static void read_entry(struct diagram_connection *c)
{
    const struct log_view one = { .log = c->base.log, .first = c->read, .count = 1 };
    const struct log_entry *entry = &c->base.log->entry[c->read];
    struct log_step said;

    if (entry->frame != c->frame || entry->layer != c->layer)
        note_proofs(c);
    c->frame = entry->frame;
    c->layer = entry->layer;
    if (log_step(&one, 0, &said)) {
        const struct diagram_step step = {
            .elapsed_ns = incarnation_elapsed_ns(&c->base, entry->time_ns), .frame = entry->frame, .end = said.end,
            .event = said.event, .left = said.left, .entered = said.entered,
        };
        wmem_array_append_one(c->step, step);
        c->latest[said.end] = wmem_array_get_count(c->step);
    }
    c->state[0] = entry->state0;
    c->state[1] = entry->state1;
    c->confirmed[0] = entry->facts.confirmed0;
    c->confirmed[1] = entry->facts.confirmed1;
    c->read++;
}

static tap_packet_status packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                tap_flags_t flags _U_)
{
    struct view *view = (struct view *)data;
    const struct tcpstate_tap *tap = (const struct tcpstate_tap *)tapped;
    const struct log_view *shown = &tap->view.shown;
    struct incarnation *base = incarnations_note(&view->connections, pinfo, tap);
    struct diagram_connection *c = (struct diagram_connection *)base;

    if (base != view->connections.first)
        return TAP_PACKET_REDRAW;
    if (!c->step) {
        c->step = wmem_array_new(view->connections.pool, sizeof(struct diagram_step));
        c->read = base->opening;
    }
    while (c->read < shown->first + shown->count)
        read_entry(c);
    return TAP_PACKET_REDRAW;
}

/* Segments that the filter did not let through: the rest of the same incarnation. */
static void read_rest(struct diagram_connection *c)
{
    const uint32_t end = log_next_opening(c->base.log, MAX(c->read, c->base.opening + 1));

    while (c->read < end)
        read_entry(c);
}

/* ------------------------------------------------------------------ what is printed */

/* Octets of a filter that are shown. */
#define FILTER_SHOWN 110

static char *subtitle_of(const struct view *view)
{
    const uint32_t connections = view->connections.last->number;
    const char *filter = view->filter ? view->filter : "";
    char *which = connections == 1 ? g_strdup("the only connection")
                                   : g_strdup_printf("the first of %u connections", connections);
    char *text = g_strdup_printf("RFC 9293 figure 5, %s%s%.*s%s", which, view->filter ? ", filter: " : "",
                                 FILTER_SHOWN, filter, strlen(filter) > FILTER_SHOWN ? "\xe2\x80\xa6" : "");

    g_free(which);
    return text;
}

static GString *picture_of(const struct view *view)
{
    struct diagram_connection *c = (struct diagram_connection *)view->connections.first;
    char endpoint[2][ENDPOINT_NAME_SIZE], *subtitle = subtitle_of(view);

    read_rest(c);
    struct diagram_step *step = (struct diagram_step *)wmem_array_get_raw(c->step);
    const uint32_t steps = wmem_array_get_count(c->step);
    diagram_follow(step, steps);
    const struct diagram d = {
        .step = step, .steps = steps, .client = c->base.client,
        .socket = { endpoint_name(&c->base.address[0], c->base.port[0], endpoint[0]),
                    endpoint_name(&c->base.address[1], c->base.port[1], endpoint[1]) },
        .state = { c->state[0], c->state[1] }, .confirmed = { c->confirmed[0], c->confirmed[1] }, .subtitle = subtitle,
    };
    GString *svg = diagram_svg(&d);
    g_free(subtitle);
    return svg;
}

static void draw(void *data)
{
    const struct view *view = (const struct view *)data;
    GString *svg;

    if (view->connections.first)
        svg = picture_of(view);
    else
        svg = diagram_svg_empty(view->filter ? "No TCP connection passes the filter." : "No TCP connection.");
    fputs(svg->str, stdout);
    g_string_free(svg, true);
}

/* ------------------------------------------------------------------ registration */

void diagram_register(void)
{
    static struct view_kind kind = {
        .cli = "tcpstate,diagram", .title = "TCP State diagram", .record = sizeof(struct diagram_connection),
        .packet = packet, .draw = draw,
    };
    view_register(&kind);
}
