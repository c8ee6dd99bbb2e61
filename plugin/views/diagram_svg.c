/* diagram_svg.c
 * Draws the state diagram of RFC 9293 figure 5 with the way that each end of a connection took.
 *
 * The client's way is a broad pale band, the server's a narrow dark dashed line, so that both show on one arc, in
 * grey as in colour. The picture refers to nothing outside it, and has a ground of its own in light and in dark.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "diagram.h"

#include "names.h"
#include "numbers.h"

/* ------------------------------------------------------------------ the figure */

enum { WIDTH = 1280, FIGURE_AT = 50, FIGURE_HEIGHT = 1320, LINE = 18, LIST_LINE = 22 };

/* Of more notes at one arc than this, the rest stands in the list only. */
#define NOTES_MAX 2
/* Longer lists are cut. */
#define LIST_MAX 200

const struct diagram_box diagram_boxes[DIAGRAM_BOXES] = {
    { TCP_CLOSED, 600, 102, 56 },      { TCP_LISTEN, 600, 272, 56 },       { TCP_SYN_RCVD, 170, 385, 170 },
    { TCP_SYN_SENT, 1030, 385, 170 },  { TCP_ESTABLISHED, 600, 622, 56 },  { TCP_FIN_WAIT_1, 170, 790, 136 },
    { TCP_CLOSE_WAIT, 1030, 790, 136 }, { TCP_FIN_WAIT_2, 170, 1022, 56 }, { TCP_CLOSING, 600, 1022, 56 },
    { TCP_LAST_ACK, 1030, 1022, 56 },  { TCP_TIME_WAIT, 600, 1187, 60 },   { TCP_CLOSED, 1030, 1187, 60 },
};

const struct diagram_arc diagram_arcs[DIAGRAM_ARCS] = {
    { TCP_CLOSED, TCP_SYN_SENT, "active OPEN / snd SYN",
      "M685 118H1020Q1060 118 1060 158V385", 705, 72, true },
    { TCP_SYN_SENT, TCP_CLOSED, "CLOSE / delete TCB",
      "M1000 385V184Q1000 144 960 144H685", 705, 164, false },
    { TCP_CLOSED, TCP_LISTEN, "passive OPEN / create TCB",
      "M570 158V272", 402, 220, false },
    { TCP_LISTEN, TCP_CLOSED, "CLOSE / delete TCB",
      "M630 272V158", 642, 220, false },
    { TCP_SYN_RCVD, TCP_LISTEN, "rcv RST (after a passive OPEN)",
      "M130 385V340Q130 300 170 300H515", 150, 254, true },
    { TCP_LISTEN, TCP_SYN_RCVD, "rcv SYN / snd SYN,ACK",
      "M560 328V370Q560 410 520 410H255", 270, 364, true },
    { TCP_LISTEN, TCP_SYN_SENT, "SEND / snd SYN",
      "M640 328V370Q640 410 680 410H945", 690, 364, true },
    { TCP_SYN_SENT, TCP_SYN_RCVD, "rcv SYN / snd SYN,ACK",
      "M945 474H255", 515, 428, true },
    { TCP_SYN_RCVD, TCP_ESTABLISHED, "rcv ACK of SYN",
      "M255 530H520Q560 530 560 570V622", 270, 550, false },
    { TCP_SYN_SENT, TCP_ESTABLISHED, "rcv SYN,ACK / snd ACK",
      "M945 530H680Q640 530 640 570V622", 690, 550, false },
    { TCP_SYN_RCVD, TCP_FIN_WAIT_1, "CLOSE / snd FIN",
      "M130 555V790", 142, 640, false },
    { TCP_ESTABLISHED, TCP_FIN_WAIT_1, "CLOSE / snd FIN",
      "M560 678V770Q560 810 520 810H255", 270, 764, true },
    { TCP_ESTABLISHED, TCP_CLOSE_WAIT, "rcv FIN / snd ACK",
      "M640 678V770Q640 810 680 810H945", 690, 764, true },
    { TCP_FIN_WAIT_1, TCP_FIN_WAIT_2, "rcv ACK of FIN",
      "M130 926V1022", 142, 958, false },
    { TCP_FIN_WAIT_1, TCP_CLOSING, "rcv FIN / snd ACK",
      "M255 850H560Q600 850 600 890V1022", 270, 870, false },
    { TCP_FIN_WAIT_1, TCP_TIME_WAIT, "rcv FIN and ACK of FIN (note 2)",
      "M255 916H362Q402 916 402 956V1162Q402 1202 442 1202H515", 414, 1106, false },
    { TCP_CLOSE_WAIT, TCP_LAST_ACK, "CLOSE / snd FIN",
      "M1030 926V1022", 1042, 958, false },
    { TCP_FIN_WAIT_2, TCP_TIME_WAIT, "rcv FIN / snd ACK",
      "M170 1078V1188Q170 1228 210 1228H515", 226, 1182, true },
    { TCP_CLOSING, TCP_TIME_WAIT, "rcv ACK of FIN",
      "M640 1078V1187", 652, 1112, false },
    { TCP_LAST_ACK, TCP_CLOSED, "rcv ACK of FIN",
      "M1030 1078V1187", 1042, 1112, false },
    { TCP_TIME_WAIT, TCP_CLOSED, "Timeout=2MSL / delete TCB",
      "M685 1216H945", 705, 1170, true },
};

