/* timeline.c
 * tshark -z tcpstate,timeline[,interval][,filter]: how many ends are in each state over time, by server endpoint:
 * netstat on all machines, sampled through the capture. The filter chooses connections.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "timeline.h"
#include "views.h"

#include "names.h"
#include "numbers.h"

#include <wsutil/report_message.h>

/* Samples of which a table has at most so many, and about so many if no interval is given. */
enum { SAMPLES_MAX = 10000, SAMPLES_WISHED = 20 };

/* How many changes there are. */
static size_t changes_size(const struct timeline *timeline)
{
    return (size_t)2 * TIMELINE_STATES * (timeline->count + 1);
}

static uint32_t *changes_of(const struct timeline *timeline, unsigned role, uint8_t state)
{
    return timeline->changes + (size_t)(role * TIMELINE_STATES + state - TIMELINE_FIRST_STATE) * (timeline->count + 1);
}

/* The first sample at or after a moment; at most their number. */
static uint32_t sample_at(const struct timeline *timeline, int64_t time_ns)
{
    const int64_t elapsed = log_elapsed_ns(timeline->start_ns, time_ns);
    const int64_t number = elapsed / timeline->interval_ns + (elapsed % timeline->interval_ns != 0);

    return (uint32_t)MIN(number, (int64_t)timeline->count);
}

/* An end was in a state from one moment up to another. Where time stamps run backwards, not at all. */
static void count_stay(const struct timeline *timeline, unsigned role, uint8_t state, int64_t from_ns, int64_t to_ns)
{
    const uint32_t from = sample_at(timeline, from_ns), to = sample_at(timeline, to_ns);

    if (state < TIMELINE_FIRST_STATE || from >= to)
        return;
    uint32_t *changes = changes_of(timeline, role, state);
    changes[from]++;
    changes[to]--; /* modulo 2^32: sums are right */
}

/* Whether an incarnation was in TIME_WAIT for longer than that lasts: the table shows it no longer. */
static int64_t leaves_at(uint8_t state, int64_t from_ns, int64_t to_ns, const struct final_limits *limits)
{
    if (state == TCP_TIME_WAIT && log_elapsed_ns(from_ns, to_ns) > limits->time_wait_ns)
        return from_ns + limits->time_wait_ns;
    return to_ns;
}

static void count_end(const struct timeline *timeline, const struct incarnation *i, unsigned end,
                      const struct final_limits *limits)
{
    const struct log *log = i->log;
    const uint32_t next = log_next_opening(log, i->opening + 1);
    const bool superseded = next < log->count;
    const unsigned role = end != i->client;
    int64_t from_ns = i->start_ns;
    struct log_view view;
    uint8_t state = TCP_CLOSED;

    for (uint32_t n = i->opening; n < next; n++) {
        log_at(log, n, &view);
        if (view.end[end].state == state)
            continue;
        const int64_t now_ns = log->entry[n].time_ns;
        count_stay(timeline, role, state, from_ns, leaves_at(state, from_ns, now_ns, limits));
        state = view.end[end].state;
        from_ns = now_ns;
    }
    const int64_t end_ns = superseded ? log->entry[next].time_ns : INT64_MAX; /* the last sample has it */
    count_stay(timeline, role, state, from_ns, leaves_at(state, from_ns, end_ns, limits));
}

/* ------------------------------------------------------------------ the samples */

void timeline_clear(const struct timeline *timeline)
{
    memset(timeline->changes, 0, changes_size(timeline) * sizeof *timeline->changes);
}

void timeline_begin(struct timeline *timeline)
{
    timeline->changes = g_new(uint32_t, changes_size(timeline));
    timeline_clear(timeline);
}

void timeline_end(struct timeline *timeline)
{
    g_free(timeline->changes);
}

void timeline_count(const struct timeline *timeline, const struct incarnation *i, const struct final_limits *limits)
{
    for (unsigned end = 0; end < 2; end++)
        count_end(timeline, i, end, limits);
}

void timeline_next(const struct timeline *timeline, uint32_t n, uint32_t present[2][TIMELINE_STATES])
{
    for (unsigned role = 0; role < 2; role++) {
        for (unsigned s = 0; s < TIMELINE_STATES; s++)
            present[role][s] += changes_of(timeline, role, (uint8_t)(TIMELINE_FIRST_STATE + s))[n];
    }
}

int64_t timeline_interval_ns(int64_t length_ns, int64_t samples)
{
    static const int64_t steps[] = { 1, 2, 5 };

    for (int64_t ten = 1000000; ten < INT64_MAX / 100; ten *= 10) {
        for (unsigned n = 0; n < array_length(steps); n++) {
            if (length_ns / (ten * steps[n]) < samples)
                return ten * steps[n];
        }
    }
    return INT64_MAX;
}

