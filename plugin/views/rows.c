/* rows.c
 * What the tables of connections show of each: how it stands at the end of the capture.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "rows.h"

static bool is_over(uint8_t state)
{
    return state == TCP_CLOSED || state == TCP_LISTEN || state == TCP_TIME_WAIT;
}

/* An ESTABLISHED end whose peer is gone waits in vain: half-open. */
static bool is_waiting(uint8_t state, uint8_t peer)
{
    return !is_over(state) && (state != TCP_ESTABLISHED || is_over(peer));
}

static enum row_rank rank_of(const struct final_view *final, bool any_waits)
{
    if (final->superseded)
        return ROW_OVER;
    if (final->left_open)
        return ROW_LEFT_OPEN;
    return any_waits ? ROW_WAITING : is_over(final->end[0].state) ? ROW_OVER : ROW_OPEN;
}

void row_fill(struct row *row, const struct incarnation *i)
{
    const struct final_limits limits = pair_final_limits();
    struct final_view *final = &row->final;

    row->connection = i;
    final_of(i->log, i->opening, &limits, final);
    endpoint_name(&i->address[final->client], i->port[final->client], row->client);
    endpoint_name(&i->address[!final->client], i->port[!final->client], row->server);

    const struct final_end *end = final->end;
    const bool waits[2] = { is_waiting(end[0].state, end[1].state), is_waiting(end[1].state, end[0].state) };
    row->rank = rank_of(final, waits[0] || waits[1]);
    row->waiting = waits[0] != waits[1] ? waits[1] : end[1].age_ns > end[0].age_ns;
}

static int rows_compare(const void *a, const void *b)
{
    const struct row *x = (const struct row *)a, *y = (const struct row *)b;
    const int64_t x_ns = x->final.end[x->waiting].age_ns, y_ns = y->final.end[y->waiting].age_ns;

    if (x->rank != y->rank)
        return (int)x->rank - (int)y->rank;
    if (x_ns != y_ns)
        return x_ns < y_ns ? 1 : -1;
    return x->connection->number < y->connection->number ? -1 : 1;
}

struct row *rows_of(const struct view *view, uint32_t *count)
{
    const struct incarnation_list *all = &view->connections;
    struct row *rows = g_new(struct row, all->last ? all->last->number : 0);

    *count = 0;
    for (const struct incarnation *i = all->first; i; i = i->next) {
        if (view_shows(view, i))
            row_fill(&rows[(*count)++], i);
    }
    if (*count)
        qsort(rows, *count, sizeof *rows, rows_compare);
    return rows;
}

static int summaries_compare(const void *a, const void *b)
{
    const struct server_summary *x = (const struct server_summary *)a, *y = (const struct server_summary *)b;

    if (x->all_left != y->all_left)
        return x->all_left < y->all_left ? 1 : -1;
    if (x->connections != y->connections)
        return x->connections < y->connections ? 1 : -1;
    return strcmp(x->endpoint, y->endpoint);
}

GArray *rows_by_server(const struct row *rows, uint32_t count)
{
    GArray *summaries = g_array_new(false, true, sizeof(struct server_summary));
    GHashTable *index = g_hash_table_new(g_str_hash, g_str_equal); /* by endpoint, from 1 */

    for (uint32_t n = 0; n < count; n++) {
        const struct row *row = &rows[n];
        unsigned at = GPOINTER_TO_UINT(g_hash_table_lookup(index, row->server));
        if (at == 0) {
            const struct server_summary new = { .endpoint = row->server };
            g_array_append_val(summaries, new);
            at = summaries->len;
            g_hash_table_insert(index, (gpointer)row->server, GUINT_TO_POINTER(at));
        }
        struct server_summary *s = &g_array_index(summaries, struct server_summary, at - 1);
        s->connections++;
        s->all_left += row->final.left_open;
        for (unsigned i = 0; i < 2; i++) {
            const struct final_end *end = &row->final.end[i];
            s->left[i != row->final.client][end->state] += end->left_open;
        }
    }
    g_hash_table_destroy(index);
    g_array_sort(summaries, summaries_compare);
    return summaries;
}
