/* page.c
 * tshark -z tcpstate,page[,filter]: one HTML file that shows connections step by step, from disk, without a network.
 * The filter chooses connections.
 *
 * HTML, CSS and JavaScript are the files of page/, embedded by page/Embed.cmake. Here are the data for them: the
 * objects of the view json, the rows of the view ladder, and the figure of the view diagram.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "diagram.h"
#include "json.h"
#include "ladder.h"
#include "rows.h"
#include "timeline.h"
#include "views.h"

#include "page_parts.h" /* page_before_data[], page_after_data[] */

/* What a page has room for: it is read at once, on a telephone too. It says what it leaves out. */
enum {
    CONNECTIONS_MAX = 20000, /* in the list, those left open first */
    ROWS_MAX = 20000,        /* rows of ladders, of all connections in order of the list */
    LADDER_MAX = 2000,       /* rows of one connection */
    EXPERT_MAX = 500,        /* items of expert information of one connection */
    SERVERS_MAX = 12,        /* server endpoints with a plot of their own */
    SAMPLES = 100,           /* of the plots, about */
};

/* ------------------------------------------------------------------ what is kept */

struct page_connection {
    struct json_connection json; /* its first member is the incarnation */
    struct ladder ladder;
};

static tap_packet_status packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                tap_flags_t flags _U_)
{
    struct view *view = (struct view *)data;
    const struct tcpstate_tap *tap = (const struct tcpstate_tap *)tapped;
    struct page_connection *c = (struct page_connection *)incarnations_note(&view->connections, pinfo, tap);

    json_note(&c->json, view->connections.pool, pinfo, tap);
    ladder_add(&c->ladder, view->connections.pool, pinfo, tap);
    return TAP_PACKET_REDRAW;
}

/* ------------------------------------------------------------------ output */

/* The data that are being printed. */
struct page {
    const struct view *view;
    const struct row *rows;   /* the connections, in order of the list */
    uint32_t connections;     /* how many there are, and how many are listed */
    uint32_t listed;
    bool *has_ladder;         /* of each that is listed: whether its steps are in the page */
    struct hosts *hosts;      /* documentation addresses; of all listed */
    struct final_limits limits;
    GString *text;            /* what json writes, until it is printed */
    json_dumper json;
};

/*
 * Prints what was written, and empties it. JSON has a "<" in strings only, where it is escaped: nothing in the data
 * ends the element that they stand in, nor begins another.
 */
static void flush(struct page *page)
{
    for (const char *from = page->text->str; *from;) {
        const size_t plain = strcspn(from, "<");
        fwrite(from, 1, plain, stdout);
        from += plain;
        if (*from == '<') {
            fputs("\\u003c", stdout);
            from++;
        }
    }
    g_string_truncate(page->text, 0);
}

static void put_name(struct page *page, const char *name)
{
    json_dumper_set_member_name(&page->json, name);
}

static void put_text(struct page *page, const char *name, const char *text)
{
    put_name(page, name);
    json_dumper_value_string(&page->json, text);
}

static void put_number(struct page *page, const char *name, uint64_t number)
{
    put_name(page, name);
    json_dumper_value_anyf(&page->json, "%" PRIu64, number);
}

static void put_flag(struct page *page, const char *name, bool flag)
{
    put_name(page, name);
    json_dumper_value_anyf(&page->json, flag ? "true" : "false");
}

static void begin_array(struct page *page, const char *name)
{
    put_name(page, name);
    json_dumper_begin_array(&page->json);
}

static void begin_object(struct page *page)
{
    json_dumper_begin_object(&page->json);
}

static void end_array(struct page *page)
{
    json_dumper_end_array(&page->json);
}

static void end_object(struct page *page)
{
    json_dumper_end_object(&page->json);
}

/* ------------------------------------------------------------------ RFC 9293 */

static void put_events(struct page *page)
{
    static const struct { const char *name, *section, *sentence; } events[] = {
#define TCP_EVENT(number, id, notation, in_section, said) [number] = { notation, in_section, said },
#include "tcp_events.def"
#undef TCP_EVENT
    };

    begin_array(page, "events");
    for (uint8_t n = 1; n < array_length(events); n++) {
        begin_object(page);
        put_text(page, "event", events[n].name);
        put_text(page, "text", tcp_event_text(n));
        put_text(page, "section", events[n].section);
        put_text(page, "sentence", events[n].sentence);
        put_flag(page, "corrects", tcp_event_corrects(n));
        end_object(page);
    }
    end_array(page);
}