static bool is_reset(uint8_t event)
{
    return event == TCP_EV_RCV_RST || event == TCP_EV_SND_RST;
}

const struct diagram_arc *diagram_arc_of(uint8_t from, uint8_t to, uint8_t event)
{
    if (is_reset(event) && !(event == TCP_EV_RCV_RST && to == TCP_LISTEN)) /* note 3: left out of the figure */
        return NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(diagram_arcs); i++) {
        if (diagram_arcs[i].from == from && diagram_arcs[i].to == to)
            return &diagram_arcs[i];
    }
    return NULL;
}

/* ------------------------------------------------------------------ looks */

static const char style[] =
    "text{font-family:'DejaVu Sans',Verdana,Helvetica,Arial,sans-serif;font-size:13px;fill:#1d2730}\n"
    ".ground{fill:#ffffff}\n"
    ".title{font-size:22px;font-weight:bold}\n"
    ".faint,.label{fill:#5d6973}\n"
    ".label{font-size:12px}\n"
    ".name{font-size:16px;font-weight:bold;text-anchor:middle}\n"
    ".box{fill:#f3f5f7;stroke:#7d8a95;stroke-width:1.5}\n"
    ".now{fill:#fff3c4;stroke:#1d2730;stroke-width:3}\n"
    ".rule{stroke:#c5cdd3;stroke-width:1}\n"
    "path{fill:none}\n"
    ".arc{stroke:#aab4bc;stroke-width:1.5}\n"
    ".head{fill:#aab4bc}\n"
    "path.client.taken{stroke:#93c3ee;stroke-width:9}\n"
    ".client-head{fill:#93c3ee}\n"
    "path.server.taken{stroke:#a33b00;stroke-width:3.5;stroke-dasharray:9 5}\n"
    ".server-head{fill:#a33b00}\n"
    "path.client.undone{stroke:#5c9ad2;stroke-width:3;stroke-dasharray:1 7;stroke-linecap:round}\n"
    "path.server.undone{stroke:#a33b00;stroke-width:3;stroke-dasharray:1 7;stroke-linecap:round}\n"
    ".badge{stroke-width:1.5}\n"
    ".client.badge{fill:#175a99;stroke:#175a99}\n"
    ".server.badge{fill:#a33b00;stroke:#a33b00}\n"
    ".badge.undone,.badge.jump{fill:#ffffff;stroke-dasharray:3 2}\n"
    ".number{font-size:11px;font-weight:bold;text-anchor:middle;fill:#ffffff}\n"
    ".number.undone,.number.jump{fill:#1d2730}\n"
    ".undone.note{text-decoration:line-through}\n"
    ".halo{paint-order:stroke;stroke:#ffffff;stroke-width:4;stroke-linejoin:round}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#e4e9ed}\n"
    ".ground{fill:#161b20}\n"
    ".faint,.label{fill:#a3afb9}\n"
    ".box{fill:#232a31;stroke:#7d8a95}\n"
    ".now{fill:#4a4212;stroke:#f0e6b4}\n"
    ".rule{stroke:#3b454e}\n"
    ".arc{stroke:#57636d}\n"
    ".head{fill:#57636d}\n"
    "path.client.taken{stroke:#2d68a3}\n"
    ".client-head{fill:#2d68a3}\n"
    "path.server.taken{stroke:#ffb27a}\n"
    ".server-head{fill:#ffb27a}\n"
    "path.client.undone{stroke:#5c9ad2}\n"
    "path.server.undone{stroke:#ffb27a}\n"
    ".client.badge{fill:#9fd0ff;stroke:#9fd0ff}\n"
    ".server.badge{fill:#ffb27a;stroke:#ffb27a}\n"
    ".badge.undone,.badge.jump{fill:#161b20}\n"
    ".number{fill:#161b20}\n"
    ".number.undone,.number.jump{fill:#e4e9ed}\n"
    ".halo{stroke:#161b20}\n"
    "}\n";

