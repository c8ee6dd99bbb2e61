/* ladder.c
 * Plays ladders to the machine: text files that read as the figures of RFC 9293.
 *
 *     SYN_SENT     --> <SEQ=100><CTL=SYN>               --> SYN_RCVD?
 *     ESTABLISHED? <-- <SEQ=300><ACK=101><CTL=SYN,ACK>  <-- SYN_RCVD
 *
 * The columns hold the states of A and B after the segment; "?" marks one that is assumed. Between
 * two segments passes 0.1 s and what lines such as "+2.5 s" add. A line of two states alone,
 * before all others, tells what both ends really were; it is for the reader. Tags: SEQ, ACK, CTL, DATA (octets, default
 * 0), WND (default 65535), and the options MSS, WS (window scale), TS (timestamp), TFO (Fast Open, =1); HOP (hop limit,
 * default 64), ID (identification of IPv4, default 0). CTL=ICMP: an
 * ICMP error that refuses the segment, which it quotes.
 *
 * An indented line after a row tells all that the segment did, as events of tcp_events.def:
 *
 *     SYN_SENT     --> <SEQ=100><CTL=SYN>               --> SYN_RCVD?
 *         A: snd SYN; B: rcv SYN
 *
 * Several events of one end in turn are joined by ", then ". The line is optional.
 *
 * Another indented line tells what else is shown, in parts divided by ";":
 *
 *     CLOSED?      <-- <SEQ=300><ACK=101><CTL=RST,ACK>      <-- CLOSED
 *         reset by server; anomalies abort; A left ESTABLISHED after 2.5 s
 *
 *     closed by nobody | client | server | both, reset by client | server, refused, refused by ICMP
 *     client A, midstream, not midstream
 *         hold for the rows that follow too, until a line tells otherwise.
 *     because NAME; because NAME, confirmed
 *         The row, a RST, was sent for that cause, by the names of reset_causes.def; the capture proves it.
 *     attempt NAME
 *         If the capture ended here, the attempt to connect had failed so, by the names of attempts.def; or "nothing".
 *     anomalies WORD, WORD; no anomalies
 *         All of the row, by the names in tcp_anomalies.def in any case, stuck_after being 60 s. From the first such line on, a row
 *         whose line tells of none has none.
 *     opened, not opened
 *         The row's SYN begins an incarnation.
 *     A for 2.5 s, A for longer than the capture
 *         How long A has been in the state that the row shows.
 *     A left CLOSE_WAIT after 2.5 s, A left CLOSE_WAIT after unknown time, A was never in CLOSE_WAIT
 *         How long it was in a state that it left on this row; or that this row belies it.
 *
 * Each ladder is played several times, and must read the same: plain; with numbers that wrap after each end's first, two
 * segments in a frame; and with the ends the other way round, each segment by all rules of the machine, data in order too.
 *
 * usage: ladder [--every-event] FILE...
 *     Fails if a row shows other states, or a line anything else, than the machine. --every-event: also if
 *     there is an event, a closer, a cause of a RST, a failed attempt or an anomaly that no line of all files tells.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "anomaly.h"
#include "final.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STATE_MAX 32 /* longest word of a row */
#define ROWS_MAX 128 /* of a ladder */
#define TIME_WAIT_US INT64_C(240000000)
#define STUCK_NS INT64_C(60000000000) /* tcpstate.stuck_after, unless set */

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

static const char *const anomaly_names[] = {
#define TCP_ANOMALY(number, name, word, severity, summary) [number] = #name,
#include "tcp_anomalies.def"
#undef TCP_ANOMALY
};

static const char *const closer_names[] = {
    [TCP_CLOSER_NONE] = "closed by nobody", [TCP_CLOSER_CLIENT] = "closed by client",
    [TCP_CLOSER_SERVER] = "closed by server", [TCP_CLOSER_SIMULTANEOUS] = "closed by both",
    [TCP_CLOSER_RESET_BY_CLIENT] = "reset by client", [TCP_CLOSER_RESET_BY_SERVER] = "reset by server",
    [TCP_CLOSER_REFUSED] = "refused", [TCP_CLOSER_ICMP] = "refused by ICMP",
};

static const char *const cause_names[] = {
    [RESET_NONE] = "nothing",
#define RESET_CAUSE(number, name, text, speaks, sentence) [number] = text,
#include "reset_causes.def"
#undef RESET_CAUSE
};

