/* connections.c
 * Connections: netstat for both machines at the end of the capture. A text with tshark, -z
 * tcpstate,connections; a table that can be sorted with Wireshark. The rows are those of final.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "views.h"

#include "final.h"

#include <epan/funnel.h>
#include <epan/stat_tap_ui.h>

#define CONNECTIONS_COMMAND "tcpstate,connections"

/* ------------------------------------------------------------------ tshark's text */

static void print_end(const struct final_end *end, int width)
{
    const int64_t ms = end->time_ns / 1000000;

    printf("%-*s  %-12s %s%8" PRId64 ".%03d  ", width, end->endpoint, end->state, end->at_least ? ">" : " ",
           ms / 1000, (int)(ms % 1000));
}

static void print_row(const struct final_states *row, int width)
{
    print_end(&row->client, width);
    print_end(&row->server, width);
    printf("%s\n", *row->closed_by ? row->closed_by : "-");
}

static void text_draw(void *data)
{
    const struct incarnation_list *connections = &((const struct view *)data)->connections;
    const uint32_t count = connections->last ? connections->last->number : 0;
    struct final_states *rows = g_new(struct final_states, count), *row = rows;
    int width = (int)sizeof "255.255.255.255:65535" - 1;

    for (const struct incarnation *i = connections->first; i; i = i->next, row++) {
        final_states_of(i, row);
        width = MAX(width, (int)strlen(row->client.endpoint));
        width = MAX(width, (int)strlen(row->server.endpoint));
    }
    if (count)
        qsort(rows, count, sizeof *rows, final_states_compare);
    printf("TCP connections at the end of the capture: %u, stuck longest first "
           "(" ASSUMED_MARK ": assumed, >: older than the capture)\n", count);
    printf("%-*s  %-12s %13s  %-*s  %-12s %13s  %s\n", width, "Client", "is", "for (s)", width, "Server", "is",
           "for (s)", "Closed by");
    for (uint32_t n = 0; n < count; n++)
        print_row(&rows[n], width);
    g_free(rows);
}

static tap_packet_status text_packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                     tap_flags_t flags _U_)
{
    incarnations_note(&((struct view *)data)->connections, pinfo, (const struct tcpstate_tap *)tapped);
    return TAP_PACKET_REDRAW;
}

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
    struct final_states row;
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

static void fill_row(struct cells *cells, const struct incarnation *i)
{
    const struct final_states *row = &cells->row;

    final_states_of(i, &cells->row);
    set_number(&cells->cell[0], row->stage == FINAL_STUCK ? -row->waiting_ns : 0);
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
    fill_row((struct cells *)g_ptr_array_index(kept, i->number - 1), i);
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
        .packet = text_packet, .draw = text_draw,
    };

    if (has_windows())
        register_stat_tap_table_ui(&table);
    else
        view_register(&text);
}
