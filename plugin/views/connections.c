/* connections.c
 * Connections: netstat for both machines at the end of the capture. A text with tshark, -z
 * tcpstate,connections; a table that can be sorted with Wireshark. The rows are those of rows.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "views.h"

#include "numbers.h"
#include "rows.h"

#include <epan/funnel.h>
#include <epan/stat_tap_ui.h>

#define CONNECTIONS_COMMAND "tcpstate,connections"

/* ------------------------------------------------------------------ tshark's text */

/* At most 100 columns for IPv4 addresses, fewer than a million frames and 100,000 streams. */
enum { STATE_WIDTH = 12, AGE_WIDTH = 4, CLOSER_WIDTH = 10, FRAME_WIDTH = 6, STREAM_WIDTH = 5 };

/*
 * "586s", "9.8m", "2.1h", "12ms", "2.1y": an age in AGE_WIDTH columns, the unit next to the number. Rounded here, half
 * up, for C libraries differ in how printf rounds a half.
 */
static const char *short_age(char text[NUMBER_SIZE], int64_t age_ns)
{
    /* Each from where it begins: seconds as long as three digits tell them, milliseconds as long as two do. */
    static const struct { const char *name; int64_t ns, from_ns; } units[] = {
        { "y", 31557600000000000, 31557600000000000 }, { "d", 86400000000000, 86400000000000 },
        { "h", 3600000000000, 3600000000000 }, { "m", 60000000000, 999500000000 }, { "s", 1000000000, 99500000 },
        { "ms", 1000000, 0 },
    };
    unsigned n = 0;

    while (age_ns < units[n].from_ns)
        n++;
    const uint64_t unit_ns = (uint64_t)units[n].ns, tenth_ns = unit_ns / 10;
    const uint64_t tenths = ((uint64_t)age_ns + tenth_ns / 2) / tenth_ns;
    char *to = text;
    if (tenths < 100 && units[n].from_ns > 0) {
        to = number_write(to, tenths / 10);
        *to++ = '.';
        to = number_write(to, tenths % 10);
    } else {
        to = number_write(to, ((uint64_t)age_ns + unit_ns / 2) / unit_ns);
    }
    g_stpcpy(to, units[n].name);
    return text;
}

/* tcpstate.closed_by in few columns. */
static const char *short_closer(uint8_t closer)
{
    switch ((enum tcp_closer)closer) {
    case TCP_CLOSER_NONE:
        return "-";
    case TCP_CLOSER_SIMULTANEOUS:
        return "both";
    case TCP_CLOSER_RESET_BY_CLIENT:
        return "RST client";
    case TCP_CLOSER_RESET_BY_SERVER:
        return "RST server";
    case TCP_CLOSER_ICMP:
        return "ICMP";
    default:
        return tcp_closer_name(closer);
    }
}

static void print_row(const struct row *row, int client_width, int server_width)
{
    const struct final_view *final = &row->final;
    const struct final_end *client = &final->end[final->client], *server = &final->end[!final->client];
    const struct final_end *waiting = &final->end[row->waiting];
    char age[NUMBER_SIZE], frame[NUMBER_SIZE] = "-", stream[NUMBER_SIZE] = "-";

    const char *why = final_why(final); /* below the row: so wide is no terminal */

    if (waiting->since_frame)
        number_write(frame, waiting->since_frame);
    if (row->connection->has_stream)
        number_write(stream, row->connection->stream);
    printf("%u %-*s %-*s%s%*s %-*s %-*s %-*s %*s %*s\n", row->rank, STATE_WIDTH,
           tcp_state_text(client->state, client->confirmed), STATE_WIDTH,
           tcp_state_text(server->state, server->confirmed), waiting->at_least ? ">" : " ", AGE_WIDTH,
           short_age(age, waiting->age_ns), CLOSER_WIDTH, short_closer(final->closed_by), client_width, row->client,
           server_width, row->server, STREAM_WIDTH, stream, FRAME_WIDTH, frame);
    if (*why)
        printf("  why: %s\n", why);
}

/*
 * "177 of 1,860 left in CLOSE_WAIT, 2 of 1,860 left in LAST_ACK": ends left open, by state.
 *  first    stands before them
 *  of_all   behind each number
 * Returns whether there are any.
 */
static bool print_left(const uint32_t left[TCP_TIME_WAIT + 1], const char *first, const char *of_all)
{
    char number[NUMBER_SIZE];
    bool any = false;

    for (uint8_t state = 0; state <= TCP_TIME_WAIT; state++) {
        if (!left[state])
            continue;
        printf("%s%s%s in %s", any ? ", " : first, number_grouped(number, left[state]), of_all, tcp_state_name(state));
        any = true;
    }
    return any;
}

