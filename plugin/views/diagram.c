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

/* Sets arc and undone_by of all steps. */
static void follow(struct diagram_step *step, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        const bool correction = tcp_event_corrects(step[i].event);
        const struct diagram_arc *arc = diagram_arc_of(step[i].left, step[i].entered, step[i].event);
        if ((correction || (!arc && is_proof(step[i].event))) && correct(step, i))
            continue;
        step[i].arc = correction ? NULL : arc;
    }
}

/* ------------------------------------------------------------------ the log */

/* How far the log was read. */
struct reading {
    const struct incarnation *i;
    GArray *step;         /* of struct diagram_step */
    guint latest[2];      /* number of each end's latest step, 0: none */
    bool confirmed[2];    /* by index of end, as of what was read */
};

/* After the last entry of a segment: what it proved. */
static void note_proofs(const struct reading *r)
{
    for (unsigned end = 0; end < 2; end++) {
        if (r->confirmed[end] && r->latest[end])
            g_array_index(r->step, struct diagram_step, r->latest[end] - 1).proved = true;
    }
}

static void read_entry(struct reading *r, uint32_t index)
{
    const struct log *log = r->i->log;
    const struct log_view one = { .log = log, .first = index, .count = 1 };
    const struct log_entry *entry = &log->entry[index], *before = entry - 1;
    struct log_step said;

    if (index > r->i->opening && (entry->frame != before->frame || entry->layer != before->layer))
        note_proofs(r);
    if (log_step(&one, 0, &said)) {
        const struct diagram_step step = {
            .elapsed_ns = incarnation_elapsed_ns(r->i, entry->time_ns), .frame = entry->frame, .end = said.end,
            .event = said.event, .left = said.left, .entered = said.entered,
        };
        g_array_append_val(r->step, step);
        r->latest[said.end] = r->step->len;
    }
    r->confirmed[0] = entry->facts.confirmed0;
    r->confirmed[1] = entry->facts.confirmed1;
}

GArray *diagram_way(const struct incarnation *i, uint32_t last_frame)
{
    const uint32_t end = log_next_opening(i->log, i->opening + 1);
    struct reading r = { .i = i, .step = g_array_new(false, false, sizeof(struct diagram_step)) };

    for (uint32_t n = i->opening; n < end && i->log->entry[n].frame <= last_frame; n++)
        read_entry(&r, n);
    follow((struct diagram_step *)(void *)r.step->data, r.step->len);
    return r.step;
}

static tap_packet_status packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                tap_flags_t flags _U_)
{
    incarnations_note(&((struct view *)data)->connections, pinfo, (const struct tcpstate_tap *)tapped);
    return TAP_PACKET_REDRAW;
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
    const struct incarnation *i = view->connections.first;
    char endpoint[2][ENDPOINT_NAME_SIZE], *subtitle = subtitle_of(view);
    GArray *way = diagram_way(i, UINT32_MAX);
    struct log_view last;

    log_at(i->log, log_next_opening(i->log, i->opening + 1) - 1, &last);
    const struct diagram d = {
        .step = (const struct diagram_step *)(void *)way->data, .steps = way->len, .client = i->client,
        .socket = { endpoint_name(&i->address[0], i->port[0], endpoint[0]),
                    endpoint_name(&i->address[1], i->port[1], endpoint[1]) },
        .state = { last.end[0].state, last.end[1].state },
        .confirmed = { last.end[0].confirmed, last.end[1].confirmed }, .subtitle = subtitle,
    };
    GString *svg = diagram_svg(&d);
    g_array_free(way, true);
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
        .cli = "tcpstate,diagram", .title = "TCP State diagram", .record = sizeof(struct incarnation),
        .packet = packet, .draw = draw,
    };
    view_register(&kind);
}
