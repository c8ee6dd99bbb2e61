/* ladder.c
 * Plays ladders to the machine: text files that read as the figures of RFC 9293.
 *
 *     SYN_SENT     --> <SEQ=100><CTL=SYN>               --> SYN_RCVD?
 *     ESTABLISHED? <-- <SEQ=300><ACK=101><CTL=SYN,ACK>  <-- SYN_RCVD
 *
 * The columns hold the states of A and B after the segment; "?" marks one that is assumed. Between
 * two segments passes 0.1 s and what lines such as "+2.5 s" add. A line of two states alone,
 * before all others, tells what both ends really were; it is for the reader. Tags: SEQ, ACK, CTL, DATA (octets, default 0), WND
 * (default 65535), and the options MSS, WS (window scale), TS (timestamp), TFO (Fast Open, =1).
 *
 * An indented line after a row tells all that the segment did, as events of tcp_events.def:
 *
 *     SYN_SENT     --> <SEQ=100><CTL=SYN>               --> SYN_RCVD?
 *         A: snd SYN; B: rcv SYN
 *
 * Several events of one end in turn are joined by ", then ". The line is optional.
 *
 * usage: ladder [--every-event] FILE...
 *     Fails if a row shows other states, or a line other events, than the machine. --every-event: also if
 *     there is an event that no line of all files tells.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcpfsm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE_MAX 32 /* longest word of a row */

static const char *const state_names[] = {
#define TCP_STATE(number, name, section, sentence) [number] = #name,
#include "tcp_states.def"
#undef TCP_STATE
};

static const char *const event_names[] = {
#define TCP_EVENT(number, name, notation, section, sentence) [number] = notation,
#include "tcp_events.def"
#undef TCP_EVENT
};

#define EVENTS (sizeof event_names / sizeof *event_names)

static bool told[EVENTS]; /* by any line of events */

struct row {
    char a[STATE_MAX], b[STATE_MAX]; /* as written */
    unsigned sender;                 /* 0: A, 1: B */
    struct tcpfsm_segment seg;
};

struct player {
    const char *file;
    int line, segments, failures;
    int64_t now_us;
    struct tcpfsm m;
    struct tcpfsm_outcome latest; /* of the row before */
};

static void complain(struct player *p, const char *what, const char *text)
{
    printf("%s:%d: %s: %s\n", p->file, p->line, what, text);
    p->failures++;
}

static bool parse_flags(const char *list, uint8_t *flags)
{
    static const struct { const char *name; uint8_t bit; } known[] = {
        { "FIN", TCP_FIN }, { "SYN", TCP_SYN }, { "RST", TCP_RST }, { "ACK", TCP_ACK }, { "PSH", 0 }, { "URG", 0 },
    };
    char copy[64];

    snprintf(copy, sizeof copy, "%s", list);
    for (char *word = strtok(copy, ","); word; word = strtok(NULL, ",")) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(word, known[i].name) != 0)
            i++;
        if (i == sizeof known / sizeof *known)
            return false;
        *flags |= known[i].bit;
    }
    return true;
}

static bool parse_tags(const char *tags, struct tcpfsm_segment *seg)
{
    bool has_seq = false, has_ack = false;

    while (*tags) {
        char name[8], value[64];
        int length = 0;
        if (sscanf(tags, "<%7[A-Z]=%63[^>]>%n", name, value, &length) != 2 || length == 0)
            return false;
        const unsigned long number = strtoul(value, NULL, 10);
        if (strcmp(name, "SEQ") == 0)
            seg->seq = (uint32_t)number, has_seq = true;
        else if (strcmp(name, "ACK") == 0)
            seg->ack = (uint32_t)number, has_ack = true;
        else if (strcmp(name, "DATA") == 0)
            seg->len = (uint32_t)number;
        else if (strcmp(name, "WND") == 0)
            seg->window = (uint16_t)number;
        else if (strcmp(name, "MSS") == 0)
            seg->mss = (uint16_t)number;
        else if (strcmp(name, "WS") == 0)
            seg->wscale = (uint8_t)number;
        else if (strcmp(name, "TS") == 0)
            seg->tsval = (uint32_t)number, seg->has_tsval = true;
        else if (strcmp(name, "TFO") == 0)
            seg->fast_open = true;
        else if (strcmp(name, "CTL") != 0 || !parse_flags(value, &seg->flags))
            return false;
        tags += length;
    }
    return has_seq && has_ack == ((seg->flags & TCP_ACK) != 0);
}

static bool parse_row(const char *line, struct row *row)
{
    char left[4], right[4], tags[256];

    memset(row, 0, sizeof *row);
    row->seg.window = UINT16_MAX;
    row->seg.wscale = TCPFSM_NO_WSCALE;
    if (sscanf(line, "%31s %3s %255s %3s %31s", row->a, left, tags, right, row->b) != 5 || strcmp(left, right) != 0)
        return false;
    row->sender = strcmp(left, "<--") == 0;
    return (row->sender || strcmp(left, "-->") == 0) && parse_tags(tags, &row->seg);
}