/* "177 of 1,860 left in CLOSE_WAIT at 10.0.0.5:8443; clients: 177 in FIN_WAIT_2" */
static void print_summary(const struct server_summary *s)
{
    char all[NUMBER_SIZE], of_all[NUMBER_SIZE + sizeof " of  left"];

    number_grouped(all, s->connections);
    g_stpcpy(g_stpcpy(g_stpcpy(of_all, " of "), all), " left");
    if (print_left(s->left[1], "", of_all))
        printf(" at %s", s->endpoint);
    else
        printf("none of %s left open at %s", all, s->endpoint);
    print_left(s->left[0], "; clients: ", "");
    putchar('\n');
}

static void print_summaries(const struct row *rows, uint32_t count)
{
    GArray *summaries = rows_by_server(rows, count);

    puts("\nBy server:");
    for (guint n = 0; n < summaries->len; n++)
        print_summary(&g_array_index(summaries, struct server_summary, n));
    g_array_free(summaries, true);
}

static void text_draw(void *data)
{
    int client_width = (int)sizeof "Client" - 1, server_width = (int)sizeof "Server" - 1;
    uint32_t count;
    struct row *rows = rows_of((const struct view *)data, &count);

    for (uint32_t n = 0; n < count; n++) {
        client_width = MAX(client_width, (int)strlen(rows[n].client));
        server_width = MAX(server_width, (int)strlen(rows[n].server));
    }
    if (!count) {
        printf("TCP connections at the end of the capture: 0\nNo TCP connection%s.\n",
               ((const struct view *)data)->filter ? " passes the filter" : "");
        g_free(rows);
        return;
    }
    printf("TCP connections at the end of the capture: %u\n"
           "1: left open, 2: an end waits, 3: open, 4: over; " ASSUMED_MARK ": assumed; >: older than the capture\n",
           count);
    printf("# %-*s %-*s %*s %-*s %-*s %-*s %*s %*s\n", STATE_WIDTH, "Client is", STATE_WIDTH, "Server is", AGE_WIDTH,
           "for", CLOSER_WIDTH, "Closed by", client_width, "Client", server_width, "Server", STREAM_WIDTH, "Strm",
           FRAME_WIDTH, "Since");
    for (uint32_t n = 0; n < count; n++)
        print_row(&rows[n], client_width, server_width);
    print_summaries(rows, count);
    g_free(rows);
}

static tap_packet_status text_packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                     tap_flags_t flags _U_)
{
    incarnations_note(&((struct view *)data)->connections, pinfo, (const struct tcpstate_tap *)tapped);
    return TAP_PACKET_REDRAW;
}

/* ------------------------------------------------------------------ Wireshark's table */

/*
 * Wireshark sorts by the first column, and rows that are equal there in the order of the capture. All up to the server
 * shows in a window as Wireshark opens it.
 */
