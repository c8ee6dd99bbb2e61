/* final.h
 * How a connection stands once the capture has been read: what netstat would print on both machines at its end.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FINAL_H
#define FINAL_H

#include "log.h"

/* How an attempt to connect failed. */
enum attempt {
    ATTEMPT_NONE, /* it did not, or its SYN was not captured */
#define ATTEMPT(number, name, text, sentence) ATTEMPT_##name = number,
#include "attempts.def"
#undef ATTEMPT
};

/* Of one capture. */
struct final_limits {
    int64_t start_ns;     /* when it begins, as time_ns of its log entries */
    int64_t end_ns;       /* when it ends */
    int64_t time_wait_ns; /* how long TIME_WAIT lasts, nanoseconds, >= 0 (2 MSL, RFC 9293 section 3.4.2) */
    int64_t stuck_ns;     /* how long a state of opening or closing may last, nanoseconds, >= 0 */
};

/* One end. */
struct final_end {
    uint8_t  state;       /* enum tcp_state; TIME_WAIT that has run out is CLOSED */
    bool     confirmed;   /* its own segments prove the state; never of one that a timer ended */
    bool     at_least;    /* the state is older than the capture: its age counts from the first segment */
    bool     left_open;   /* in a state that a connection passes through, for longer than stuck_ns */
    uint32_t since_frame; /* in which the state was entered; 0: not in this capture, or by a timer */
    int64_t  age_ns;      /* how long it has been in that state, never negative */
};

struct final_view {
    struct final_end end[2]; /* by index of end */
    uint8_t client;          /* index of the client */
    uint8_t closed_by;       /* enum tcp_closer */
    uint8_t reset_cause;     /* enum reset_cause: why the first RST that ended a connection of an end was sent */
    bool    reset_confirmed; /* the capture proves that */
    uint8_t attempt;         /* enum attempt */
    bool    superseded;      /* the sockets have begun another incarnation since: it stands as it was then */
    bool    left_open;       /* an end is */
};

/* Whether an end is proved not to have closed, though its peer has: what a leak of sockets is. */
static inline bool final_is_proved_leak(const struct final_end *end)
{
    return end->left_open && end->state == TCP_CLOSE_WAIT && end->confirmed;
}

/*
 * How an incarnation stands at the end of the capture.
 *  index  of any log entry of it
 */
void final_of(const struct log *log, uint32_t index, const struct final_limits *limits, struct final_view *out);

#endif