static void put_states(struct page *page)
{
    static const struct { const char *name, *section, *sentence; } states[] = {
#define TCP_STATE(number, name, in_section, said) [number] = { #name, in_section, said },
#include "tcp_states.def"
#undef TCP_STATE
    };

    begin_array(page, "states");
    for (unsigned n = 0; n < array_length(states); n++) {
        begin_object(page);
        put_text(page, "state", states[n].name);
        put_text(page, "section", states[n].section);
        put_text(page, "sentence", states[n].sentence);
        end_object(page);
    }
    end_array(page);
}

/* Figure 5, as the view diagram draws it. */
static void put_figure(struct page *page)
{
    begin_array(page, "boxes");
    for (unsigned n = 0; n < DIAGRAM_BOXES; n++) {
        const struct diagram_box *box = &diagram_boxes[n];
        begin_object(page);
        put_text(page, "state", tcp_state_name(box->state));
        put_number(page, "x", (uint64_t)(box->x - DIAGRAM_BOX_WIDTH / 2));
        put_number(page, "y", (uint64_t)box->y);
        put_number(page, "width", DIAGRAM_BOX_WIDTH);
        put_number(page, "height", (uint64_t)box->height);
        end_object(page);
    }
    end_array(page);
    begin_array(page, "arcs");
    for (unsigned n = 0; n < DIAGRAM_ARCS; n++) {
        const struct diagram_arc *arc = &diagram_arcs[n];
        begin_object(page);
        put_text(page, "from", tcp_state_name(arc->from));
        put_text(page, "to", tcp_state_name(arc->to));
        put_text(page, "label", arc->label);
        put_text(page, "path", arc->path);
        end_object(page);
    }
    end_array(page);
}

/* ------------------------------------------------------------------ ends by state over time */

/* "all": the sums over all servers; else a server endpoint. */
static void put_samples(struct page *page, const struct timeline *timeline, const char *server, const char *alias)
{
    static const char *const roles[] = { "client", "server" };
    uint32_t present[2][TIMELINE_STATES] = { 0 };

    begin_object(page);
    put_text(page, "server", server);
    put_text(page, "alias", alias);
    begin_array(page, "samples"); /* of each: role, state, and how many, where there are any */
    for (uint32_t n = 0; n < timeline->count; n++) {
        timeline_next(timeline, n, present);
        begin_object(page);
        for (unsigned role = 0; role < 2; role++) {
            put_name(page, roles[role]);
            begin_object(page);
            for (unsigned s = 0; s < TIMELINE_STATES; s++) {
                if (present[role][s])
                    put_number(page, tcp_state_name((uint8_t)(TIMELINE_FIRST_STATE + s)), present[role][s]);
            }
            end_object(page);
        }
        end_object(page);
    }
    end_array(page);
    end_object(page);
}

/* Counts the connections of a server endpoint, or of all where it is NULL. Returns one of them. */
static const struct row *count_connections(const struct page *page, const struct timeline *timeline,
                                           const char *server)
{
    const struct row *one = NULL;

    timeline_clear(timeline);
    for (uint32_t n = 0; n < page->connections; n++) {
        const struct row *row = &page->rows[n];
        if (server && strcmp(row->server, server) != 0)
            continue;
        timeline_count(timeline, row->connection, &page->limits);
        one = row;
    }
    return one;
}

static void put_timeline(struct page *page)
{
    const int64_t length_ns = log_elapsed_ns(page->limits.start_ns, page->limits.end_ns);
    struct timeline timeline = { .start_ns = page->limits.start_ns };
    GArray *servers = rows_by_server(page->rows, page->connections);
    char time[NUMBER_SIZE];

    timeline.interval_ns = timeline_interval_ns(length_ns, SAMPLES);
    timeline.count = (uint32_t)(length_ns / timeline.interval_ns + 1);
    timeline_begin(&timeline);
    put_name(page, "interval");
    json_dumper_value_anyf(&page->json, "%s", number_seconds(time, timeline.interval_ns));
    put_number(page, "servers", servers->len);
    begin_array(page, "timelines");
    count_connections(page, &timeline, NULL);
    put_samples(page, &timeline, "all", "all");
    for (guint n = 0; n < MIN(servers->len, SERVERS_MAX); n++) {
        char name[ENDPOINT_NAME_SIZE], alias[ENDPOINT_NAME_SIZE];
        const char *server = g_array_index(servers, struct server_summary, n).endpoint;
        const struct incarnation *i = count_connections(page, &timeline, server)->connection;
        struct hosts *shown = tcpstate_hide_addresses ? page->hosts : NULL;
        put_samples(page, &timeline, host_endpoint(shown, &i->address[!i->client], i->port[!i->client], name),
                    host_endpoint(page->hosts, &i->address[!i->client], i->port[!i->client], alias));
    }
    end_array(page);
    timeline_end(&timeline);
    g_array_free(servers, true);
}

