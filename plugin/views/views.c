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
    struct view *view = (struct view *)data; /* its chooser has nothing to finish */

    reset(view);
    g_free(view->filter);
    g_free(view);
}

/* The connection of a segment that passes the filter is shown, whole. */
static tap_packet_status choose(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                tap_flags_t flags _U_)
{
    struct view *view = ((struct chooser *)data)->view;

    incarnations_note(&view->connections, pinfo, (const struct tcpstate_tap *)tapped)->chosen = true;
    return TAP_PACKET_DONT_REDRAW;
}

/* Returns an error, as register_tap_listener, or NULL. */
static GString *listen(struct view *view)
{
    const struct view_kind *kind = view->kind;
    const char *filter = kind->whole ? NULL : view->filter;
    GString *error = NULL;

    if (kind->whole && view->filter) {
        error = register_tap_listener("tcpstate", &view->chooser, view->filter, TL_REQUIRES_NOTHING, NULL, choose,
                                      NULL, NULL);
        if (!error)
            view->chooser.view = view;
    }
    return error ? error : register_tap_listener("tcpstate", view, filter, TL_REQUIRES_NOTHING, reset, kind->packet,
                                                 kind->draw, finish);
}

/*
 * Takes a number of seconds from the start of a text, if one stands there alone or before a comma. No display filter
 * begins with a number. Returns what follows, or NULL, after a message, if the number is none of seconds.
 */
static const char *take_interval(const char *text, struct view *view)
{
    char *end;
    const double s = g_ascii_strtod(text, &end);

    if (end == text || (*end && *end != ','))
        return text;
    if (!(s >= 1e-6 && s <= 1e9)) {
        report_failure("invalid \"-z %s\" argument: the interval must be from 0.000001 to 1000000000 seconds",
                       view->kind->cli);
        return NULL;
    }
    view->interval_ns = (int64_t)(s * 1e9 + 0.5);
    return *end ? end + 1 : end;
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
    rest += *rest == ',';
    if (kind->has_interval && !(rest = take_interval(rest, view))) {
        g_free(view);
        return false;
    }
    if (*rest)
        view->filter = g_strdup(rest);
    GString *error = listen(view);
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
    json_register();
    timeline_register();
    page_register();
}
