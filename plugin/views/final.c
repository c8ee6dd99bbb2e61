/* final.c
 * How a connection stands at the end of the capture.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "final.h"

static bool is_over(uint8_t state)
{
    return state == TCP_CLOSED || state == TCP_LISTEN || state == TCP_TIME_WAIT;
}

/* An ESTABLISHED end whose peer is gone waits in vain: half-open. */
static bool is_stuck(uint8_t state, uint8_t peer)
{
    return !is_over(state) && (state != TCP_ESTABLISHED || is_over(peer));
}

static void fill_end(const struct incarnation *i, const struct log_view *view, unsigned end, int64_t now_ns,
                     struct final_end *out)
{
    const struct log_end *e = &view->end[end];

    endpoint_name(&i->address[end], i->port[end], out->endpoint);
    out->state = tcp_state_text(e->state, e->confirmed);
    out->time_ns = log_elapsed_ns(e->since_frame ? e->since_ns : i->start_ns, now_ns);
    out->at_least = !e->since_frame;
}

void final_states_of(const struct incarnation *i, struct final_states *final)
{
    const struct log *log = i->log;
    const uint32_t next = log_next_opening(log, i->opening + 1);
    const bool superseded = next < log->count;
    const int64_t now_ns = superseded ? log->entry[next].time_ns : pairs_latest_ns();
    struct log_view view;

    log_at(log, next - 1, &view);
    fill_end(i, &view, view.client, now_ns, &final->client);
    fill_end(i, &view, !view.client, now_ns, &final->server);
    final->closed_by = val_to_str_const(view.closed_by, tcp_closer_names, "");

    const uint8_t client = view.end[view.client].state, server = view.end[!view.client].state;
    const bool client_stuck = is_stuck(client, server), server_stuck = is_stuck(server, client);
    const bool any_stuck = client_stuck || server_stuck;
    const int64_t client_ns = !any_stuck || client_stuck ? final->client.time_ns : 0;
    const int64_t server_ns = !any_stuck || server_stuck ? final->server.time_ns : 0;
    final->waiting_ns = MAX(client_ns, server_ns);
    final->stage = superseded ? FINAL_OVER : any_stuck ? FINAL_STUCK
                    : is_over(client) ? FINAL_OVER : FINAL_OPEN;
}

int final_states_compare(const void *a, const void *b)
{
    const struct final_states *x = (const struct final_states *)a, *y = (const struct final_states *)b;

    if (x->stage != y->stage)
        return (int)x->stage - (int)y->stage;
    return (x->waiting_ns < y->waiting_ns) - (x->waiting_ns > y->waiting_ns);
}
