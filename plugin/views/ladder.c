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
#include "views.h"

#include "names.h"
#include "numbers.h"

#include <stdio.h>

/* Columns. A FIN,ACK with numbers of ten digits takes 45 of the segment's 46. */
enum { WIDTH = 80, STATE_WIDTH = 12, SEGMENT_AT = 17, SEGMENT_WIDTH = 46, RIGHT_AT = WIDTH - STATE_WIDTH };

/* A longer run of segments that change nothing is folded. The RFC's figures have three at most. */
#define RUN_SHOWN 3

/* ------------------------------------------------------------------ what is kept */

/* One transition. */
struct step {
    uint8_t event, entered; /* enum tcp_event, enum tcp_state */
    uint8_t end;
};

/* A segment, or a folded run of them. */
struct row {
    struct row *next;
    int64_t  time_ns;
    uint32_t frame;
    uint32_t run;           /* segments of a folded run, 0: this is a segment */
    union {
        struct { uint32_t seq, ack, len; } segment;
        struct { int64_t last_ns; uint64_t octets[2]; uint32_t last_frame; } folded; /* octets by sender */
    } of;
    uint8_t  src;           /* index of the end that sent it */
    uint8_t  flags;
    uint8_t  state[2];      /* enum tcp_state after it, by index of end */
    bool     confirmed[2];
    uint8_t  steps;         /* count of step[] */
    struct step step[];     /* in order */
};

struct ladder_connection {
    struct incarnation base;
    struct row *first, *last;
    struct row *run_from;   /* the first row of the run that goes on; NULL: the last segment changed something */
    struct row *spare;      /* rows without steps that folding has set free */
    uint8_t  run_rows;      /* rows of that run, until it is folded */
    uint8_t  initial[2];    /* enum tcp_state before the first row */
};

static bool is_plain(const struct row *row)
{
    return row->steps == 0 && !(row->flags & (TCP_SYN | TCP_FIN | TCP_RST));
}

static struct row *row_new(struct view *view, struct ladder_connection *c, uint8_t steps)
{
    struct row *row = c->spare;

    if (steps == 0 && row)
        c->spare = row->next;
    else
        row = (struct row *)wmem_alloc(view->connections.pool, sizeof *row + steps * sizeof row->step[0]);
    memset(row, 0, sizeof *row);
    row->steps = steps;
    return row;
}

static struct row *row_of(struct view *view, struct ladder_connection *c, const packet_info *pinfo,
                          const struct tcpstate_tap *tap)
{
    const struct log_view *shown = &tap->view.shown;
    struct log_step said;
    uint8_t steps = 0;

    for (uint32_t n = 0; n < shown->count; n++)
        steps = (uint8_t)(steps + log_step(shown, n, &said));
    struct row *row = row_new(view, c, steps);
    row->time_ns = time_ns(&pinfo->abs_ts);
    row->frame = pinfo->num;
    row->of.segment.seq = tap->segment.seg.seq;
    row->of.segment.ack = tap->segment.seg.ack;
    row->of.segment.len = tap->segment.seg.len;
    row->src = (uint8_t)tap->view.src;
    row->flags = tap->segment.seg.flags;
    for (unsigned end = 0; end < 2; end++) {
        row->state[end] = shown->end[end].state;
        row->confirmed[end] = shown->end[end].confirmed;
    }
    struct step *step = row->step;
    for (uint32_t n = 0; n < shown->count; n++) {
        if (log_step(shown, n, &said))
            *step++ = (struct step){ .event = said.event, .entered = said.entered, .end = said.end };
    }
    return row;
}

static void append(struct ladder_connection *c, struct row *row)
{
    if (c->last)
        c->last->next = row;
    else
        c->first = row;
    c->last = row;
}

static void count_in(struct row *fold, const struct row *row)
{
    fold->run++;
    fold->of.folded.octets[row->src] += row->of.segment.len;
    fold->of.folded.last_ns = row->time_ns;
    fold->of.folded.last_frame = row->frame;
}