/* ------------------------------------------------------------------ connections */

static const struct page_connection *connection_of(const struct row *row)
{
    return (const struct page_connection *)row->connection;
}

static uint32_t ladder_rows(const struct row *row)
{
    uint32_t count = 0;

    for (const struct ladder_row *r = connection_of(row)->ladder.first; r; r = r->next)
        count++;
    return count;
}

/* The last frame of which a ladder is shown, as far as it has room. */
static uint32_t last_frame_shown(const struct row *row)
{
    const struct ladder_row *r = connection_of(row)->ladder.first;

    for (uint32_t n = 1; r && n < LADDER_MAX; n++)
        r = r->next;
    if (!r || !r->next)
        return UINT32_MAX;
    return r->run ? r->of.folded.last_frame : r->frame;
}

static void put_elapsed(struct page *page, const char *name, const struct incarnation *i, int64_t time_ns)
{
    char text[NUMBER_SIZE];

    put_name(page, name);
    json_dumper_value_anyf(&page->json, "%s", number_seconds(text, incarnation_elapsed_ns(i, time_ns)));
}

static void put_row(struct page *page, const struct incarnation *i, const struct ladder_row *row)
{
    char text[LADDER_NOTATION_SIZE];

    begin_object(page);
    put_number(page, "frame", row->frame);
    put_elapsed(page, "time", i, row->time_ns);
    put_text(page, "client", tcp_state_text(row->state[i->client], row->confirmed[i->client]));
    put_text(page, "server", tcp_state_text(row->state[!i->client], row->confirmed[!i->client]));
    if (row->run) {
        put_number(page, "run", row->run);
        put_number(page, "last_frame", row->of.folded.last_frame);
        put_elapsed(page, "last_time", i, row->of.folded.last_ns);
        put_number(page, "client_bytes", row->of.folded.octets[i->client]);
        put_number(page, "server_bytes", row->of.folded.octets[!i->client]);
    } else {
        put_text(page, "from", row->src == i->client ? "client" : "server");
        put_text(page, "segment", ladder_notation(row, text, NULL, NULL));
        put_number(page, "transitions", row->steps);
    }
    end_object(page);
}

/*
 * For each of the connection's transitions: which arc of the figure it takes, -1: none; and which later transition
 * proves that it was assumed in error, -1: none. Both are indices.
 */
static void put_way(struct page *page, const struct incarnation *i, uint32_t last_frame)
{
    GArray *way = diagram_way(i, last_frame);

    begin_array(page, "way");
    for (guint n = 0; n < way->len; n++) {
        const struct diagram_step *step = &g_array_index(way, struct diagram_step, n);
        const int arc = step->arc ? (int)(step->arc - diagram_arcs) : -1;
        json_dumper_value_anyf(&page->json, "[%d,%" PRId64 "]", arc, (int64_t)step->undone_by - 1);
    }
    end_array(page);
    g_array_free(way, true);
}

/* What the player needs besides the connection's own object. */
static void put_ladder(struct page *page, const struct row *row)
{
    const struct page_connection *c = connection_of(row);
    const struct incarnation *i = &c->json.base;
    const struct ladder_row *r = c->ladder.first;

    begin_object(page);
    put_number(page, "connection", i->number);
    put_text(page, "client", tcp_state_text(c->ladder.initial[i->client], !i->midstream));
    put_text(page, "server", tcp_state_text(c->ladder.initial[!i->client], !i->midstream));
    begin_array(page, "rows");
    for (uint32_t n = 0; r && n < LADDER_MAX; n++, r = r->next)
        put_row(page, i, r);
    end_array(page);
    put_number(page, "rows_left_out", ladder_rows(row) - MIN(ladder_rows(row), (uint32_t)LADDER_MAX));
    put_way(page, i, last_frame_shown(row));
    end_object(page);
}

/* An array of objects, a line each. put: prints the n-th of the list, or nothing and returns false */
static void put_lines(struct page *page, const char *name, bool (*put)(struct page *page, uint32_t n))
{
    bool is_first = true;

    printf(",\n\"%s\":[", name);
    for (uint32_t n = 0; n < page->listed; n++) {
        page->json = (json_dumper){ .output_string = page->text };
        if (!put(page, n))
            continue;
        json_dumper_finish(&page->json);
        g_string_truncate(page->text, page->text->len - 1); /* its end of line */
        fputs(is_first ? "\n" : ",\n", stdout);
        is_first = false;
        flush(page);
    }
    putchar(']');
}

