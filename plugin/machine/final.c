/* final.c
 * How a connection stands once the capture has been read.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "final.h"

/* States that a connection passes through on its way to open or to close; in ESTABLISHED it may rest. */
static bool is_passed_through(uint8_t state)
{
    switch ((enum tcp_state)state) {
    case TCP_SYN_RCVD:
    case TCP_FIN_WAIT_1:
    case TCP_FIN_WAIT_2:
    case TCP_CLOSE_WAIT:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
        return true;
    default: /* SYN_SENT and TIME_WAIT end by timers */
        return false;
    }
}

static void view_end(const struct log_end *shown, int64_t start_ns, int64_t now_ns, const struct final_limits *limits,
                     struct final_end *out)
{
    *out = (struct final_end){
        .state = shown->state, .confirmed = shown->confirmed, .at_least = shown->since_frame == 0,
        .since_frame = shown->since_frame,
        .age_ns = log_elapsed_ns(shown->since_frame ? shown->since_ns : start_ns, now_ns),
    };
    if (out->state == TCP_TIME_WAIT && out->age_ns >= limits->time_wait_ns) {
        out->state = TCP_CLOSED;
        out->confirmed = false;
        out->since_frame = 0;
        out->age_ns -= limits->time_wait_ns;
    }
}

void final_of(const struct log *log, uint32_t index, const struct final_limits *limits, struct final_view *out)
{
    const uint32_t next = log_next_opening(log, index + 1);
    const int64_t start_ns = log->entry[log_opening_of(log, index)].time_ns;
    struct log_view view;

    log_at(log, next - 1, &view);
    *out = (struct final_view){
        .client = view.client, .closed_by = view.closed_by, .superseded = next < log->count,
    };
    const int64_t now_ns = out->superseded ? log->entry[next].time_ns : limits->end_ns;
    for (unsigned i = 0; i < 2; i++) {
        struct final_end *e = &out->end[i];
        view_end(&view.end[i], start_ns, now_ns, limits, e);
        e->left_open = !out->superseded && is_passed_through(e->state) && e->age_ns > limits->stuck_ns;
        out->left_open |= e->left_open;
    }
}