/* Makes one row of the run's; the others are spare. */
static void fold_run(struct ladder_connection *c)
{
    struct row *fold = c->run_from, *rest = fold->next;
    const struct row first = *fold;

    memset(&fold->of, 0, sizeof fold->of);
    fold->next = NULL;
    count_in(fold, &first);
    while (rest) {
        struct row *next = rest->next;
        count_in(fold, rest);
        rest->next = c->spare;
        c->spare = rest;
        rest = next;
    }
    c->last = fold;
}

static void add_plain(struct ladder_connection *c, struct row *row)
{
    if (c->run_from && (c->run_from->run || c->run_rows == RUN_SHOWN)) {
        if (!c->run_from->run)
            fold_run(c);
        count_in(c->run_from, row);
        row->next = c->spare;
        c->spare = row;
        return;
    }
    append(c, row);
    if (!c->run_from) {
        c->run_from = row;
        c->run_rows = 0;
    }
    c->run_rows++;
}

static tap_packet_status packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                tap_flags_t flags _U_)
{
    struct view *view = (struct view *)data;
    const struct tcpstate_tap *tap = (const struct tcpstate_tap *)tapped;
    struct ladder_connection *c = (struct ladder_connection *)incarnations_note(&view->connections, pinfo,
                                                                                     tap);
    struct row *row = row_of(view, c, pinfo, tap);

    if (!c->first) {
        for (unsigned end = 0; end < 2; end++)
            c->initial[end] = tap->view.shown.end[end].previous;
    }
    if (is_plain(row)) {
        add_plain(c, row);
    } else {
        append(c, row);
        c->run_from = NULL;
    }
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
static void put_steps(struct above *above, const struct row *row, unsigned end, bool right)
{
    unsigned index = 0;
    bool is_last = true;

    for (unsigned n = row->steps; n-- > 0;) {
        const struct step *step = &row->step[n];
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

/* Appends "<ACK=101>". Returns the new end. */
static char *add_number(char *to, const char *name, uint32_t number)
{
    return g_stpcpy(number_write(g_stpcpy(to, name), number), ">");
}

/*
 * The segment in the RFC's notation. What does not fit beside the arrows is in rest.
 * Both have room for all of it.
 */
#define SEGMENT_TEXT 128
static void segment_text(const struct row *row, char *text, char *rest)
{
    char flags[FLAGS_TEXT_SIZE], part[FLAGS_TEXT_SIZE + 8], *to = add_number(text, "<SEQ=", row->of.segment.seq);
    const char *beside = text + SEGMENT_WIDTH; /* the end of what fits */

    *rest = '\0';
    if (row->flags & TCP_ACK)
        to = add_number(to, "<ACK=", row->of.segment.ack);
    g_stpcpy(g_stpcpy(g_stpcpy(part, "<CTL="), tcp_flags_text(row->flags, flags)), ">");
    if (to + strlen(part) > beside)
        to = rest;
    to = g_stpcpy(to, part);
    if (row->of.segment.len) {
        add_number(part, "<DATA=", row->of.segment.len);
        g_stpcpy(*rest || to + strlen(part) <= beside ? to : rest, part);
    }
}

/* Puts a text into a line of blanks. */
static void put_at(char *line, size_t at, const char *text)
{
    memcpy(line + at, text, strlen(text));
}

static void print_segment(const struct incarnation *c, const struct row *row)
{
    const unsigned left = c->client, right = !left;
    const char *arrow = row->src == left ? "-->" : "<--";
    char text[SEGMENT_TEXT], rest[SEGMENT_TEXT], when[64], time[NUMBER_SIZE], line[WIDTH + 1];
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

static void print_folded(const struct incarnation *c, const struct row *row)
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
    printf("%s%s%s%s\n", c->midstream ? ", handshake not captured" : "", closing_text(c->closed_by),
           *why ? ": " : "", why);

    for (unsigned end = 0; end < 2; end++)
        endpoint_name(&c->address[end], c->port[end], endpoint[end]);
    print_sides("client", "server");
    print_sides(endpoint[left], endpoint[right]);
    printf("%-*s%s\n\n", RIGHT_AT, tcp_state_text(ladder->initial[left], !c->midstream),
           tcp_state_text(ladder->initial[right], !c->midstream));
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
        for (const struct row *row = ladder->first; row; row = row->next) {
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
