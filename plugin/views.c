/* views.c
 * What the views that tshark's -z prints have in common: their start, and connections.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "views.h"

#include "names.h"

#include <inttypes.h>
#include <stdio.h>

#include <epan/to_str.h>
#include <wsutil/report_message.h>

/* ------------------------------------------------------------------ start */

static void reset(void *data)
{
    struct view *view = (struct view *)data;

    if (view->kind->forget)
        view->kind->forget(view);
    wmem_free_all(view->pool);
    view->pairs = wmem_map_new(view->pool, g_direct_hash, g_direct_equal);
    view->first = view->last = NULL;
}

/* Histories, and all else of the capture file, go: nothing may be drawn of them any more. */
static ws_bool close_file(wmem_allocator_t *scope _U_, wmem_cb_event_t event, void *data)
{
    struct view *view = (struct view *)data;

    reset(view);
    if (event == WMEM_CB_DESTROY_EVENT)
        view->on_close = 0;
    return true;
}

static void finish(void *data)
{
    struct view *view = (struct view *)data;

    if (view->on_close)
        wmem_unregister_callback(wmem_file_scope(), view->on_close);
    if (view->kind->forget)
        view->kind->forget(view);
    wmem_destroy_allocator(view->pool);
    g_free(view->filter);
    g_free(view);
}

