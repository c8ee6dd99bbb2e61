/* states_tree.c
 * Statistics > TCP State > States, and -z tcpstate,tree: connections by the present state of each end,
 * transitions, and time spent per state.
 *
 * A tree's numbers are only added to, as segments come; Wireshark says nothing when the last has come. So a
 * connection is moved from one state's number to the next: each tree remembers where it counted it last.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "statistics.h"

#include "names.h"
#include "packet-tcpstate.h"

#include <epan/stats_tree.h>

#define NODE_NAME_SIZE 32 /* "ESTABLISHED -> CLOSE_WAIT" */

enum { CLIENT, SERVER };

static const char *const present_name[] = {
    "Connections by state of the client", "Connections by state of the server"
};
static const char transitions_name[] = "Transitions";
static const char stays_name[] = "Time in states that were left (ms)";

/* What goes with one of Wireshark's trees, while it lives. */
struct states_tree {
    int present[2], transitions, stays; /* numbers of its upper nodes */
    GHashTable *counted;                /* by number of the pair: an as_counted() */
};

static GHashTable *trees; /* struct states_tree, by stats_tree */

static void *as_counted(uint8_t client, uint8_t server)
{
    return GUINT_TO_POINTER(0x100u | (unsigned)server << 4 | client); /* never NULL */
}

static uint8_t counted_state(const void *counted, unsigned role)
{
    return (uint8_t)(GPOINTER_TO_UINT(counted) >> 4 * role & 0xf);
}

static void states_tree_free(void *tree)
{
    g_hash_table_destroy(((struct states_tree *)tree)->counted);
    g_free(tree);
}

static void create_present(stats_tree *st, struct states_tree *tree, unsigned role)
{
    tree->present[role] = stats_tree_create_node(st, present_name[role], 0, STAT_DT_INT, true);
    for (unsigned state = TCP_CLOSED; state <= TCP_TIME_WAIT; state++)
        increase_stat_node(st, tcp_state_name((uint8_t)state), tree->present[role], false, 0);
}

static void states_tree_init(stats_tree *st)
{
    struct states_tree *tree = g_new0(struct states_tree, 1);

    tree->counted = g_hash_table_new(g_direct_hash, g_direct_equal);
    create_present(st, tree, CLIENT);
    create_present(st, tree, SERVER);
    tree->transitions = stats_tree_create_node(st, transitions_name, 0, STAT_DT_INT, true);
    tree->stays = stats_tree_create_node(st, stays_name, 0, STAT_DT_FLOAT, true);
    if (!trees)
        trees = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, states_tree_free);
    g_hash_table_replace(trees, st, tree); /* a tree that begins again is given back too */
}

static void states_tree_cleanup(stats_tree *st)
{
    if (trees)
        g_hash_table_remove(trees, st);
}

static void count_present(stats_tree *st, const struct states_tree *tree, const struct connection_view *view)
{
    const struct history_view *shown = &view->shown;
    const uint8_t now[2] = { shown->end[shown->client].state, shown->end[!shown->client].state };
    void *const key = GUINT_TO_POINTER(view->pair), *const counted = as_counted(now[CLIENT], now[SERVER]);
    const void *before = g_hash_table_lookup(tree->counted, key);

    if (before == counted && !shown->opened)
        return;
    g_hash_table_insert(tree->counted, key, counted);
    if (shown->opened) /* the incarnation before stays counted as it was */
        before = NULL;
    for (unsigned role = CLIENT; role <= SERVER; role++) {
        if (before)
            increase_stat_node(st, tcp_state_name(counted_state(before, role)), tree->present[role], false, -1);
        else
            tick_stat_node(st, present_name[role], 0, true);
        increase_stat_node(st, tcp_state_name(now[role]), tree->present[role], false, 1);
    }
}

static void count_step(stats_tree *st, const struct states_tree *tree, const struct history_step *step)
{
    char arc[NODE_NAME_SIZE];

    snprintf(arc, sizeof arc, "%s -> %s", tcp_state_name(step->left), tcp_state_name(step->entered));
    tick_stat_node(st, transitions_name, 0, true);
    tick_stat_node(st, arc, tree->transitions, false);
    if (step->has_dwell) {
        const float dwell_ms = (float)((double)step->dwell_ns / 1e6);
        avg_stat_node_add_value_float(st, stays_name, 0, true, dwell_ms);
        avg_stat_node_add_value_float(st, tcp_state_name(step->left), tree->stays, false, dwell_ms);
    }
}

static tap_packet_status states_tree_packet(stats_tree *st, packet_info *pinfo _U_, epan_dissect_t *edt _U_,
                                            const void *data, tap_flags_t flags _U_)
{
    const struct tcpstate_tap *said = (const struct tcpstate_tap *)data;
    const struct states_tree *tree = (const struct states_tree *)g_hash_table_lookup(trees, st);
    struct history_step step;

    count_present(st, tree, &said->view);
    for (uint32_t n = 0; n < said->view.shown.count; n++) {
        if (history_step(&said->view.shown, n, &step))
            count_step(st, tree, &step);
    }
    return TAP_PACKET_REDRAW;
}

void states_tree_register(void)
{
    stats_tree_register_plugin("tcpstate", "tcpstate", "TCP State" WS_MENU_SEPARATOR "States", 0, states_tree_packet,
                               states_tree_init, states_tree_cleanup);
}
