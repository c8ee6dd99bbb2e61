/* ladder_facts.c
 * Compares what is shown with what ladders tell.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ladder.h"

#include "call.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const state_names[] = {
#define TCP_STATE(number, name, section, sentence) [number] = #name,
#include "tcp_states.def"
#undef TCP_STATE
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

static const char *const call_names[] = {
    [TCP_CALL_NONE] = "none",
#define TCP_CALL(number, name, text, section) [number] = text,
#include "tcp_calls.def"
#undef TCP_CALL
};

/* By any line of any file. */
static bool told_closer[NAMES(closer_names)], told_anomaly[NAMES(anomaly_names)];
static bool told_cause[NAMES(cause_names)], told_attempt[NAMES(attempt_names)], told_call[NAMES(call_names)];

void complain(struct player *p, const char *what, const char *text)
{
    printf("%s:%d%s: %s: %s\n", p->file, p->line, p->reading->name, what, text);
    p->failures++;
}

void compare(struct player *p, const char *what, const char *shown, const char *expected)
{
    if (strcmp(shown, expected) != 0) {
        printf("%s:%d%s: %s is \"%s\", should be \"%s\"\n", p->file, p->line, p->reading->name, what, shown, expected);
        p->failures++;
    }
}

size_t find_name(const char *const *table, size_t size, const char *name)
{
    size_t i = 0;
    while (i < size && strcasecmp(table[i], name) != 0)
        i++;
    return i;
}

void check_end(struct player *p, unsigned end, const char *expected)
{
    const struct tcpfsm_end *e = &p->m.end[end_of(p, end)];
    char shown[STATE_MAX];

    snprintf(shown, sizeof shown, "%s%s", state_names[e->state], e->confirmed ? "" : "?");
    compare(p, end ? "B" : "A", shown, expected);
}

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

/* "data after close, confirmed": a cause of a RST, and what is shown. Returns whether that is a cause. */
static bool compare_cause(struct player *p, const char *what, unsigned shown, bool confirmed, const char *expected)
{
    static const char sure[] = ", confirmed";
    char text[96];

    snprintf(text, sizeof text, "%.*s", (int)strcspn(expected, ","), expected);
    const size_t cause = find_name(cause_names, NAMES(cause_names), text);
    if (cause == NAMES(cause_names))
        return false;
    told_cause[cause] = true;
    snprintf(text, sizeof text, "%s%s", cause_names[shown], confirmed ? sure : "");
    compare(p, what, text, expected);
    return true;
}

/* How the connection stands, if the capture ended now. */
static struct final_view final_now(const struct player *p)
{
    const struct final_limits limits = {
        .end_ns = p->now_us * 1000, .time_wait_ns = TIME_WAIT_US * 1000, .stuck_ns = STUCK_NS,
    };
    struct final_view final;

    final_of(&p->log, p->log.count - 1, &limits, &final);
    return final;
}

/* How the attempt failed, if the capture ended now. Returns whether there is such a name. */
static bool check_attempt(struct player *p, const char *expected)
{
    const size_t attempt = find_name(attempt_names, NAMES(attempt_names), expected);

    if (attempt == NAMES(attempt_names))
        return false;
    told_attempt[attempt] = true;
    compare(p, "attempt", attempt_names[final_now(p).attempt], expected);
    return true;
}

/* "OPEN active, SEND": the user calls that the row shows. Returns whether there are such names. */
static bool check_calls(struct player *p, const char *expected)
{
    char shown[128] = "", copy[128];

    for (unsigned i = 0; i < NAMES(call_names); i++) {
        const size_t length = strlen(shown);
        if (p->shown_row[p->segments - 1].calls >> i & 1)
            snprintf(shown + length, sizeof shown - length, "%s%s", length ? ", " : "", call_names[i]);
    }
    compare(p, "what the program called", shown, expected);
    snprintf(copy, sizeof copy, "%s", expected);
    for (char *word = copy; *word;) {
        char *end = word + strcspn(word, ","), *next = *end ? end + strspn(end, ", ") : end;
        *end = '\0';
        const size_t call = find_name(call_names, NAMES(call_names), word);
        if (call == NAMES(call_names))
            return false;
        told_call[call] = true;
        word = next;
    }
    return true;
}

/* "2.5 s": how long the connection had been idle whose close a request raced. */
static void check_race(struct player *p, const char *expected)
{
    const int64_t idle_ns = log_race_idle_ns(&p->shown[p->segments - 1]);
    char shown[64] = "no race";

    if (idle_ns >= 0)
        format_seconds(shown, sizeof shown, idle_ns);
    compare(p, "idle before the close that was raced", shown, expected);
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
    } else if (strncmp(part, "ended because ", 14) == 0) {
        const struct final_view final = final_now(p);
        return compare_cause(p, "cause that ended it", final.reset_cause, final.reset_confirmed, part + 14);
    } else if (strncmp(part, "raced a close after ", 20) == 0) {
        check_race(p, part + 20);
    } else if (strncmp(part, "calls ", 6) == 0) {
        return check_calls(p, part + 6);
    } else if (strcmp(part, "no calls") == 0) {
        check_calls(p, "");
    } else if (strncmp(part, "because ", 8) == 0) {
        const struct log_view *shown = &p->shown[p->segments - 1];
        return compare_cause(p, "cause", shown->reset_cause, shown->reset_confirmed, part + 8);
    } else if (strcmp(part, "no anomalies") == 0) {
        f->tells_anomalies = true;
    } else if (strncmp(part, "anomalies ", 10) == 0) {
        return play_anomalies(p, part + 10);
    } else {
        return play_time(p, part);
    }
    return true;
}

bool play_facts(struct player *p, char *line)
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

void end_row(struct player *p)
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
        name_anomalies(names, sizeof names, p->shown_row[p->segments - 1].anomalies);
        name_anomalies(expected, sizeof expected, p->facts.anomalies);
        compare(p, "anomalies", names, expected);
    }
    p->facts.anomalies = 0;
    p->line = line;
}

int count_untold(const char *const *names, const bool *told, size_t size, size_t from)
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

int count_all_untold(void)
{
    told_anomaly[TCP_ANOMALY_LEFT_OPEN] = true; /* of the end of the capture: log_test.c has them */
    told_anomaly[TCP_ANOMALY_LEFT_OPEN_ASSUMED] = true;
    return count_untold_events()
        + count_untold(closer_names, told_closer, NAMES(closer_names), 0)
        + count_untold(attempt_names, told_attempt, NAMES(attempt_names), 0)
        + count_untold(cause_names, told_cause, NAMES(cause_names), 1)
        + count_untold(call_names, told_call, NAMES(call_names), 1)
        + count_untold(anomaly_names, told_anomaly, NAMES(anomaly_names), 0);
}