/* argument is the whole of "tcpstate,ladder[,filter]". Returns false, after a message, if it is wrong. */
static bool start(const char *argument, void *data)
{
    const struct view_kind *kind = (const struct view_kind *)data;
    struct view *view = g_new0(struct view, 1);
    const char *rest = argument + strlen(kind->cli);

    view->kind = kind;
    view->pool = wmem_allocator_new(WMEM_ALLOCATOR_BLOCK);
    if (*rest && *rest != ',') {
        report_failure("invalid \"-z %s[,filter]\" argument", kind->cli);
        finish(view);
        return false;
    }
    if (*rest && rest[1])
        view->filter = g_strdup(rest + 1);
    reset(view);
    GString *error = register_tap_listener("tcpstate", view, view->filter, TL_REQUIRES_NOTHING, reset, kind->packet,
                                           kind->draw, finish);
    if (error) {
        report_failure("Couldn't register %s tap: %s", kind->cli, error->str);
        g_string_free(error, true);
        finish(view);
        return false;
    }
    view->on_close = wmem_register_callback(wmem_file_scope(), close_file, view);
    return true;
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

/* ------------------------------------------------------------------ connections */

/* What is remembered of a pair of sockets: its present incarnation, and how far its history was read. */
struct sockets {
    struct view_connection *connection;
    const struct history *history;
    uint32_t read; /* entries of it */
};

/*
 * Reads the entries that the pair's history has got since it was last looked at, up to the segment's own.
 * Returns the latest that began an incarnation, or NULL.
 */
static const struct history_entry *read_on(struct sockets *pair, const struct history_view *shown)
{
    const struct history_entry *opened = NULL;

    if (pair->history != shown->history) {
        pair->history = shown->history;
        pair->read = 0;
    }
    for (; pair->read < shown->first + shown->count; pair->read++) {
        if (pair->history->entry[pair->read].opened)
            opened = &pair->history->entry[pair->read];
    }
    return opened;
}

static struct view_connection *connection_new(struct view *view, const packet_info *pinfo,
                                              const struct tcpstate_tap *segment, int64_t start_ns)
{
    struct view_connection *c = (struct view_connection *)wmem_alloc0(view->pool, view->kind->record);
    const unsigned src = segment->view.src;

    c->number = view->last ? view->last->number + 1 : 1;
    c->start_ns = start_ns;
    c->first_frame = pinfo->num;
    copy_address_wmem(view->pool, &c->address[src], &segment->src);
    copy_address_wmem(view->pool, &c->address[!src], &segment->dst);
    c->port[src] = segment->srcport;
    c->port[!src] = segment->destport;
    if (view->last)
        view->last->next = c;
    else
        view->first = c;
    view->last = c;
    return c;
}

/*
 * The SYN with which an end goes on trying, as in RFC 9293 figure 9, line 7: it opens a new incarnation, for
 * its peer has ended the old one meanwhile, and yet it is one story.
 */
static bool tries_again(const struct view_connection *c, const struct tcpstate_tap *segment)
{
    const unsigned src = segment->view.src;

    return (segment->seg.flags & TCP_SYN) && c->has_syn[src] && c->syn[src] == segment->seg.seq
        && segment->view.shown.end[src].previous == TCP_SYN_SENT;
}

struct view_connection *view_connection_of(struct view *view, const packet_info *pinfo,
                                           const struct tcpstate_tap *segment)
{
    const struct history_view *shown = &segment->view.shown;
    const void *key = GUINT_TO_POINTER(segment->view.pair + 1);
    struct sockets *pair = (struct sockets *)wmem_map_lookup(view->pairs, key);

    if (!pair) {
        pair = wmem_new0(view->pool, struct sockets);
        wmem_map_insert(view->pairs, key, pair);
    }
    const struct history_entry *opened = read_on(pair, shown);
    if (!pair->connection || (opened && !tries_again(pair->connection, segment)))
        pair->connection = connection_new(view, pinfo, segment,
                                          opened ? opened->time_ns : shown->history->entry[0].time_ns);
    struct view_connection *c = pair->connection;
    if (segment->seg.flags & TCP_SYN) {
        c->has_syn[segment->view.src] = true;
        c->syn[segment->view.src] = segment->seg.seq;
    }
    c->last_frame = pinfo->num;
    c->client = shown->client;
    c->closed_by = shown->closed_by;
    c->midstream = shown->midstream;
    return c;
}

/* ------------------------------------------------------------------ texts */

char *view_socket(wmem_allocator_t *pool, const struct view_connection *c, unsigned end)
{
    char *host = address_to_str(pool, &c->address[end]);
    const bool brackets = c->address[end].type == AT_IPv6;
    char *text = wmem_strdup_printf(pool, "%s%s%s:%u", brackets ? "[" : "", host, brackets ? "]" : "", c->port[end]);

    wmem_free(pool, host);
    return text;
}

int64_t view_elapsed_ns(const struct view_connection *c, int64_t time_ns)
{
    return time_ns < c->start_ns ? -history_elapsed_ns(time_ns, c->start_ns) : history_elapsed_ns(c->start_ns, time_ns);
}

char *view_number(char *to, uint64_t number)
{
    char digits[VIEW_NUMBER], *from = digits + sizeof digits;

    *--from = '\0';
    do
        *--from = (char)('0' + number % 10);
    while (number /= 10);
    return g_stpcpy(to, from);
}

const char *view_seconds(char *text, int64_t time_ns)
{
    const int64_t us = time_ns / 1000, magnitude = us < 0 ? -us : us;
    char *to = text;

    if (us < 0)
        *to++ = '-';
    to = view_number(to, (uint64_t)magnitude / 1000000);
    view_number(to, 1000000 + (uint64_t)magnitude % 1000000);
    *to = '.'; /* in place of the 1 that held the zeros */
    return text;
}

const char *view_count(char *text, uint64_t number)
{
    char digits[VIEW_NUMBER], *to = text;
    const int count = (int)(view_number(digits, number) - digits);

    for (int i = 0; i < count; i++) {
        *to++ = digits[i];
        if (i + 1 < count && (count - 1 - i) % 3 == 0)
            *to++ = ',';
    }
    *to = '\0';
    return text;
}

const char *view_state(char *text, uint8_t state, bool assumed)
{
    g_strlcpy(text, tcp_state_name(state), VIEW_STATE - 1);
    return assumed ? strcat(text, "?") : text;
}

const char *view_flags(char *text, uint8_t flags)
{
    static const char *const names[] = { "FIN", "SYN", "RST", "PSH", "ACK", "URG" };
    char *to = text;

    *to = '\0';
    for (unsigned bit = 0; bit < G_N_ELEMENTS(names); bit++) {
        if (flags >> bit & 1)
            to = g_stpcpy(to == text ? to : g_stpcpy(to, ","), names[bit]);
    }
    return text;
}