static void check_end(struct player *p, unsigned end, const char *expected)
{
    char shown[STATE_MAX];
    snprintf(shown, sizeof shown, "%s%s", state_names[p->m.end[end].state], p->m.end[end].confirmed ? "" : "?");
    if (strcmp(shown, expected) != 0) {
        printf("%s:%d: %c is %s, should be %s\n", p->file, p->line, 'A' + (int)end, shown, expected);
        p->failures++;
    }
}

static void note_told(struct player *p, const char *event)
{
    for (size_t i = 1; i < EVENTS; i++) {
        if (strcmp(event_names[i], event) == 0) {
            told[i] = true;
            return;
        }
    }
    complain(p, "is no event", event);
}

/* A part of a line of events: those of one end. */
static void check_events(struct player *p, unsigned end, const char *expected)
{
    static const char joint[] = ", then ";
    const struct tcpfsm_change *change = &p->latest.end[end];
    char shown[512] = "", event[64];

    for (unsigned i = 0; i < change->count; i++) {
        const size_t length = strlen(shown);
        snprintf(shown + length, sizeof shown - length, "%s%s", i ? joint : "", event_names[change->event[i]]);
    }
    if (strcmp(shown, expected) != 0) {
        printf("%s:%d: %c did \"%s\", should be \"%s\"\n", p->file, p->line, 'A' + (int)end, shown, expected);
        p->failures++;
    }
    while (*expected) {
        const char *next = strstr(expected, joint);
        const size_t length = next ? (size_t)(next - expected) : strlen(expected);
        snprintf(event, sizeof event, "%.*s", (int)length, expected);
        note_told(p, event);
        expected += length + (next ? strlen(joint) : 0);
    }
}

/* "    A: snd FIN; B: rcv FIN". Returns whether it is such a line; an end that it leaves out did nothing. */
static bool play_events(struct player *p, char *line)
{
    const char *expected[2] = { "", "" };

    if (*line != ' ' || p->segments == 0)
        return false;
    for (char *part = strtok(line, ";"); part; part = strtok(NULL, ";")) {
        part += strspn(part, " ");
        if ((*part != 'A' && *part != 'B') || strncmp(part + 1, ": ", 2) != 0)
            return false;
        expected[*part == 'B'] = part + 3;
    }
    for (unsigned end = 0; end < 2; end++)
        check_events(p, end, expected[end]);
    return true;
}

static void play(struct player *p, struct row *row)
{
    struct tcpfsm_outcome out;

    p->now_us += 100000;
    row->seg.time_us = p->now_us;
    tcpfsm_segment(&p->m, row->sender, row->sender, &row->seg, INT64_C(240000000), &out);
    for (unsigned end = 0; end < 2; end++) {
        const struct tcpfsm_change *change = &out.end[end];
        const uint8_t last = change->count ? change->state[change->count - 1] : change->previous;
        if (last != p->m.end[end].state)
            complain(p, "the reported steps do not lead to the state of", end ? "B" : "A");
    }
    check_end(p, 0, row->a);
    check_end(p, 1, row->b);
    p->latest = out;
    p->segments++;
}

static void play_line(struct player *p, char *line)
{
    struct row row;
    char word[STATE_MAX], rest[2];
    double seconds;

    line[strcspn(line, "\r\n")] = '\0';
    if (*line == '#' || line[strspn(line, " \t")] == '\0')
        return;
    if (sscanf(line, "+%lf s%1s", &seconds, rest) == 1)
        p->now_us += (int64_t)(seconds * 1e6);
    else if (parse_row(line, &row))
        play(p, &row);
    else if (play_events(p, line))
        return;
    else if (p->segments > 0 || sscanf(line, "%31s %31s %1s", word, word, rest) != 2)
        complain(p, "is no row of a ladder", line);
}

static int play_file(const char *file)
{
    struct player p = { .file = file, .now_us = INT64_C(1000000000) };
    char line[512];
    FILE *in = fopen(file, "r");

    if (!in) {
        perror(file);
        return 1;
    }
    while (fgets(line, sizeof line, in)) {
        p.line++;
        play_line(&p, line);
    }
    fclose(in);
    if (p.segments == 0)
        complain(&p, "holds no segment", file);
    return p.failures;
}

int main(int argc, char **argv)
{
    const bool every_event = argc > 1 && strcmp(argv[1], "--every-event") == 0;
    const int first = 1 + every_event;
    int failures = argc <= first;

    if (argc <= first)
        fprintf(stderr, "usage: ladder [--every-event] FILE...\n");
    for (int i = first; i < argc; i++)
        failures += play_file(argv[i]);
    for (size_t i = 1; every_event && i < EVENTS; i++) {
        if (!told[i]) {
            printf("no ladder tells of \"%s\"\n", event_names[i]);
            failures++;
        }
    }
    return failures != 0;
}