static const char *const attempt_names[] = {
    [ATTEMPT_NONE] = "nothing",
#define ATTEMPT(number, name, text, sentence) [number] = text,
#include "attempts.def"
#undef ATTEMPT
};

#define NAMES(table) (sizeof table / sizeof *table)

/* By any line of any file. */
static bool told_event[NAMES(event_names)], told_closer[NAMES(closer_names)], told_anomaly[NAMES(anomaly_names)];
static bool told_cause[NAMES(cause_names)], told_attempt[NAMES(attempt_names)];

struct row {
    char a[STATE_MAX], b[STATE_MAX]; /* as written */
    unsigned sender;                 /* 0: A, 1: B */
    struct tcpfsm_segment seg;
};

/* One way to play a ladder; none changes what is shown. */
struct reading {
    const char *name;
    bool wraps;    /* each end's second number is 0 */
    bool in_pairs; /* two segments in a frame */
    bool swapped;  /* A is end 1 of the machine */
    bool all_rules; /* data in order too goes by all rules of the machine */
};

static const struct reading readings[] = {
    { .name = "" },
    { .name = " (numbers that wrap)", .wraps = true, .in_pairs = true },
    { .name = " (ends swapped)", .swapped = true, .all_rules = true },
};

#define UNTOLD (-1)

/* What the lines tell, so far, of the present row. */
struct facts {
    int closed_by, client, midstream; /* UNTOLD, or as in a view; client 0: A */
    bool tells_anomalies;
    uint32_t anomalies;               /* bits, as anomalies_of() */
};

struct player {
    const char *file;
    const struct reading *reading;
    int line, failures;
    int64_t now_us;
    uint32_t offset[2]; /* added to the numbers of A and B, */
    bool has_offset[2]; /* once that is known */
    struct tcpfsm m;
    struct log log;
    struct log_entry entry[ROWS_MAX * 2 * TCPFSM_STEPS_MAX];
    struct log_race race[ROWS_MAX];
    struct tcpfsm_outcome latest; /* of the row before */
    struct facts facts;
    int row_line;               /* of the latest row */
    uint32_t anomalies;         /* of it */
    struct log_view shown[ROWS_MAX];
    unsigned segments;
};

static void complain(struct player *p, const char *what, const char *text)
{
    printf("%s:%d%s: %s: %s\n", p->file, p->line, p->reading->name, what, text);
    p->failures++;
}

/* What is shown, and what should be. */
static void compare(struct player *p, const char *what, const char *shown, const char *expected)
{
    if (strcmp(shown, expected) != 0) {
        printf("%s:%d%s: %s is \"%s\", should be \"%s\"\n", p->file, p->line, p->reading->name, what, shown, expected);
        p->failures++;
    }
}

/* Index of the name in a table, or its size. */
static size_t find_name(const char *const *table, size_t size, const char *name)
{
    size_t i = 0;
    while (i < size && strcasecmp(table[i], name) != 0)
        i++;
    return i;
}

/* Index in the machine of A, 0, or B, 1. */
static unsigned end_of(const struct player *p, unsigned end)
{
    return end ^ p->reading->swapped;
}

/* ------------------------------------------------------------------ rows */

#define QUOTED 0x80 /* no flag of a segment's: an ICMP error quotes it */

