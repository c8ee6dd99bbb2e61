/* ladder.c
 * tshark -z tcpstate,ladder[,filter]: each connection in the notation of the figures of RFC 9293 section 3.5.
 *
 * The client stands on the left. Above each segment are its frame and time and, at either side, why that end
 * changed its state, where the RFC has its "(Close)". Long runs of segments that changed nothing are one row.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "final.h"
#include "ladder.h"
#include "views.h"

#include "names.h"
#include "numbers.h"

#include <stdio.h>

/* Columns. A FIN,ACK with numbers of ten digits takes 45 of the segment's 46. */
enum { WIDTH = 80, STATE_WIDTH = 12, SEGMENT_AT = 17, SEGMENT_WIDTH = 46, RIGHT_AT = WIDTH - STATE_WIDTH };

/* ------------------------------------------------------------------ what is kept */

struct ladder_connection {
    struct incarnation base;
    struct ladder ladder;
};

static tap_packet_status packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                tap_flags_t flags _U_)
{
    struct view *view = (struct view *)data;
    const struct tcpstate_tap *tap = (const struct tcpstate_tap *)tapped;
    struct ladder_connection *c = (struct ladder_connection *)incarnations_note(&view->connections, pinfo, tap);

    ladder_add(&c->ladder, view->connections.pool, pinfo, tap);
    return TAP_PACKET_REDRAW;
}

/* ------------------------------------------------------------------ what is printed */

/* Lines of text above a row, from below. A segment has at most 2 * TCPFSM_STEPS_MAX transitions. */
#define LINES_MAX (4 * TCPFSM_STEPS_MAX + 1)
struct above {
    char line[LINES_MAX][WIDTH];
    unsigned lines;
};

static char *line_of(struct above *above, unsigned index)
{
    while (above->lines <= index)
        memset(above->line[above->lines++], ' ', WIDTH);
    return above->line[index];
}

/* Whether the columns, and one beside them on either side, are blank. */
static bool is_free(const char *line, size_t at, size_t length)
{
    for (size_t i = at ? at - 1 : 0; i < WIDTH && i <= at + length; i++) {
        if (line[i] != ' ')
            return false;
    }
    return true;
}

/* Puts a text on the lowest line, from index on, that has room. Returns the index of that line. */
static unsigned put(struct above *above, unsigned index, size_t at, const char *text)
{
    const size_t length = strlen(text);

    index = MIN(index, LINES_MAX - 1);
    while (index < LINES_MAX - 1 && !is_free(line_of(above, index), at, length))
        index++;
    memcpy(line_of(above, index) + at, text, length);
    return index;
}

/* Texts of the right end stand under its name if there is room, else they end at the margin. */
static size_t column_of(bool right, const char *text)
{
    const size_t length = strlen(text);

    if (!right)
        return 0;
    return length <= STATE_WIDTH ? RIGHT_AT : WIDTH - length;
}

/* Why an end changed, from below: the last event, and before it each state that it passed through. */
static void put_steps(struct above *above, const struct ladder_row *row, unsigned end, bool right)
{
    unsigned index = 0;
    bool is_last = true;

    for (unsigned n = row->steps; n-- > 0;) {
        const struct ladder_step *step = &row->step[n];
        if (step->end != end)
            continue;
        if (!is_last) {
            const char *passed = tcp_state_name(step->entered);
            index = put(above, index, column_of(right, passed), passed) + 1;
        }
        const char *event = tcp_event_text(step->event);
        index = put(above, index, column_of(right, event), event) + 1;
        is_last = false;
    }
}

/* Prints a line of that many octets without the blanks at its end. */
static void print_line(const char *line, size_t length)
{
    while (length > 0 && line[length - 1] == ' ')
        length--;
    fwrite(line, 1, length, stdout);
    putchar('\n');
}

static void print_above(const struct above *above)
{
    for (unsigned n = above->lines; n-- > 0;)
        print_line(above->line[n], WIDTH);
}

/* The segment in the RFC's notation: what fits beside the arrows, and the rest, which begins with a whole part. */
static void segment_text(const struct ladder_row *row, char text[LADDER_NOTATION_SIZE], char rest[LADDER_NOTATION_SIZE])
{
    const char *control, *data, *cut;

    cut = ladder_notation(row, text, &control, &data) + strlen(text);
    if (data - text > SEGMENT_WIDTH)
        cut = control;
    else if (cut - text > SEGMENT_WIDTH)
        cut = data;
    g_stpcpy(rest, cut);
    text[cut - text] = '\0';
}

/* Puts a text into a line of blanks. */
static void put_at(char *line, size_t at, const char *text)
{
    memcpy(line + at, text, strlen(text));
}