/* Returns false, after a message, if there were too many. */
static bool choose_samples(const struct view *view, const struct final_limits *limits, struct timeline *timeline)
{
    const int64_t length_ns = log_elapsed_ns(limits->start_ns, limits->end_ns);

    timeline->start_ns = limits->start_ns;
    timeline->interval_ns = view->interval_ns ? view->interval_ns : timeline_interval_ns(length_ns, SAMPLES_WISHED);
    const int64_t intervals = length_ns / timeline->interval_ns + 1;
    if (intervals > SAMPLES_MAX) {
        report_failure("tcpstate,timeline: an interval of %g s makes %" PRId64 " samples of this capture, more than %d",
                       (double)timeline->interval_ns / 1e9, intervals, SAMPLES_MAX);
        return false;
    }
    timeline->count = (uint32_t)intervals;
    return true;
}

/* ------------------------------------------------------------------ the table */

/* A connection, to be sorted by its server endpoint. */
struct served {
    char server[ENDPOINT_NAME_SIZE];
    const struct incarnation *connection;
};

static int served_compare(const void *a, const void *b)
{
    return strcmp(((const struct served *)a)->server, ((const struct served *)b)->server);
}

static void print_heading(int width)
{
    printf("%10s %-*s %-6s", "Time (s)", width, "Server", "Ends");
    for (uint8_t state = TIMELINE_FIRST_STATE; state <= TCP_TIME_WAIT; state++)
        printf(" %s", tcp_state_name(state));
    putchar('\n');
}

/* A row for each role of which an end is in a state. present: of both roles, by state */
static void print_sample(const char *server, int64_t elapsed_ns, uint32_t present[2][TIMELINE_STATES],
                         int width)
{
    static const char *const roles[] = { "client", "server" };
    char time[NUMBER_SIZE];

    for (unsigned role = 0; role < 2; role++) {
        const uint32_t *count = present[role];
        uint64_t sum = 0;
        for (unsigned n = 0; n < TIMELINE_STATES; n++)
            sum += count[n];
        if (sum == 0)
            continue;
        printf("%10s %-*s %-6s", number_seconds(time, elapsed_ns), width, server, roles[role]);
        for (unsigned n = 0; n < TIMELINE_STATES; n++)
            printf(" %*u", (int)strlen(tcp_state_name((uint8_t)(TIMELINE_FIRST_STATE + n))), count[n]);
        putchar('\n');
    }
}

static void print_server(const char *server, const struct timeline *timeline, int width)
{
    uint32_t present[2][TIMELINE_STATES] = { 0 };

    for (uint32_t n = 0; n < timeline->count; n++) {
        timeline_next(timeline, n, present);
        print_sample(server, n * timeline->interval_ns, present, width);
    }
}

/* The connections that are shown, by server endpoint: an array of struct served. Sets the width of the longest. */
static GArray *sort_by_server(const struct view *view, int *width)
{
    GArray *all = g_array_new(false, false, sizeof(struct served));

    *width = (int)sizeof "Server" - 1;
    for (const struct incarnation *i = view->connections.first; i; i = i->next) {
        if (!view_shows(view, i))
            continue;
        struct served served = { .connection = i };
        endpoint_name(&i->address[!i->client], i->port[!i->client], served.server);
        *width = MAX(*width, (int)strlen(served.server));
        g_array_append_val(all, served);
    }
    g_array_sort(all, served_compare);
    return all;
}

static void print_table(const struct view *view, struct timeline *timeline, const struct final_limits *limits)
{
    int width;
    GArray *all = sort_by_server(view, &width);

    timeline_begin(timeline);
    print_heading(width);
    for (guint n = 0; n < all->len;) {
        const char *server = g_array_index(all, struct served, n).server;
        timeline_clear(timeline);
        for (; n < all->len && strcmp(g_array_index(all, struct served, n).server, server) == 0; n++)
            timeline_count(timeline, g_array_index(all, struct served, n).connection, limits);
        print_server(server, timeline, width);
    }
    timeline_end(timeline);
    g_array_free(all, true);
}

static void draw(void *data)
{
    const struct view *view = (const struct view *)data;
    const struct final_limits limits = pair_final_limits();
    struct timeline samples;

    if (!choose_samples(view, &limits, &samples))
        return;
    printf("Ends of TCP connections by state, every %g s\n", (double)samples.interval_ns / 1e9);
    print_table(view, &samples, &limits);
}

static tap_packet_status packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                tap_flags_t flags _U_)
{
    incarnations_note(&((struct view *)data)->connections, pinfo, (const struct tcpstate_tap *)tapped);
    return TAP_PACKET_REDRAW;
}

void timeline_register(void)
{
    static struct view_kind kind = {
        .cli = "tcpstate,timeline", .title = "TCP State over time", .record = sizeof(struct incarnation),
        .packet = packet, .draw = draw, .whole = true, .has_interval = true,
    };

    view_register(&kind);
}