/* Ends of arcs: the tip touches the box. */
static void add_head(GString *svg, const char *id, int size)
{
    g_string_append_printf(svg, "<marker id=\"%s\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"%d\" "
                                "markerHeight=\"%d\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">"
                                "<path class=\"%s\" d=\"M0 0L10 5L0 10Z\"/></marker>\n", id, size, size, id);
}

static void begin(GString *svg, int height, const char *title)
{
    g_string_append_printf(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                                "height=\"%d\" role=\"img\">\n<title>%s</title>\n<style>\n%s</style>\n<defs>\n",
                           WIDTH, height, WIDTH, height, title, style);
    add_head(svg, "head", 10);
    add_head(svg, "client-head", 24);
    add_head(svg, "server-head", 14);
    g_string_append_printf(svg, "</defs>\n<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n", WIDTH, height);
}

/* ------------------------------------------------------------------ parts */

/* Text that is safe in XML, whatever the user wrote; the caller frees it. */
static char *escaped(const char *text)
{
    char *valid = g_utf8_make_valid(text, -1);

    for (char *c = valid; *c; c++) {
        if ((unsigned char)*c < ' ')
            *c = ' ';
    }
    char *safe = g_markup_escape_text(valid, -1);
    g_free(valid);
    return safe;
}

static const char *role_of(const struct diagram *d, unsigned end)
{
    return end == d->client ? "client" : "server";
}

/* What became of a step: taken, undone by a later proof, or a jump that is no arc of the figure. */
static const char *kind_of(const struct diagram_step *step)
{
    return step->undone_by ? "undone" : step->arc ? "taken" : "jump";
}

/* Round for the client, square for the server, with the number of the step; dashed unless it was an arc. */
static void add_badge(GString *svg, const struct diagram *d, uint32_t index, int x, int y)
{
    const struct diagram_step *step = &d->step[index];
    const char *role = role_of(d, step->end), *kind = kind_of(step);

    g_string_append_printf(svg, "<rect class=\"%s badge %s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"16\" rx=\"%d\"/>"
                                "<text class=\"number %s\" x=\"%d\" y=\"%d\">%u</text>",
                           role, kind, x, y - 8, index + 1 < 100 ? 20 : 28, step->end == d->client ? 8 : 2, kind,
                           x + (index + 1 < 100 ? 10 : 14), y + 4, index + 1);
}

static const char *way_at(const struct diagram *d, const struct diagram_arc *arc, unsigned end)
{
    const char *way = NULL;

    for (uint32_t i = 0; i < d->steps; i++) {
        const struct diagram_step *step = &d->step[i];
        if (step->arc == arc && step->end == end && (!way || !step->undone_by))
            way = kind_of(step);
    }
    return way;
}

static void add_arc(GString *svg, const struct diagram *d, const struct diagram_arc *arc)
{
    g_string_append_printf(svg, "<path class=\"arc\" marker-end=\"url(#head)\" d=\"%s\"/>\n", arc->path);
    for (unsigned i = 0; i < 2; i++) { /* the band below the line */
        const unsigned end = i ? !d->client : d->client;
        const char *way = way_at(d, arc, end), *role = role_of(d, end);
        if (way)
            g_string_append_printf(svg, "<path class=\"%s %s\" data-from=\"%s\" data-to=\"%s\" "
                                        "marker-end=\"url(#%s-head)\" d=\"%s\"/>\n",
                                   role, way, tcp_state_name(arc->from), tcp_state_name(arc->to), role, arc->path);
    }
}