static bool parse_flags(const char *list, uint8_t *flags)
{
    static const struct { const char *name; uint8_t bit; } known[] = {
        { "FIN", TCP_FIN }, { "SYN", TCP_SYN }, { "RST", TCP_RST }, { "ACK", TCP_ACK }, { "PSH", 0 }, { "URG", 0 },
        { "ICMP", QUOTED },
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
        else if (strcmp(name, "HOP") == 0)
            seg->hop_limit = (uint8_t)number;
        else if (strcmp(name, "ID") == 0)
            seg->ip_id = (uint16_t)number;
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
    row->seg.hop_limit = 64;
    if (sscanf(line, "%31s %3s %255s %3s %31s", row->a, left, tags, right, row->b) != 5 || strcmp(left, right) != 0)
        return false;
    row->sender = strcmp(left, "<--") == 0;
    return (row->sender || strcmp(left, "-->") == 0) && parse_tags(tags, &row->seg);
}

static void check_end(struct player *p, unsigned end, const char *expected)
{
    const struct tcpfsm_end *e = &p->m.end[end_of(p, end)];
    char shown[STATE_MAX];

    snprintf(shown, sizeof shown, "%s%s", state_names[e->state], e->confirmed ? "" : "?");
    compare(p, end ? "B" : "A", shown, expected);
}

/* The numbers as this reading has them: each end's first is the last before 0. */
static void shift_numbers(struct player *p, const struct row *row, struct tcpfsm_segment *seg)
{
    const unsigned src = row->sender, dst = !src;

    if (!p->reading->wraps)
        return;
    if (!p->has_offset[src])
        p->offset[src] = UINT32_MAX - seg->seq;
    p->has_offset[src] = true;
    seg->seq += p->offset[src];
    if (!(seg->flags & TCP_ACK))
        return;
    if (!p->has_offset[dst])
        p->offset[dst] = -seg->ack;
    p->has_offset[dst] = true;
    seg->ack += p->offset[dst];
}

/* Returns whether anything that is shown changed. */
static bool move(struct player *p, unsigned sender, const struct tcpfsm_segment *seg, struct tcpfsm_outcome *out)
{
    if (p->reading->all_rules)
        p->m.calm = false;
    if (seg->flags & QUOTED)
        return tcpfsm_icmp_error(&p->m, sender, seg->seq, seg->time_us, out);
    return tcpfsm_segment(&p->m, sender, sender, seg, TIME_WAIT_US, out);
}

static bool shows_the_same(const struct log_view *a, const struct log_view *b)
{
    for (unsigned i = 0; i < 2; i++) {
        if (a->end[i].state != b->end[i].state || a->end[i].confirmed != b->end[i].confirmed)
            return false;
    }
    return a->client == b->client && a->midstream == b->midstream && a->closed_by == b->closed_by;
}

/* The log shows what the machine knows, and has no entry that shows nothing new. */
static void check_log(struct player *p, const struct tcpfsm_outcome *out, bool news)
{
    const struct log_view *shown = &p->shown[p->segments];
    struct log_view known = { .client = p->m.client, .midstream = p->m.midstream, .closed_by = p->m.closed_by };

    for (unsigned i = 0; i < 2; i++) {
        known.end[i].state = p->m.end[i].state;
        known.end[i].confirmed = p->m.end[i].confirmed;
    }
    if (!shows_the_same(shown, &known))
        complain(p, "is shown otherwise than the machine knows it", "row");
    const bool changes = out->opened || out->tries_on || out->end[0].count || out->end[1].count;
    if (news && p->segments > 0 && !changes && shows_the_same(shown, shown - 1)
        && shown->reset_cause == shown[-1].reset_cause && shown->reset_confirmed == shown[-1].reset_confirmed)
        complain(p, "is written down, though it shows nothing new", "row");
}

/* Writes into the log what the segment did, if that is news. Leaves what is shown on it, and its anomalies. */
static void note(struct player *p, unsigned sender, const struct tcpfsm_segment *seg, const struct tcpfsm_outcome *out,
                 bool news)
{
    const uint32_t n = p->segments, in_pairs = p->reading->in_pairs;
    const struct log_position at = {
        .time_ns = seg->time_us * 1000, .frame = in_pairs ? n / 2 + 1 : n + 1, .layer = in_pairs ? n % 2 : 0,
    };
    struct log_view *shown = &p->shown[n];

    p->log.entry = p->entry;
    p->log.race = p->race;
    p->log.race_room = ROWS_MAX;
    const bool stuck = !(seg->flags & QUOTED) && p->m.end[sender].state == TCP_CLOSE_WAIT
        && log_notes_stuck(&p->log, sender, seg, at.time_ns, STUCK_NS);
    if (news || stuck)
        log_append(&p->log, &at, sender, &p->m, out);
    if (!log_find(&p->log, at.frame, at.layer, shown)) {
        complain(p, "is not found", "row");
        return;
    }
    check_log(p, out, news);
    p->anomalies = anomalies_of(shown, sender, seg, STUCK_NS);
    if (p->anomalies && !anomalies_are_possible(shown, sender, seg))
        complain(p, "has anomalies, which are said to be impossible", "row");
}

/* What is shown is, after all rows, what was shown at once. */
static void check_again(struct player *p)
{
    for (unsigned n = p->segments; n-- > 0;) {
        const uint32_t frame = p->reading->in_pairs ? n / 2 + 1 : n + 1;
        const struct log_view *then = &p->shown[n];
        struct log_view now;

        if (!log_find(&p->log, frame, p->reading->in_pairs ? n % 2 : 0, &now) || now.first != then->first
            || now.count != then->count || memcmp(now.end, then->end, sizeof now.end) != 0
            || now.closed_by != then->closed_by || now.reset_cause != then->reset_cause
            || now.reset_confirmed != then->reset_confirmed || now.client != then->client || now.midstream != then->midstream)
            complain(p, "is shown otherwise than before", "an earlier row");
    }
}

/* ------------------------------------------------------------------ lines of events */

static void note_told(struct player *p, const char *event)
{
    const size_t i = find_name(event_names, NAMES(event_names), event);
    if (i == 0 || i == NAMES(event_names))
        complain(p, "is no event", event);
    else
        told_event[i] = true;
}

/* A part of a line of events: those of one end. */
static void check_events(struct player *p, unsigned end, const char *expected)
{
    static const char joint[] = ", then ";
    const struct tcpfsm_change *change = &p->latest.end[end_of(p, end)];
    char shown[512] = "", event[64];

    for (unsigned i = 0; i < change->count; i++) {
        const size_t length = strlen(shown);
        snprintf(shown + length, sizeof shown - length, "%s%s", i ? joint : "", event_names[change->event[i]]);
    }
    compare(p, end ? "what B did" : "what A did", shown, expected);
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

/* ------------------------------------------------------------------ lines of facts */

/* Parts that tell what was shown on the row are checked with the next row; those of its own at once. */
static bool play_anomalies(struct player *p, char *words)
{
    p->facts.tells_anomalies = true;
    for (char *word = words; word;) {
        char *next = strstr(word, ", ");
        if (next)
            *next = '\0';
        const size_t i = find_name(anomaly_names, NAMES(anomaly_names), word);
        if (i == NAMES(anomaly_names))
            return false;
        p->facts.anomalies |= UINT32_C(1) << i;
        told_anomaly[i] = true;
        word = next ? next + 2 : NULL;
    }
    return true;
}

static void format_seconds(char *text, size_t size, int64_t ns)
{
    snprintf(text, size, "%.6g s", (double)ns / 1e9);
}

/* "for 2.5 s": since when the end has been in its state. */
static void check_age(struct player *p, unsigned end, const char *expected)
{
    const struct log_end *e = &p->shown[p->segments - 1].end[end_of(p, end)];
    char shown[64] = "longer than the capture";

    if (e->since_frame != 0)
        format_seconds(shown, sizeof shown, log_elapsed_ns(e->since_ns, p->now_us * 1000));
    compare(p, end ? "B's time in its state" : "A's time in its state", shown, expected);
}

/*
 * "left STATE after 2.5 s", "left STATE after unknown time", "was never in STATE": a state that the end left on the
 * row, and for how long it was there.
 */
static void check_dwell(struct player *p, unsigned end, const char *state, const char *expected)
{
    const struct log_view *view = &p->shown[p->segments - 1];
    char shown[64] = "not left";

    for (uint32_t n = 0; n < view->count; n++) {
        struct log_step step;
        if (!log_step(view, n, &step) || step.end != end_of(p, end) || strcmp(state_names[step.left], state) != 0)
            continue;
        if (step.has_dwell)
            format_seconds(shown, sizeof shown, step.dwell_ns);
        else
            snprintf(shown, sizeof shown, step.event >= TCP_EV_SYN_REPEATED ? "never" : "unknown time");
    }
    compare(p, state, shown, expected);
}

/* "A ...", "B ...". Returns whether it is such a part. */
static bool play_time(struct player *p, const char *part)
{
    const unsigned end = *part == 'B';
    char state[STATE_MAX];
    int length = 0;

    if ((*part != 'A' && *part != 'B') || part[1] != ' ')
        return false;
    part += 2;
    if (strncmp(part, "for ", 4) == 0)
        check_age(p, end, part + 4);
    else if (sscanf(part, "left %31s after %n", state, &length) == 1 && length > 0)
        check_dwell(p, end, state, part + length);
    else if (sscanf(part, "was never in %31s%n", state, &length) == 1 && part[length] == '\0')
        check_dwell(p, end, state, "never");
    else
        return false;
    return true;
}

/* "data after close, confirmed": why the row, a RST, was sent. Returns whether that is a cause. */
static bool check_cause(struct player *p, const char *expected)
{
    static const char sure[] = ", confirmed";
    const struct log_view *shown = &p->shown[p->segments - 1];
    char text[96];

    snprintf(text, sizeof text, "%.*s", (int)strcspn(expected, ","), expected);
    const size_t cause = find_name(cause_names, NAMES(cause_names), text);
    if (cause == NAMES(cause_names))
        return false;
    told_cause[cause] = true;
    snprintf(text, sizeof text, "%s%s", cause_names[shown->reset_cause], shown->reset_confirmed ? sure : "");
    compare(p, "cause", text, expected);
    return true;
}

/* How the attempt failed, if the capture ended now. Returns whether there is such a name. */
static bool check_attempt(struct player *p, const char *expected)
{
    const struct final_limits limits = {
        .end_ns = p->now_us * 1000, .time_wait_ns = TIME_WAIT_US * 1000, .stuck_ns = STUCK_NS,
    };
    const size_t attempt = find_name(attempt_names, NAMES(attempt_names), expected);
    struct final_view final;

    if (attempt == NAMES(attempt_names))
        return false;
    told_attempt[attempt] = true;
    final_of(&p->log, p->log.count - 1, &limits, &final);
    compare(p, "attempt", attempt_names[final.attempt], expected);
    return true;
}

static bool play_fact(struct player *p, char *part)
{
    struct facts *f = &p->facts;
    const size_t closer = find_name(closer_names, NAMES(closer_names), part);

    if (closer < NAMES(closer_names)) {
        f->closed_by = (int)closer;
        told_closer[closer] = true;
    } else if (strcmp(part, "client A") == 0 || strcmp(part, "client B") == 0) {
        f->client = part[strlen("client ")] == 'B';
    } else if (strcmp(part, "midstream") == 0 || strcmp(part, "not midstream") == 0) {
        f->midstream = *part == 'm';
    } else if (strcmp(part, "opened") == 0 || strcmp(part, "not opened") == 0) {
        compare(p, "row", p->latest.opened ? "opened" : "not opened", part);
    } else if (strncmp(part, "attempt ", 8) == 0) {
        return check_attempt(p, part + 8);
    } else if (strncmp(part, "because ", 8) == 0) {
        return check_cause(p, part + 8);
    } else if (strcmp(part, "no anomalies") == 0) {
        f->tells_anomalies = true;
    } else if (strncmp(part, "anomalies ", 10) == 0) {
        return play_anomalies(p, part + 10);
    } else {
        return play_time(p, part);
    }
    return true;
}

/* "    closed by server; anomalies abort". Returns whether it is such a line. */
static bool play_facts(struct player *p, char *line)
{
    for (char *part = strtok(line, ";"); part; part = strtok(NULL, ";")) {
        if (!play_fact(p, part + strspn(part, " ")))
            return false;
    }
    return true;
}

static void name_anomalies(char *text, size_t size, uint32_t anomalies)
{
    *text = '\0';
    for (unsigned i = 0; i < NAMES(anomaly_names); i++) {
        const size_t length = strlen(text);
        if (anomalies >> i & 1)
            snprintf(text + length, size - length, "%s%s", length ? ", " : "", anomaly_names[i]);
    }
}

/* The latest row is over: no more lines tell of it. */
static void end_row(struct player *p)
{
    const int line = p->line;
    const struct log_view *shown = p->segments ? &p->shown[p->segments - 1] : NULL;
    char names[256], expected[256];

    if (!shown)
        return;
    p->line = p->row_line;
    if (p->facts.closed_by != UNTOLD)
        compare(p, "who closed", closer_names[shown->closed_by], closer_names[p->facts.closed_by]);
    if (p->facts.client != UNTOLD)
        compare(p, "client", end_of(p, shown->client) ? "B" : "A", p->facts.client ? "B" : "A");
    if (p->facts.midstream != UNTOLD)
        compare(p, "midstream", shown->midstream ? "yes" : "no", p->facts.midstream ? "yes" : "no");
    if (p->facts.tells_anomalies) {
        name_anomalies(names, sizeof names, p->anomalies);
        name_anomalies(expected, sizeof expected, p->facts.anomalies);
        compare(p, "anomalies", names, expected);
    }
    p->facts.anomalies = 0;
    p->line = line;
}

/* ------------------------------------------------------------------ ladders */

static void play(struct player *p, struct row *row)
{
    const unsigned sender = end_of(p, row->sender);
    struct tcpfsm_outcome out;

    end_row(p);
    if (p->segments == ROWS_MAX) {
        complain(p, "is a row too many", row->a);
        return;
    }
    p->now_us += 100000;
    row->seg.time_us = p->now_us;
    shift_numbers(p, row, &row->seg);
    const bool news = move(p, sender, &row->seg, &out);
    for (unsigned end = 0; end < 2; end++) {
        const struct tcpfsm_change *change = &out.end[end_of(p, end)];
        const uint8_t last = change->count ? change->state[change->count - 1] : change->previous;
        if (last != p->m.end[end_of(p, end)].state)
            complain(p, "the reported steps do not lead to the state of", end ? "B" : "A");
    }
    check_end(p, 0, row->a);
    check_end(p, 1, row->b);
    note(p, sender, &row->seg, &out, news);
    p->latest = out;
    p->row_line = p->line;
    p->segments++;
}

static void play_line(struct player *p, char *line)
{
    struct row row;
    char word[STATE_MAX], rest[2];
    const size_t indent = strspn(line, " \t");
    double seconds;
    bool understood = true;

    line[strcspn(line, "\r\n")] = '\0';
    if (*line == '#' || line[indent] == '\0')
        return;
    if (sscanf(line, "+%lf s%1s", &seconds, rest) == 1)
        p->now_us += (int64_t)(seconds * 1e6);
    else if (parse_row(line, &row))
        play(p, &row);
    else if (p->segments == 0) /* what both really were */
        understood = sscanf(line, "%31s %31s %1s", word, word, rest) == 2;
    else if (indent > 0 && line[indent + 1] == ':')
        understood = play_events(p, line);
    else
        understood = indent > 0 && play_facts(p, line);
    if (!understood)
        complain(p, "is no row of a ladder", line);
}

static int play_file(const char *file, const struct reading *reading)
{
    static struct player p;
    char line[512];
    FILE *in = fopen(file, "r");

    if (!in) {
        perror(file);
        return 1;
    }
    memset(&p, 0, sizeof p);
    p.file = file;
    p.reading = reading;
    p.now_us = INT64_C(1000000000);
    p.facts.closed_by = p.facts.client = p.facts.midstream = UNTOLD;
    while (fgets(line, sizeof line, in)) {
        p.line++;
        play_line(&p, line);
    }
    fclose(in);
    end_row(&p);
    check_again(&p);
    if (p.segments == 0)
        complain(&p, "holds no segment", file);
    return p.failures;
}

/* How many names of a table no line tells. */
static int count_untold(const char *const *names, const bool *told, size_t size, size_t from)
{
    int untold = 0;

    for (size_t i = from; i < size; i++) {
        if (!told[i]) {
            printf("no ladder tells of \"%s\"\n", names[i]);
            untold++;
        }
    }
    return untold;
}

int main(int argc, char **argv)
{
    const bool every_event = argc > 1 && strcmp(argv[1], "--every-event") == 0;
    const int first = 1 + every_event;
    int failures = argc <= first;

    if (argc <= first)
        fprintf(stderr, "usage: ladder [--every-event] FILE...\n");
    for (int i = first; i < argc; i++) {
        for (size_t n = 0; n < NAMES(readings); n++)
            failures += play_file(argv[i], &readings[n]);
    }
    if (every_event) {
        told_anomaly[TCP_ANOMALY_LEFT_OPEN] = true; /* of the end of the capture: log_test.c has them */
        told_anomaly[TCP_ANOMALY_LEFT_OPEN_ASSUMED] = true;
        failures += count_untold(event_names, told_event, NAMES(event_names), 1);
        failures += count_untold(closer_names, told_closer, NAMES(closer_names), 0);
        failures += count_untold(attempt_names, told_attempt, NAMES(attempt_names), 0);
        failures += count_untold(cause_names, told_cause, NAMES(cause_names), 1);
        failures += count_untold(anomaly_names, told_anomaly, NAMES(anomaly_names), 0);
    }
    return failures != 0;
}