/* Whether each connection of the list has its steps in the page: as many as there is room for. */
static bool *choose_ladders(const struct page *page)
{
    bool *has_ladder = g_new0(bool, page->listed);
    uint32_t used = 0;

    for (uint32_t n = 0; n < page->listed; n++) {
        const uint32_t rows = MIN(ladder_rows(&page->rows[n]), (uint32_t)LADDER_MAX);
        has_ladder[n] = used + rows <= ROWS_MAX;
        if (has_ladder[n])
            used += rows;
    }
    return has_ladder;
}

static bool put_connection(struct page *page, uint32_t n)
{
    const struct json_choice choice = {
        .last_frame = page->has_ladder[n] ? last_frame_shown(&page->rows[n]) : 0, .expert_max = EXPERT_MAX,
        .hosts = tcpstate_hide_addresses ? page->hosts : NULL,
    };

    json_put(&page->json, &connection_of(&page->rows[n])->json, &choice);
    return true;
}

static bool put_listed(struct page *page, uint32_t n)
{
    const struct row *row = &page->rows[n];
    const struct incarnation *i = row->connection;
    char client[HOST_NAME_SIZE], server[HOST_NAME_SIZE];

    begin_object(page);
    put_number(page, "rank", row->rank);
    put_text(page, "why", final_why(&row->final));
    put_text(page, "client", host_name(page->hosts, &i->address[i->client], client));
    put_text(page, "server", host_name(page->hosts, &i->address[!i->client], server));
    end_object(page);
    return true;
}

static bool put_ladder_of(struct page *page, uint32_t n)
{
    if (page->has_ladder[n])
        put_ladder(page, &page->rows[n]);
    return page->has_ladder[n];
}

/* ------------------------------------------------------------------ the whole */

static void put_head(struct page *page)
{
    char *filter = g_utf8_make_valid(page->view->filter ? page->view->filter : "", -1);

    page->json = (json_dumper){ .output_string = page->text };
    begin_object(page);
    put_text(page, "version", TCPSTATE_VERSION);
    put_text(page, "filter", tcpstate_hide_addresses && *filter ? "not shown" : filter);
    put_flag(page, "hidden", tcpstate_hide_addresses);
    put_number(page, "stuck_after", pair_stuck_after_s);
    put_number(page, "time_wait", pair_time_wait_s);
    put_number(page, "count", page->connections);
    put_number(page, "rows_max", ROWS_MAX);
    put_number(page, "ladder_max", LADDER_MAX);
    put_number(page, "expert_max", EXPERT_MAX);
    put_events(page);
    put_states(page);
    put_figure(page);
    put_timeline(page);
    end_object(page);
    json_dumper_finish(&page->json);
    g_free(filter);
    g_string_truncate(page->text, page->text->len - 2); /* its end, and that of the line: the lists come in between */
    flush(page);
}

static void put_data(struct page *page)
{
    page->has_ladder = choose_ladders(page);
    put_head(page);
    put_lines(page, "connections", put_connection);
    put_lines(page, "listed", put_listed);
    put_lines(page, "ladders", put_ladder_of);
    puts("}");
    g_free(page->has_ladder);
}

static struct row *list_connections(const struct view *view, uint32_t *count)
{
    struct row *rows = g_new(struct row, view->connections.last ? view->connections.last->number : 0);

    *count = 0;
    for (const struct incarnation *i = view->connections.first; i; i = i->next) {
        if (view_shows(view, i))
            row_fill(&rows[(*count)++], i);
    }
    qsort(rows, *count, sizeof *rows, rows_compare);
    return rows;
}

static void draw(void *data)
{
    const struct view *view = (const struct view *)data;
    struct page page = { .view = view, .limits = pair_final_limits() };
    struct row *rows = list_connections(view, &page.connections);

    page.rows = rows;
    page.listed = MIN(page.connections, (uint32_t)CONNECTIONS_MAX);
    page.hosts = hosts_new();
    page.text = g_string_new(NULL);
    fwrite(page_before_data, 1, sizeof page_before_data, stdout);
    put_data(&page);
    fwrite(page_after_data, 1, sizeof page_after_data, stdout);
    g_string_free(page.text, true);
    hosts_free(page.hosts);
    g_free(rows);
}

/* ------------------------------------------------------------------ registration */

void page_register(void)
{
    static struct view_kind kind = {
        .cli = "tcpstate,page", .title = "TCP State page", .record = sizeof(struct page_connection),
        .packet = packet, .draw = draw, .whole = true,
    };

    view_register(&kind);
}