/* What the arc means, and below it when it was taken. */
static void add_notes(GString *svg, const struct diagram *d, const struct diagram_arc *arc)
{
    char time[NUMBER_SIZE];
    uint32_t count = 0, noted = 0;
    int y = arc->y;

    for (uint32_t i = 0; i < d->steps; i++)
        count += d->step[i].arc == arc;
    if (arc->above)
        y += LINE * (NOTES_MAX - (int)MIN(count, NOTES_MAX));
    g_string_append_printf(svg, "<text class=\"label halo\" x=\"%d\" y=\"%d\">%s</text>\n", arc->x, y, arc->label);
    for (uint32_t i = 0; i < d->steps && noted < NOTES_MAX; i++) {
        const struct diagram_step *step = &d->step[i];
        if (step->arc != arc)
            continue;
        y += LINE;
        noted++;
        add_badge(svg, d, i, arc->x, y - 4);
        g_string_append_printf(svg, "<text class=\"note halo %s\" x=\"%d\" y=\"%d\">frame %u, %s s", kind_of(step),
                               arc->x + 28, y, step->frame, number_seconds(time, step->elapsed_ns));
        if (noted == NOTES_MAX && count > noted)
            g_string_append_printf(svg, ", and %u more", count - noted);
        g_string_append(svg, "</text>\n");
    }
}

/* Whether the end stands in this box: the last CLOSED is for those that have moved. */
static bool stands_in(const struct diagram *d, unsigned end, const struct diagram_box *box)
{
    bool moved = false;

    if (d->state[end] != box->state)
        return false;
    for (uint32_t i = 0; i < d->steps; i++)
        moved |= d->step[i].end == end;
    return box->state != TCP_CLOSED || moved == (box != &diagram_boxes[0]);
}

/* Where an end entered the state by no arc, its latest such step; client at the left, server at the right. */
static void add_jump(GString *svg, const struct diagram *d, const struct diagram_box *box, unsigned end)
{
    for (uint32_t i = d->steps; i-- > 0;) {
        const struct diagram_step *step = &d->step[i];
        if (step->end != end || step->arc || step->entered != box->state || box == &diagram_boxes[0])
            continue;
        const int out = DIAGRAM_BOX_WIDTH / 2 - 6;
        add_badge(svg, d, i, box->x + (end == d->client ? -out : out - 20), box->y + 14);
        return;
    }
}

static void add_box(GString *svg, const struct diagram *d, const struct diagram_box *box)
{
    const bool client = stands_in(d, d->client, box), server = stands_in(d, !d->client, box);
    const int middle = box->y + box->height / 2;
    GString *who = g_string_new(NULL);

    if (client)
        g_string_append_printf(who, "\xe2\x97\x8f client%s", d->confirmed[d->client] ? "" : ASSUMED_MARK);
    if (server)
        g_string_append_printf(who, "%s\xe2\x96\xa0 server%s", client ? "  " : "",
                               d->confirmed[!d->client] ? "" : ASSUMED_MARK);
    g_string_append_printf(svg, "<rect class=\"box%s\" data-state=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
                                "rx=\"8\"/>\n<text class=\"name\" x=\"%d\" y=\"%d\">%s</text>\n",
                           client || server ? " now" : "", tcp_state_name(box->state), box->x - DIAGRAM_BOX_WIDTH / 2,
                           box->y, DIAGRAM_BOX_WIDTH, box->height, box->x, client || server ? middle : middle + 6,
                           tcp_state_name(box->state));
    if (client || server)
        g_string_append_printf(svg, "<text class=\"who\" text-anchor=\"middle\" x=\"%d\" y=\"%d\">%s</text>\n", box->x,
                               middle + 18, who->str);
    add_jump(svg, d, box, d->client);
    add_jump(svg, d, box, !d->client);
    g_string_free(who, true);
}

/* Top left: who is who, and how each is drawn. */
static void add_legend(GString *svg, const struct diagram *d)
{
    char *subtitle = escaped(d->subtitle);

    g_string_append_printf(svg, "<text class=\"title\" x=\"40\" y=\"46\">TCP Connection State Diagram</text>\n"
                                "<text class=\"faint\" x=\"40\" y=\"72\">%s</text>\n", subtitle);
    for (unsigned i = 0; i < 2; i++) {
        const unsigned end = i ? !d->client : d->client;
        const int y = 104 + 26 * (int)i;
        g_string_append_printf(svg, "<path class=\"%s taken\" marker-end=\"url(#%s-head)\" d=\"M40 %dH110\"/>\n"
                                    "<text x=\"122\" y=\"%d\">%s %s %s</text>\n",
                               role_of(d, end), role_of(d, end), y, y + 5, i ? "\xe2\x96\xa0" : "\xe2\x97\x8f",
                               role_of(d, end), d->socket[end]);
    }
    g_string_append(svg, "<text class=\"faint\" x=\"40\" y=\"164\">"
                         "Boxes in bold: where each end stood at last.</text>\n"
                         "<text class=\"faint\" x=\"40\" y=\"184\">"
                         "? assumed: its own segments do not prove it.</text>\n");
    g_free(subtitle);
}

