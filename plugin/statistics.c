/* statistics.c
 * Connections: netstat for both machines at the end of the capture. A text with tshark, -z
 * tcpstate,connections; a table that can be sorted with Wireshark. The rows are those of seen.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "statistics.h"

#include "seen.h"

#include <epan/funnel.h>
#include <epan/stat_tap_ui.h>
#include <wsutil/report_message.h>

#define CONNECTIONS_COMMAND "tcpstate,connections"

/* ------------------------------------------------------------------ tshark's text */

static void print_end(const struct seen_end *end, int width)
{
    const int64_t ms = end->time_ns / 1000000;

    printf("%-*s  %-12s %s%8" PRId64 ".%03d  ", width, end->endpoint, end->state, end->at_least ? ">" : " ",
           ms / 1000, (int)(ms % 1000));
}

static void print_row(const struct seen_row *row, int width)
{
    print_end(&row->client, width);
    print_end(&row->server, width);
    printf("%s\n", *row->closed_by ? row->closed_by : "-");
}

static void connections_print(void *listener)
{
    const struct seen *seen = (const struct seen *)listener;
    const uint32_t count = seen_count(seen);
    struct seen_row *rows = g_new(struct seen_row, count);
    int width = (int)sizeof "255.255.255.255:65535" - 1;

    for (uint32_t n = 0; n < count; n++) {
        seen_row(seen, n, &rows[n]);
        width = MAX(width, (int)strlen(rows[n].client.endpoint));
        width = MAX(width, (int)strlen(rows[n].server.endpoint));
    }
    if (count)
        qsort(rows, count, sizeof *rows, seen_row_compare);
    printf("TCP connections at the end of the capture: %u, stuck longest first "
           "(?: assumed, >: older than the capture)\n", count);
    printf("%-*s  %-12s %13s  %-*s  %-12s %13s  %s\n", width, "Client", "is", "for (s)", width, "Server", "is",
           "for (s)", "Closed by");
    for (uint32_t n = 0; n < count; n++)
        print_row(&rows[n], width);
    g_free(rows);
}

static tap_packet_status connections_packet(void *listener, packet_info *pinfo _U_, epan_dissect_t *edt _U_,
                                            const void *said, tap_flags_t flags _U_)
{
    bool moved;

    seen_note((struct seen *)listener, (const struct tcpstate_tap *)said, &moved);
    return TAP_PACKET_REDRAW;
}

static void connections_reset(void *listener)
{
    seen_forget_all((struct seen *)listener);
}

static bool connections_start(const char *argument, void *unused _U_)
{
    const char *filter = argument + strlen(CONNECTIONS_COMMAND);
    GString *error;

    if (*filter && *filter != ',') {
        report_failure("Couldn't register " CONNECTIONS_COMMAND " tap: a filter comes after a comma");
        return false;
    }
    error = register_tap_listener("tcpstate", seen_new(), *filter ? filter + 1 : NULL, TL_REQUIRES_NOTHING,
                                  connections_reset, connections_packet, connections_print, NULL);
    if (error)
        report_failure("Couldn't register " CONNECTIONS_COMMAND " tap: %s", error->str);
    return !error;
}

WS_STAT_TAP_INIT(connections_init, connections_start)

/* ------------------------------------------------------------------ Wireshark's table */

/* Wireshark sorts by the first column. */
static stat_tap_table_item columns[] = {
    { TABLE_ITEM_FLOAT, TAP_ALIGN_RIGHT, "Stuck since (s before the end)", "%.3f" },
    { TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Client", "%s" },
    { TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "is", "%s" },
    { TABLE_ITEM_FLOAT, TAP_ALIGN_RIGHT, "for (s)", "%.3f" },
    { TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Server", "%s" },
    { TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "is", "%s" },
    { TABLE_ITEM_FLOAT, TAP_ALIGN_RIGHT, "for (s)", "%.3f" },
    { TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Closed by", "%s" },
};

/* One row of the table, with the texts that its cells point to. Wireshark frees it by its first member. */
struct cells {
    stat_tap_table_item_type cell[array_length(columns)];
    struct seen_row row;
};

/*
 * All windows share one table. A window that was filled earlier goes on reading its rows, so that a row that
 * is not shown any more is kept for the next time.
 */
static struct seen *tabled;
static GPtrArray *kept; /* struct cells; the first num_elements of them are the table's */

static void set_number(stat_tap_table_item_type *cell, int64_t time_ns)
{
    cell->type = TABLE_ITEM_FLOAT;
    cell->value.float_value = (double)time_ns / 1e9;
}

static void set_text(stat_tap_table_item_type *cell, const char *text)
{
    cell->type = TABLE_ITEM_STRING;
    cell->value.string_value = text;
}

static void fill_row(struct cells *cells, uint32_t number)
{
    const struct seen_row *row = &cells->row;

    seen_row(tabled, number, &cells->row);
    set_number(&cells->cell[0], row->stage == SEEN_STUCK ? -row->waiting_ns : 0);
    set_text(&cells->cell[1], row->client.endpoint);
    set_text(&cells->cell[2], row->client.state);
    set_number(&cells->cell[3], row->client.time_ns);
    set_text(&cells->cell[4], row->server.endpoint);
    set_text(&cells->cell[5], row->server.state);
    set_number(&cells->cell[6], row->server.time_ns);
    set_text(&cells->cell[7], row->closed_by);
}

static void table_clear(stat_tap_table *table)
{
    seen_forget_all(tabled);
    table->num_elements = 0;
}

static void table_init(stat_tap_table_ui *ui)
{
    static const char name[] = "Connections";
    stat_tap_table *table = stat_tap_find_table(ui, name);

    if (!tabled) {
        tabled = seen_new();
        kept = g_ptr_array_new();
    }
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

/* Wireshark asks once all segments are known, so that a row is complete with the first segment of its log. */
static tap_packet_status table_packet(void *listener, packet_info *pinfo, epan_dissect_t *edt _U_, const void *said,
                                      tap_flags_t flags _U_)
{
    const stat_data_t *stat = (const stat_data_t *)listener;
    stat_tap_table *table = g_array_index(stat->stat_tap_data->tables, stat_tap_table *, 0);
    bool moved;
    const uint32_t number = seen_note(tabled, (const struct tcpstate_tap *)said, &moved);

    if (!moved && pinfo->fd->visited)
        return TAP_PACKET_DONT_REDRAW;
    if (number == table->num_elements)
        add_row(table, number);
    fill_row((struct cells *)g_ptr_array_index(kept, number), number);
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

void statistics_register(void)
{
    static tap_param parameters[] = { { PARAM_FILTER, "filter", "Filter", NULL, true } };
    static stat_tap_table_ui table = {
        .group = REGISTER_PACKET_STAT_GROUP_UNSORTED, .title = "TCP State Connections", .tap_name = "tcpstate",
        .cli_string = CONNECTIONS_COMMAND, .stat_tap_init_cb = table_init, .packet_func = table_packet,
        .stat_tap_reset_table_cb = table_clear, .stat_tap_free_table_item_cb = table_free_cell,
        .nfields = array_length(columns), .fields = columns, .nparams = array_length(parameters),
        .params = parameters,
    };
    static stat_tap_ui text = {
        .group = REGISTER_PACKET_STAT_GROUP_UNSORTED, .cli_string = CONNECTIONS_COMMAND,
        .tap_init_cb = connections_init, .nparams = array_length(parameters), .params = parameters,
    };

    if (has_windows())
        register_stat_tap_table_ui(&table);
    else
        register_stat_tap_ui(&text, NULL);
}
