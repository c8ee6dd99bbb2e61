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

#include <stdio.h>

/* ------------------------------------------------------------------ an end's way */

/* It sent what belies its assumed state: a step before was wrong, rather than this one a step forward. */
static bool is_correction(uint8_t event)
{
    return event >= TCP_EV_SYN_REPEATED && event != TCP_EV_ACK_OF_PEERS_FIN && event != TCP_EV_FIN_ACKNOWLEDGED
        && event != TCP_EV_FIN_PASSED; /* these say that it is further than was assumed */
}

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
        const bool correction = is_correction(step[i].event);
        const struct diagram_arc *arc = diagram_arc_of(step[i].left, step[i].entered, step[i].event);
        if ((correction || (!arc && is_proof(step[i].event))) && correct(step, i))
            continue;
        step[i].arc = correction ? NULL : arc;
    }
}

/* ------------------------------------------------------------------ what is kept */

struct diagram_connection {
    struct view_connection base;
    const struct history *history; /* of the first connection only; NULL once its file is closed */
    uint32_t read;                 /* entries of it that were read */
    uint32_t frame;                /* the segment of the entry read last */
    uint8_t  layer;
    GArray  *step;                 /* of struct diagram_step */
    uint32_t latest[2];            /* number of each end's latest step, 0: none */
    uint8_t  state[2];             /* enum tcp_state by index of end, as of what was read */
    bool     confirmed[2];
};

/* Index of the first entry of the incarnation that the segment belongs to. */
static uint32_t beginning_of(const struct history_view *shown)
{
    const struct history_entry *entry = shown->history->entry;
    uint32_t index = shown->first + shown->count - 1;

    while (index > 0 && !entry[index].opened)
        index--;
    while (index > 0 && entry[index - 1].opened && entry[index - 1].frame == entry[index].frame
           && entry[index - 1].layer == entry[index].layer)
        index--;
    return index;
}

/* After the last entry of a segment: what it proved. */
static void note_proofs(const struct diagram_connection *c)
{
    for (unsigned end = 0; end < 2; end++) {
        if (c->confirmed[end] && c->latest[end])
            g_array_index(c->step, struct diagram_step, c->latest[end] - 1).proved = true;
    }
}

static void read_entry(struct diagram_connection *c)
{
    const struct history_view one = { .history = c->history, .first = c->read, .count = 1 };
    const struct history_entry *entry = &c->history->entry[c->read];
    struct history_step said;

    if (entry->frame != c->frame || entry->layer != c->layer)
        note_proofs(c);
    c->frame = entry->frame;
    c->layer = entry->layer;
    if (history_step(&one, 0, &said)) {
        const struct diagram_step step = {
            .elapsed_ns = view_elapsed_ns(&c->base, entry->time_ns), .frame = entry->frame, .end = said.end,
            .event = said.event, .left = said.left, .entered = said.entered,
        };
        g_array_append_val(c->step, step);
        c->latest[said.end] = c->step->len;
    }
    c->state[0] = entry->state0;
    c->state[1] = entry->state1;
    c->confirmed[0] = entry->confirmed0;
    c->confirmed[1] = entry->confirmed1;
    c->read++;
}

static tap_packet_status packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                tap_flags_t flags _U_)
{
    struct view *view = (struct view *)data;
    const struct tcpstate_tap *segment = (const struct tcpstate_tap *)tapped;
    const struct history_view *shown = &segment->view.shown;
    struct view_connection *base = view_connection_of(view, pinfo, segment);
    struct diagram_connection *c = (struct diagram_connection *)base;

    if (base != view->first)
        return TAP_PACKET_REDRAW;
    if (!c->step) {
        c->step = g_array_new(false, false, sizeof(struct diagram_step));
        c->history = shown->history;
        c->read = beginning_of(shown);
    } else if (c->history != shown->history) {
        c->history = shown->history;
        c->read = 0;
    }
    while (c->read < shown->first + shown->count)
        read_entry(c);
    return TAP_PACKET_REDRAW;
}

/* What the filter kept from view: the rest of the same incarnation. */
static void read_rest(struct diagram_connection *c)
{
    while (c->history && c->read < c->history->count && !c->history->entry[c->read].opened)
        read_entry(c);
}

static void forget(struct view *view)
{
    struct diagram_connection *c = (struct diagram_connection *)view->first;

    if (c && c->step)
        g_array_free(c->step, true);
    view->first = NULL;
}

/* ------------------------------------------------------------------ what is printed */

/* Octets of a filter that are shown. */
#define FILTER_SHOWN 110

static char *subtitle_of(const struct view *view)
{
    const char *filter = view->filter ? view->filter : "";
    char *which = view->last->number == 1 ? g_strdup("the only connection")
                                          : g_strdup_printf("the first of %u connections", view->last->number);
    char *text = g_strdup_printf("RFC 9293 figure 5, %s%s%.*s%s", which, view->filter ? ", filter: " : "",
                                 FILTER_SHOWN, filter, strlen(filter) > FILTER_SHOWN ? "\xe2\x80\xa6" : "");

    g_free(which);
    return text;
}

static GString *picture_of(const struct view *view)
{
    struct diagram_connection *c = (struct diagram_connection *)view->first;
    char *socket[2] = { view_socket(NULL, &c->base, 0), view_socket(NULL, &c->base, 1) }, *subtitle = subtitle_of(view);

    read_rest(c);
    struct diagram_step *step = (struct diagram_step *)(void *)c->step->data;
    diagram_follow(step, c->step->len);
    const struct diagram d = {
        .step = step, .steps = c->step->len, .client = c->base.client, .socket = { socket[0], socket[1] },
        .state = { c->state[0], c->state[1] }, .confirmed = { c->confirmed[0], c->confirmed[1] }, .subtitle = subtitle,
    };
    GString *svg = diagram_svg(&d);
    wmem_free(NULL, socket[0]);
    wmem_free(NULL, socket[1]);
    g_free(subtitle);
    return svg;
}

static void draw(void *data)
{
    const struct view *view = (const struct view *)data;
    GString *svg;

    if (view->first)
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
        .packet = packet, .draw = draw, .forget = forget,
    };
    view_register(&kind);
}
