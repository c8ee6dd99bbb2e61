/* views.c
 * The start of all views that tshark's -z prints.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "views.h"

#include <wsutil/report_message.h>

static void reset(void *data)
{
    incarnations_forget(&((struct view *)data)->connections);
}

static void finish(void *data)
{
    struct view *view = (struct view *)data;

    reset(view);
    g_free(view->filter);
    g_free(view);
}

/* argument is the whole of "tcpstate,ladder[,filter]". Returns false, after a message, if it is wrong. */
static bool start(const char *argument, void *data)
{
    const struct view_kind *kind = (const struct view_kind *)data;
    const char *rest = argument + strlen(kind->cli);

    if (*rest && *rest != ',') {
        report_failure("invalid \"-z %s[,filter]\" argument to the %s tap: a filter comes after a comma",
                       kind->cli, kind->cli);
        return false;
    }
    struct view *view = g_new0(struct view, 1);
    view->kind = kind;
    view->connections.record = kind->record;
    if (*rest && rest[1])
        view->filter = g_strdup(rest + 1);
    GString *error = register_tap_listener("tcpstate", view, view->filter, TL_REQUIRES_NOTHING, reset, kind->packet,
                                           kind->draw, finish);
    if (error) {
        report_failure("Couldn't register %s tap: %s", kind->cli, error->str);
        g_string_free(error, true);
        finish(view);
    }
    return !error;
}
WS_STAT_TAP_INIT(init, start)

void view_register(struct view_kind *kind)
{
    kind->ui.group = REGISTER_STAT_GROUP_GENERIC;
    kind->ui.title = kind->title;
    kind->ui.cli_string = kind->cli;
    kind->ui.tap_init_cb = init;
    register_stat_tap_ui(&kind->ui, kind);
}

void views_register(int proto)
{
    connections_register();
    states_tree_register();
    ladder_register();
    flow_graph_register(proto);
    diagram_register();
}