static void print_segment(const struct incarnation *c, const struct ladder_row *row)
{
    const unsigned left = c->client, right = !left;
    const char *arrow = row->src == left ? "-->" : "<--";
    char text[LADDER_NOTATION_SIZE], rest[LADDER_NOTATION_SIZE], when[64], time[NUMBER_SIZE], line[WIDTH + 1];
    struct above above; /* its lines are filled as they are needed */

    above.lines = 0;

    g_stpcpy(g_stpcpy(g_stpcpy(number_write(g_stpcpy(when, "frame "), row->frame), ", "),
                      number_seconds(time, incarnation_elapsed_ns(c, row->time_ns))), " s");
    put(&above, 0, SEGMENT_AT, when);
    put_steps(&above, row, left, false);
    put_steps(&above, row, right, true);
    print_above(&above);

    segment_text(row, text, rest);
    memset(line, ' ', WIDTH);
    line[WIDTH] = '\0';
    put_at(line, 0, tcp_state_text(row->state[left], row->confirmed[left]));
    put_at(line, STATE_WIDTH + 1, arrow);
    put_at(line, SEGMENT_AT, text);
    put_at(line, RIGHT_AT - 4, arrow);
    put_at(line, RIGHT_AT, tcp_state_text(row->state[right], row->confirmed[right]));
    print_line(line, WIDTH);
    if (rest[0])
        printf("%*s%s\n", SEGMENT_AT, "", rest);
}

/* Prints a text below the segments, or as much further left as it needs. */
static void print_middle(const char *text)
{
    const int room = WIDTH - (int)g_utf8_strlen(text, -1);

    printf("%*s%s\n", CLAMP(room, 0, SEGMENT_AT), "", text);
}

static void print_folded(const struct incarnation *c, const struct ladder_row *row)
{
    const uint64_t *octets = row->of.folded.octets;
    char from[NUMBER_SIZE], to[NUMBER_SIZE], segments[NUMBER_SIZE], client[NUMBER_SIZE], server[NUMBER_SIZE];
    char text[256];

    snprintf(text, sizeof text, "frames %u to %u, %s to %s s", row->frame, row->of.folded.last_frame,
             number_seconds(from, incarnation_elapsed_ns(c, row->time_ns)),
             number_seconds(to, incarnation_elapsed_ns(c, row->of.folded.last_ns)));
    print_middle(text);
    snprintf(text, sizeof text, "\xe2\x80\xa6 %s segments, %s bytes from client, %s from server",
             number_grouped(segments, row->run), number_grouped(client, octets[c->client]),
             number_grouped(server, octets[!c->client]));
    print_middle(text);
}

/* Both on one line, or each on its own. */
static void print_sides(const char *left, const char *right)
{
    const int gap = WIDTH - (int)(strlen(left) + strlen(right));

    if (gap > 0)
        printf("%s%*s%s\n", left, gap, "", right);
    else
        printf("%s\n%*s\n", left, WIDTH, right);
}

static const char *closing_text(uint8_t closed_by)
{
    switch ((enum tcp_closer)closed_by) {
    case TCP_CLOSER_NONE:         return "";
    case TCP_CLOSER_CLIENT:       return ", closed by the client";
    case TCP_CLOSER_SERVER:       return ", closed by the server";
    case TCP_CLOSER_SIMULTANEOUS: return ", closed by both at once";
    case TCP_CLOSER_RESET_BY_CLIENT: return ", reset by the client";
    case TCP_CLOSER_RESET_BY_SERVER: return ", reset by the server";
    case TCP_CLOSER_REFUSED:      return ", refused";
    case TCP_CLOSER_ICMP:         return ", refused by ICMP";
    }
    return "";
}

static void print_heading(const struct ladder_connection *ladder)
{
    const struct incarnation *c = &ladder->base;
    const unsigned left = c->client, right = !left;
    char endpoint[2][ENDPOINT_NAME_SIZE];
    const struct final_limits limits = pair_final_limits();
    struct final_view final;

    printf("\nConnection %u: ", c->number);
    if (c->first_frame == c->last_frame)
        printf("frame %u", c->first_frame);
    else
        printf("frames %u to %u", c->first_frame, c->last_frame);
    final_of(c->log, c->opening, &limits, &final);
    const char *why = final_why(&final);
    printf("%s%s\n", c->midstream ? ", handshake not captured" : "", closing_text(c->closed_by));
    if (*why)
        printf("why: %s\n", why);

    for (unsigned end = 0; end < 2; end++)
        endpoint_name(&c->address[end], c->port[end], endpoint[end]);
    print_sides("client", "server");
    print_sides(endpoint[left], endpoint[right]);
    printf("%-*s%s\n\n", RIGHT_AT, tcp_state_text(ladder->ladder.initial[left], !c->midstream),
           tcp_state_text(ladder->ladder.initial[right], !c->midstream));
}

static void draw(void *data)
{
    const struct view *view = (const struct view *)data;

    printf("\nTCP State: ladder%s%s\n", view->filter ? ", filter: " : "", view->filter ? view->filter : "");
    if (!view->connections.first) {
        printf("No TCP connection%s.\n", view->filter ? " passes the filter" : "");
        return;
    }
    printf("A state marked " ASSUMED_MARK " is assumed: segments of that end do not prove it.\n");
    for (const struct incarnation *c = view->connections.first; c; c = c->next) {
        const struct ladder_connection *ladder = (const struct ladder_connection *)c;
        print_heading(ladder);
        for (const struct ladder_row *row = ladder->ladder.first; row; row = row->next) {
            if (row->run)
                print_folded(c, row);
            else
                print_segment(c, row);
        }
    }
}

/* ------------------------------------------------------------------ registration */

void ladder_register(void)
{
    static struct view_kind kind = {
        .cli = "tcpstate,ladder", .title = "TCP State ladder", .record = sizeof(struct ladder_connection),
        .packet = packet, .draw = draw,
    };
    view_register(&kind);
}