static void add_list_line(GString *svg, const struct diagram *d, uint32_t index, int y)
{
    const struct diagram_step *step = &d->step[index];
    char time[NUMBER_SIZE];

    g_string_append_printf(svg, "<g class=\"step\" data-end=\"%s\" data-kind=\"%s\" data-left=\"%s\" "
                                "data-entered=\"%s\" data-event=\"%s\" data-frame=\"%u\">",
                           role_of(d, step->end), kind_of(step), tcp_state_name(step->left),
                           tcp_state_name(step->entered), tcp_event_name(step->event), step->frame);
    add_badge(svg, d, index, 40, y - 4);
    g_string_append_printf(svg, "<text x=\"84\" y=\"%d\">%s</text>"
                                "<text x=\"150\" y=\"%d\">frame %u, %s s</text>"
                                "<text class=\"%s note\" x=\"400\" y=\"%d\">%s \xe2\x86\x92 %s</text>"
                                "<text x=\"660\" y=\"%d\">%s</text>",
                           y, role_of(d, step->end), y, step->frame, number_seconds(time, step->elapsed_ns),
                           kind_of(step), y, tcp_state_name(step->left), tcp_state_name(step->entered), y,
                           tcp_event_text(step->event));
    if (step->undone_by)
        g_string_append_printf(svg, "<text class=\"faint\" x=\"980\" y=\"%d\">assumed in error, as %u shows</text>", y,
                               step->undone_by);
    else if (!step->arc)
        g_string_append_printf(svg, "<text class=\"faint\" x=\"980\" y=\"%d\">%s</text>", y,
                               is_reset(step->event) ? "reset: not drawn in figure 5, note 3"
                                                     : "not an arc of figure 5");
    g_string_append(svg, "</g>\n");
}

static void add_list(GString *svg, const struct diagram *d)
{
    int y = FIGURE_HEIGHT + 34;

    g_string_append_printf(svg, "<path class=\"rule\" d=\"M40 %dH%d\"/>\n", FIGURE_HEIGHT + 6, WIDTH - 40);
    for (uint32_t i = 0; i < d->steps && i < LIST_MAX; i++, y += LIST_LINE)
        add_list_line(svg, d, i, y);
    if (d->steps > LIST_MAX)
        g_string_append_printf(svg, "<text x=\"40\" y=\"%d\">and %u more</text>\n", y, d->steps - LIST_MAX);
}

/* ------------------------------------------------------------------ the whole */

GString *diagram_svg(const struct diagram *d)
{
    const uint32_t lines = MIN(d->steps, LIST_MAX + 1);
    GString *svg = g_string_sized_new(32768);
    char *title = g_strdup_printf("TCP states of %s and %s", d->socket[d->client], d->socket[!d->client]);

    begin(svg, FIGURE_HEIGHT + 50 + LIST_LINE * (int)lines, title);
    add_legend(svg, d);
    g_string_append_printf(svg, "<g transform=\"translate(0,%d)\">\n", FIGURE_AT);
    for (unsigned i = 0; i < G_N_ELEMENTS(diagram_arcs); i++)
        add_arc(svg, d, &diagram_arcs[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(diagram_boxes); i++)
        add_box(svg, d, &diagram_boxes[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(diagram_arcs); i++)
        add_notes(svg, d, &diagram_arcs[i]);
    g_string_append(svg, "</g>\n");
    add_list(svg, d);
    g_string_append(svg, "</svg>\n");
    g_free(title);
    return svg;
}

GString *diagram_svg_empty(const char *text)
{
    GString *svg = g_string_new(NULL);
    char *safe = escaped(text);

    begin(svg, 100, "TCP states");
    g_string_append_printf(svg, "<text class=\"title\" x=\"40\" y=\"58\">%s</text>\n</svg>\n", safe);
    g_free(safe);
    return svg;
}
