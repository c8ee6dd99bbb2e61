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

/* Why the first RST that ended a connection of an end was sent, and was not belied since. */
static void find_reset_cause(const struct log *log, uint32_t from, uint32_t end, struct final_view *out)
{
    for (uint32_t n = from; n < end; n++) {
        const struct log_entry *e = &log->entry[n];
        const bool reset = e->event == TCP_EV_SND_RST || e->event == TCP_EV_RCV_RST;
        const bool belied = e->event == TCP_EV_ALIVE_AFTER_OWN_RST;
        if (belied || (reset && out->reset_cause == RESET_NONE)) {
            out->reset_cause = belied ? RESET_NONE : e->reset_cause;
            out->reset_confirmed = !belied && e->facts.reset_confirmed;
        }
    }
}

#define AT_ONCE_NS INT64_C(1000000000) /* the first retransmission comes no sooner: RFC 6298 section 2 */

/* The first entry with which an end made a transition by that event; end if there is none. */
static uint32_t find_event(const struct log *log, uint32_t from, uint32_t end, unsigned which, enum tcp_event event)
{
    while (from < end && (log->entry[from].end != which || log->entry[from].event != event))
        from++;
    return from;
}

/* The server closed or reset, without data of its own, as soon as the handshake was complete. */
static bool is_closed_at_once(const struct log *log, uint32_t from, uint32_t end, unsigned server)
{
    const uint32_t opened = find_event(log, from, end, server, TCP_EV_RCV_ACK_OF_SYN);
    uint32_t closed = find_event(log, from, end, server, TCP_EV_SND_FIN);

    if (closed == end)
        closed = find_event(log, from, end, server, TCP_EV_SND_RST);
    if (opened == end || closed == end)
        return false;
    const struct log_entry *e = &log->entry[closed];
    return !(server ? e->facts.data1 : e->facts.data0)
        && log_elapsed_ns(log->entry[opened].time_ns, e->time_ns) <= AT_ONCE_NS;
}

/* Whether a segment of that end was captured after the one that opened: only its own prove a state. */
static bool was_heard(const struct log *log, uint32_t from, uint32_t end, unsigned which)
{
    const struct log_entry *opening = &log->entry[from];

    while (from < end && ((log->entry[from].frame == opening->frame && log->entry[from].layer == opening->layer)
                          || !(which ? log->entry[from].facts.confirmed1 : log->entry[from].facts.confirmed0)))
        from++;
    return from < end;
}

static bool has_data(const struct log_entry *e)
{
    return e->facts.data0 || e->facts.data1;
}

/*
 * How the attempt that began with the entry `from` failed.
 *  end     the entry after its last
 *  now_ns  the moment of the view
 */
static enum attempt attempt_of(const struct log *log, uint32_t from, uint32_t end, int64_t now_ns,
                               const struct final_view *final)
{
    const unsigned client = final->client, server = !client;
    const struct log_entry *last = &log->entry[end - 1];
    const struct final_end *c = &final->end[client], *s = &final->end[server];

    if (last->facts.midstream)
        return ATTEMPT_NONE;
    switch ((enum tcp_closer)final->closed_by) {
    case TCP_CLOSER_REFUSED:
        return ATTEMPT_REFUSED;
    case TCP_CLOSER_ICMP:
        return ATTEMPT_REFUSED_BY_ICMP;
    case TCP_CLOSER_RESET_BY_CLIENT:
        return has_data(last) ? ATTEMPT_NONE : ATTEMPT_GIVEN_UP;
    case TCP_CLOSER_SERVER:
    case TCP_CLOSER_RESET_BY_SERVER:
        return is_closed_at_once(log, from, end, server) ? ATTEMPT_CLOSED_AT_ONCE : ATTEMPT_NONE;
    default:
        break;
    }
    if (final->reset_cause == RESET_HANDSHAKE_GIVEN_UP && !has_data(last))
        return ATTEMPT_GIVEN_UP;
    if (log_elapsed_ns(log->entry[from].time_ns, now_ns) < AT_ONCE_NS)
        return ATTEMPT_NONE; /* the end may have been in its state since an attempt before */
    if (c->state == TCP_SYN_SENT && !was_heard(log, from, end, server))
        return c->age_ns >= AT_ONCE_NS ? ATTEMPT_NO_ANSWER : ATTEMPT_NONE;
    const bool answered = s->state == TCP_SYN_RCVD && s->confirmed; /* only its SYN,ACK proves that */
    return answered && !(c->confirmed && c->state != TCP_SYN_SENT) && s->age_ns >= AT_ONCE_NS
        ? ATTEMPT_SYN_ACK_ONLY : ATTEMPT_NONE;
}

void final_of(const struct log *log, uint32_t index, const struct final_limits *limits, struct final_view *out)
{
    const uint32_t next = log_next_opening(log, index + 1);
    const uint32_t opening = log_opening_of(log, index);
    const int64_t start_ns = log->entry[opening].time_ns;
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
    find_reset_cause(log, opening, next, out);
    out->attempt = attempt_of(log, opening, next, now_ns, out) & 0xff;
}