static stat_tap_table_item columns[] = {
    { TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Rank", "%s" },
    { TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Client is", "%s" },
    { TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Server is", "%s" },
    { TABLE_ITEM_FLOAT, TAP_ALIGN_RIGHT, "for (s)", "%.1f" },
    { TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Closed by", "%s" },
    { TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Server", "%s" },
    { TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Client", "%s" },
    { TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "Stream", "%u" },
    { TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "Since frame", "%u" },
    { TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Reset because, or attempt failed by", "%s" },
};

/* One row of the table, with the texts that its cells point to. Wireshark frees it by its first member. */
struct cells {
    stat_tap_table_item_type cell[array_length(columns)];
    struct row row;
};

/* What the table remembers of a connection. */
struct tabled {
    struct incarnation base;
    bool filled; /* it has a row */
};

/*
 * All windows share one table. A window that was filled earlier goes on reading its rows, so that a row that
 * is not shown any more is kept for the next time.
 */
static struct incarnation_list tabled = { .record = sizeof(struct tabled) };
static GPtrArray *kept; /* struct cells; the first num_elements of them are the table's */

static void set_number(stat_tap_table_item_type *cell, double number)
{
    cell->type = TABLE_ITEM_FLOAT;
    cell->value.float_value = number;
}

static void set_count(stat_tap_table_item_type *cell, uint32_t number)
{
    cell->type = TABLE_ITEM_UINT;
    cell->value.uint_value = number;
}

static void set_text(stat_tap_table_item_type *cell, const char *text)
{
    cell->type = TABLE_ITEM_STRING;
    cell->value.string_value = text;
}

static const char *const rank_names[] = {
    [ROW_LEFT_OPEN] = "1 left open", [ROW_WAITING] = "2 waiting", [ROW_OPEN] = "3 open", [ROW_OVER] = "4 over",
};

static void fill_cells(struct cells *cells, const struct incarnation *i)
{
    struct row *row = &cells->row;

    row_fill(row, i);

    const struct final_view *final = &row->final;
    const struct final_end *client = &final->end[final->client], *server = &final->end[!final->client];
    const struct final_end *waiting = &final->end[row->waiting];
    stat_tap_table_item_type *cell = cells->cell;
    set_text(cell++, rank_names[row->rank]);
    set_text(cell++, tcp_state_text(client->state, client->confirmed));
    set_text(cell++, tcp_state_text(server->state, server->confirmed));
    set_number(cell++, (double)waiting->age_ns / 1e9);
    set_text(cell++, tcp_closer_name(final->closed_by));
    set_text(cell++, row->server);
    set_text(cell++, row->client);
    set_count(cell++, i->stream);
    set_count(cell++, waiting->since_frame);
    set_text(cell++, final_why(final));
}

static void table_clear(stat_tap_table *table)
{
    incarnations_forget(&tabled);
    table->num_elements = 0;
}

static void table_init(stat_tap_table_ui *ui)
{
    static const char name[] = "Connections";
    stat_tap_table *table = stat_tap_find_table(ui, name);

    if (!kept)
        kept = g_ptr_array_new();
    if (!table) {
        table = stat_tap_init_table(name, array_length(columns), 0, NULL);
        stat_tap_add_table(ui, table);
    }
    table_clear(table);
}

static void add_row(stat_tap_table *table, uint32_t number)
{
    const bool is_full = (number & (number - 1)) == 0; /* there is room for the next power of two */

    if (number == kept->len)
        g_ptr_array_add(kept, g_new0(struct cells, 1));
    if (is_full)
        table->elements = g_renew(stat_tap_table_item_type *, table->elements, number ? 2 * number : 1);
    table->elements[table->num_elements++] = ((struct cells *)g_ptr_array_index(kept, number))->cell;
}

/* Wireshark asks once all segments are known, so that a row is complete with its first segment. */
static tap_packet_status table_packet(void *listener, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                      tap_flags_t flags _U_)
{
    const stat_data_t *stat = (const stat_data_t *)listener;
    stat_tap_table *table = g_array_index(stat->stat_tap_data->tables, stat_tap_table *, 0);
    struct incarnation *i = incarnations_note(&tabled, pinfo, (const struct tcpstate_tap *)tapped);
    struct tabled *connection = (struct tabled *)i;

    if (connection->filled && pinfo->fd->visited)
        return TAP_PACKET_DONT_REDRAW;
    if (i->number > table->num_elements)
        add_row(table, i->number - 1);
    connection->filled = true;
    fill_cells((struct cells *)g_ptr_array_index(kept, i->number - 1), i);
    return TAP_PACKET_REDRAW;
}

/* Called for each cell before Wireshark frees the table's rows, when the last window closes. */
static void table_free_cell(stat_tap_table *table, guint row, guint column, stat_tap_table_item_type *cell _U_)
{
    if (row != 0 || column != 0)
        return;
    for (guint n = table->num_elements; n < kept->len; n++)
        g_free(g_ptr_array_index(kept, n));
    g_ptr_array_set_size(kept, 0);
}

/* ------------------------------------------------------------------ registration */

/* Both answer the same command. tshark knows no windows. */
static bool has_windows(void)
{
    const funnel_ops_t *ops = funnel_get_funnel_ops();

    return ops && ops->new_dialog;
}

void connections_register(void)
{
    static tap_param parameters[] = { { PARAM_FILTER, "filter", "Filter", NULL, true } };
    static stat_tap_table_ui table = {
        .group = REGISTER_PACKET_STAT_GROUP_UNSORTED, .title = "TCP State Connections", .tap_name = "tcpstate",
        .cli_string = CONNECTIONS_COMMAND, .stat_tap_init_cb = table_init, .packet_func = table_packet,
        .stat_tap_reset_table_cb = table_clear, .stat_tap_free_table_item_cb = table_free_cell,
        .nfields = array_length(columns), .fields = columns, .nparams = array_length(parameters),
        .params = parameters,
    };
    static struct view_kind text = {
        .cli = CONNECTIONS_COMMAND, .title = "TCP State connections", .record = sizeof(struct incarnation),
        .packet = text_packet, .draw = text_draw, .whole = true,
    };

    if (has_windows())
        register_stat_tap_table_ui(&table);
    else
        view_register(&text);
}
