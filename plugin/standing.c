/* standing.c
 * How a connection stands at the end of the capture.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "standing.h"

static bool is_over(uint8_t state)
{
    return state == TCP_CLOSED || state == TCP_LISTEN || state == TCP_TIME_WAIT;
}

/* An ESTABLISHED end whose peer is gone waits in vain: half-open. */
static bool is_stuck(uint8_t state, uint8_t peer)
{
    return !is_over(state) && (state != TCP_ESTABLISHED || is_over(peer));
}

static void fill_end(const struct incarnation *i, const struct history_view *view, unsigned end, int64_t now_ns,
                     struct standing_end *out)
{
    const struct history_end *e = &view->end[end];

    endpoint_name(&i->address[end], i->port[end], out->endpoint);
    out->state = tcp_state_text(e->state, e->confirmed);
    out->time_ns = history_elapsed_ns(e->since_frame ? e->since_ns : i->start_ns, now_ns);
    out->at_least = !e->since_frame;
}

void standing_of(const struct incarnation *i, struct standing *standing)
{
    const struct history *h = i->history, *goes_on;
    uint32_t next = history_next_opening(h, i->opening + 1);

    while (next == h->count && (goes_on = connection_goes_on(h)) != NULL) {
        h = goes_on;
        next = history_next_opening(h, 1);
    }
    const bool superseded = next < h->count;
    const int64_t now_ns = superseded ? h->entry[next].time_ns : connection_latest_ns();
    struct history_view view;

    history_at(h, next - 1, &view);
    fill_end(i, &view, view.client, now_ns, &standing->client);
    fill_end(i, &view, !view.client, now_ns, &standing->server);
    standing->closed_by = val_to_str_const(view.closed_by, tcp_closer_names, "");

    const uint8_t client = view.end[view.client].state, server = view.end[!view.client].state;
    const bool client_stuck = is_stuck(client, server), server_stuck = is_stuck(server, client);
    const bool any_stuck = client_stuck || server_stuck;
    const int64_t client_ns = !any_stuck || client_stuck ? standing->client.time_ns : 0;
    const int64_t server_ns = !any_stuck || server_stuck ? standing->server.time_ns : 0;
    standing->waiting_ns = MAX(client_ns, server_ns);
    standing->stage = superseded ? STANDING_OVER : any_stuck ? STANDING_STUCK
                    : is_over(client) ? STANDING_OVER : STANDING_OPEN;
}

int standing_compare(const void *a, const void *b)
{
    const struct standing *x = (const struct standing *)a, *y = (const struct standing *)b;

    if (x->stage != y->stage)
        return (int)x->stage - (int)y->stage;
    return (x->waiting_ns < y->waiting_ns) - (x->waiting_ns > y->waiting_ns);
}
