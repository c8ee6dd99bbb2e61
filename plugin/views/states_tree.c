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
#include "views.h"

#include "names.h"

#include <epan/stats_tree.h>

#define NODE_NAME_SIZE 32 /* "ESTABLISHED -> CLOSE_WAIT" */

enum { CLIENT, SERVER };

static const char *const present_name[] = {
    "Connections by state of the client", "Connections by state of the server"
};
static const char transitions_name[] = "Transitions";
static const char stays_name[] = "Time in states that were left (ms)";
static const char left_open_name[] = "Left open, by server";

/* Where a connection is counted. */
struct counted {
    struct incarnation base;
    bool is_counted;
    uint8_t state[2]; /* enum tcp_state, by role */
};

/* What goes with one of Wireshark's trees, while it lives. */
struct states_tree {
    int present[2], left_open, transitions, stays; /* numbers of its upper nodes */
    struct incarnation_list connections;    /* struct counted */
};

static GHashTable *trees; /* struct states_tree, by stats_tree */

static void states_tree_free(void *tree)
{
    incarnations_forget(&((struct states_tree *)tree)->connections);
    g_free(tree);
}

static void create_present(stats_tree *st, struct states_tree *tree, unsigned role)
{
    tree->present[role] = stats_tree_create_node(st, present_name[role], 0, STAT_DT_INT, true);
    stat_node_set_flags(st, present_name[role], 0, true, ST_FLG_SORT_TOP);
}

static void states_tree_init(stats_tree *st)
{
    struct states_tree *tree = g_new0(struct states_tree, 1);

    tree->connections.record = sizeof(struct counted);
    create_present(st, tree, CLIENT);
    create_present(st, tree, SERVER);
    tree->left_open = stats_tree_create_node(st, left_open_name, 0, STAT_DT_INT, true);
    stat_node_set_flags(st, left_open_name, 0, true, ST_FLG_SORT_TOP);
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

static void count_present(stats_tree *st, const struct states_tree *tree, struct counted *c,
                          const struct log_view *shown)
{
    const uint8_t now[2] = { shown->end[shown->client].state, shown->end[!shown->client].state };

    if (c->is_counted && now[CLIENT] == c->state[CLIENT] && now[SERVER] == c->state[SERVER])
        return;
    for (unsigned role = CLIENT; role <= SERVER; role++) {
        if (c->is_counted)
            increase_stat_node(st, tcp_state_name(c->state[role]), tree->present[role], false, -1);
        else
            tick_stat_node(st, present_name[role], 0, true);
        increase_stat_node(st, tcp_state_name(now[role]), tree->present[role], false, 1);
        c->state[role] = now[role];
    }
    c->is_counted = true;
}

/* Ends left open, once the capture was read: "10.0.0.5:8443 in CLOSE_WAIT", "clients of 10.0.0.5:8443 in CLOSING". */
static void count_left_open(stats_tree *st, const struct states_tree *tree, const struct incarnation *i)
{
    const struct final_limits limits = pair_final_limits();
    struct final_view final;
    char server[ENDPOINT_NAME_SIZE];

    final_of(i->log, i->opening, &limits, &final);
    if (!final.left_open)
        return;
    tick_stat_node(st, left_open_name, 0, true);
    endpoint_name(&i->address[!final.client], i->port[!final.client], server);
    for (unsigned end = 0; end < 2; end++) {
        if (!final.end[end].left_open)
            continue;
        char *name = g_strdup_printf("%s%s in %s", end == final.client ? "clients of " : "", server,
                                     tcp_state_name(final.end[end].state));
        tick_stat_node(st, name, tree->left_open, false);
        g_free(name);
    }
}

static void count_step(stats_tree *st, const struct states_tree *tree, const struct log_step *step)
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

static tap_packet_status states_tree_packet(stats_tree *st, packet_info *pinfo, epan_dissect_t *edt _U_,
                                            const void *data, tap_flags_t flags _U_)
{
    const struct tcpstate_tap *tap = (const struct tcpstate_tap *)data;
    struct states_tree *tree = (struct states_tree *)g_hash_table_lookup(trees, st);
    struct incarnation *i = incarnations_note(&tree->connections, pinfo, tap);
    struct log_step step;

    if (!((struct counted *)i)->is_counted && pinfo->fd->visited)
        count_left_open(st, tree, i);
    count_present(st, tree, (struct counted *)i, &tap->view.shown);
    for (uint32_t n = 0; n < tap->view.shown.count; n++) {
        if (log_step(&tap->view.shown, n, &step))
            count_step(st, tree, &step);
    }
    return TAP_PACKET_REDRAW;
}

void states_tree_register(void)
{
    stats_tree_register_plugin("tcpstate", "tcpstate", "TCP State" WS_MENU_SEPARATOR "States", 0, states_tree_packet,
                               states_tree_init, states_tree_cleanup);
}
