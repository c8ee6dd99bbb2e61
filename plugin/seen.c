/* seen.c
 * The connections that a listener of the tap was told of, and how each stands at the end.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "seen.h"

/* One incarnation of a pair of sockets. */
struct incarnation {
    const struct history *history; /* of its latest segment seen; the file's */
    uint32_t first;                /* index of the entry in it with which the incarnation began */
    address addr[2];               /* by index of end */
    uint16_t port[2];
};

/* Where the latest segment of a pair of sockets stood. */
struct sockets {
    const struct history *history;
    uint32_t opening; /* index of the first entry of the present incarnation */
    uint32_t next;    /* index of the entry after those that were looked at */
    uint32_t number;  /* of the present incarnation */
};

struct seen {
    wmem_allocator_t *pool; /* of everything below; NULL: nothing was seen */
    wmem_map_t *pairs;      /* struct sockets, by number of the pair */
    wmem_array_t *incarnations;
    unsigned at_close;      /* callback of the file's scope */
};

struct seen *seen_new(void)
{
    return wmem_new0(wmem_epan_scope(), struct seen);
}

static void forget(struct seen *s)
{
    if (s->pool)
        wmem_destroy_allocator(s->pool);
    s->pool = NULL;
}

void seen_forget_all(struct seen *s)
{
    if (s->pool)
        wmem_unregister_callback(wmem_file_scope(), s->at_close);
    forget(s);
}

/* The histories end with the capture. */
static ws_bool on_close(wmem_allocator_t *scope _U_, wmem_cb_event_t event _U_, void *data)
{
    forget((struct seen *)data);
    return false;
}

static void begin(struct seen *s)
{
    s->pool = wmem_allocator_new(WMEM_ALLOCATOR_BLOCK);
    s->pairs = wmem_map_new(s->pool, g_direct_hash, g_direct_equal);
    s->incarnations = wmem_array_new(s->pool, sizeof(struct incarnation));
    s->at_close = wmem_register_callback(wmem_file_scope(), on_close, s);
}

uint32_t seen_count(const struct seen *s)
{
    return s->pool ? wmem_array_get_count(s->incarnations) : 0;
}

static void add_incarnation(struct seen *s, struct sockets *pair, const struct tcpstate_tap *said)
{
    const unsigned src = said->view.src;
    struct incarnation i = { .history = pair->history, .first = pair->opening };

    copy_address_wmem(s->pool, &i.addr[src], &said->src);
    copy_address_wmem(s->pool, &i.addr[!src], &said->dst);
    i.port[src] = said->srcport;
    i.port[!src] = said->destport;
    pair->number = wmem_array_get_count(s->incarnations);
    wmem_array_append_one(s->incarnations, i);
}

/* Follows the openings in the pair's history up to the segment; returns whether it crossed one. */
static bool crosses_opening(struct sockets *pair, uint32_t end)
{
    bool crosses = false;
    uint32_t n = pair->next;

    while (n < end && (n = history_next_opening(pair->history, n)) < end) {
        crosses = true;
        pair->opening = n++;
    }
    if (end > pair->next)
        pair->next = end;
    return crosses;
}

uint32_t seen_note(struct seen *s, const struct tcpstate_tap *said, bool *moved)
{
    const struct history_view *shown = &said->view.shown;

    if (!s->pool)
        begin(s);
    struct sockets *pair = (struct sockets *)wmem_map_lookup(s->pairs, GUINT_TO_POINTER(said->view.pair));
    const bool first = !pair;
    if (first) {
        pair = wmem_new0(s->pool, struct sockets);
        wmem_map_insert(s->pairs, GUINT_TO_POINTER(said->view.pair), pair);
    }
    *moved = pair->history != shown->history;
    if (*moved) {
        pair->history = shown->history;
        pair->opening = pair->next = 0;
    }
    if (crosses_opening(pair, shown->first + shown->count) || first) {
        *moved = true;
        add_incarnation(s, pair, said);
    } else if (*moved) {
        struct incarnation *same = (struct incarnation *)wmem_array_index(s->incarnations, pair->number);
        same->history = pair->history;
        same->first = pair->opening;
    }
    return pair->number;
}

static bool is_over(uint8_t state)
{
    return state == TCP_CLOSED || state == TCP_LISTEN || state == TCP_TIME_WAIT;
}

/* An ESTABLISHED end whose peer is gone waits in vain: half-open. */
static bool is_stuck(uint8_t state, uint8_t peer)
{
    return !is_over(state) && (state != TCP_ESTABLISHED || is_over(peer));
}

static const char *state_text(uint8_t state, bool confirmed)
{
    static const char *const assumed[] = {
#define TCP_STATE(number, name, section, sentence) [number] = #name "?",
#include "tcp_states.def"
#undef TCP_STATE
    };
    return confirmed || state >= array_length(assumed) ? tcp_state_name(state) : assumed[state];
}

static void fill_end(const struct incarnation *i, const struct history_view *view, unsigned end, int64_t now_ns,
                     struct seen_end *out)
{
    const struct history_end *e = &view->end[end];
    const int64_t since_ns = e->since_frame ? e->since_ns : i->history->entry[i->first].time_ns;

    endpoint_name(&i->addr[end], i->port[end], out->endpoint);
    out->state = state_text(e->state, e->confirmed);
    out->time_ns = history_elapsed_ns(since_ns, now_ns);
    out->at_least = !e->since_frame;
}

void seen_row(const struct seen *s, uint32_t number, struct seen_row *row)
{
    const struct incarnation *i = (const struct incarnation *)wmem_array_index(s->incarnations, number);
    const struct history *h = i->history;
    const uint32_t next = history_next_opening(h, i->first + 1);
    const bool superseded = next < h->count;
    const int64_t now_ns = superseded ? h->entry[next].time_ns : connection_latest_ns();
    struct history_view view;

    history_at(h, next - 1, &view);
    fill_end(i, &view, view.client, now_ns, &row->client);
    fill_end(i, &view, !view.client, now_ns, &row->server);
    row->closed_by = val_to_str_const(view.closed_by, tcp_closer_names, "");

    const uint8_t client = view.end[view.client].state, server = view.end[!view.client].state;
    const bool client_stuck = is_stuck(client, server), server_stuck = is_stuck(server, client);
    const bool any_stuck = client_stuck || server_stuck;
    const int64_t client_ns = !any_stuck || client_stuck ? row->client.time_ns : 0;
    const int64_t server_ns = !any_stuck || server_stuck ? row->server.time_ns : 0;
    row->waiting_ns = MAX(client_ns, server_ns);
    row->stage = superseded ? SEEN_OVER : any_stuck ? SEEN_STUCK : is_over(client) ? SEEN_OVER : SEEN_OPEN;
}

int seen_row_compare(const void *a, const void *b)
{
    const struct seen_row *x = (const struct seen_row *)a, *y = (const struct seen_row *)b;

    if (x->stage != y->stage)
        return (int)x->stage - (int)y->stage;
    return (x->waiting_ns < y->waiting_ns) - (x->waiting_ns > y->waiting_ns);
}
