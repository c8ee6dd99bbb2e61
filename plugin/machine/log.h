/* log.h
 * The log of a pair of sockets: what was shown, and from which segment on. One entry for each transition of an
 * end, and one where something else that is shown changed; none for all other segments. The states on any segment
 * are those of the last entry at or before it. Written in order on the first pass, searched in any order ever after.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOG_H
#define LOG_H

#include "tcpfsm.h"

#include <stddef.h>

/* Which segment, and when it was captured. Segments have positions in order of frame, then layer. */
struct log_position {
    int64_t  time_ns; /* nanoseconds since 1970 */
    uint32_t frame;   /* number of its frame, from 1 */
    uint8_t  layer;   /* which of several segments in that frame: number of its protocol layer */
};

/* What is shown besides the states. */
struct log_facts {
    uint16_t confirmed0 : 1; /* end 0's own segments prove its state */
    uint16_t confirmed1 : 1;
    uint16_t client : 1;     /* index of the end that opened, or is taken to have opened */
    uint16_t midstream : 1;  /* no handshake of this connection was captured */
    uint16_t closed_by : 3;  /* enum tcp_closer */
    uint16_t local : 1;      /* index of the local end: the owner's to set */
    uint16_t local_by : 3;   /* how that was told: the owner's to set */
    uint16_t stuck : 2;      /* a bit for each end, 1 << index: that it stays in CLOSE_WAIT for too long was told */
    uint16_t reset_confirmed : 1; /* the capture proves reset_cause */
    uint16_t data0 : 1;      /* end 0 had sent data, as far as its numbers tell */
    uint16_t data1 : 1;
};

/* 24 octets: there are millions of them. */
struct log_entry {
    int64_t  time_ns;     /* of the segment's position, as are frame and layer */
    uint32_t frame;
    uint32_t since0 : 26; /* index of the entry with which end 0 entered its state, or LOG_UNSEEN */
    uint32_t event : 5;   /* enum tcp_event, why; TCP_EV_NONE: no transition */
    uint32_t in_between : 1; /* the segment's last: it is a RST or FIN, and seems to come from someone in between */
    uint32_t since1 : 26; /* the same of end 1 */
    uint32_t end : 1;     /* index of the end that made the transition */
    uint32_t opened : 1;  /* the segment's SYN began an incarnation */
    uint32_t reset_cause : 4; /* enum reset_cause, of the incarnation's latest RST */
    uint8_t  layer;
    uint8_t  state0 : 4;  /* enum tcp_state of end 0 after the transition */
    uint8_t  state1 : 4;  /* the same of end 1 */
    struct log_facts facts; /* after the segment */
};

#define LOG_UNSEEN 0x3ffffffu /* the state is older than the capture, or than entries can be counted */

/* A RST that answered a request which raced a close; see race.h. */
struct log_race {
    int64_t  idle_ns; /* how long the connection had been idle */
    uint32_t entry;   /* index of the RST's first entry */
};

/* Owned by the caller, who fills it with zeros and provides room; the entries may move. */
struct log {
    struct log_entry *entry;
    struct log_race *race;
    uint32_t races, race_room; /* as the next two */
    uint32_t count, room; /* entries written, and that there is room for; room is the owner's to set */
    uint8_t  initial[2];  /* enum tcp_state before the first entry */
    struct log_facts facts; /* to be written down with the next entry: local and local_by are the owner's to set */
};

/* How many entries a segment that changed what is shown adds. */
static inline uint32_t log_entries_of(const struct tcpfsm_outcome *out)
{
    const uint32_t steps = (uint32_t)out->end[0].count + out->end[1].count;
    return steps ? steps : 1;
}

/*
 * Whether a segment is the first to tell that its sender stays in CLOSE_WAIT for too long: it does nothing there but
 * answer and keep alive. Not so an end that sends data: half-closed transfers take their time. Call once for each
 * segment, after the machine; if true, the segment has to be written down.
 *  now_ns    when the segment was captured, as time_ns
 *  stuck_ns  how long an end may stay, nanoseconds, >= 0
 */
bool log_notes_stuck(struct log *log, unsigned sender, const struct tcpfsm_segment *seg, int64_t now_ns,
                     int64_t stuck_ns);

/*
 * Writes down a segment that changed what is shown.
 *  at      where it stands; not before the position of the latest entry
 *  sender  index of the end that sent it
 *  m, out  the machine after the segment, and the transitions it made; there must be room for
 *          log_entries_of(out) more entries, and for a race if m->race_idle_us is not 0
 */
void log_append(struct log *log, const struct log_position *at, unsigned sender, const struct tcpfsm *m,
                const struct tcpfsm_outcome *out);

/* What is shown of one end on a segment. */
struct log_end {
    uint8_t  state;       /* enum tcp_state after the segment */
    uint8_t  previous;    /* enum tcp_state before it */
    uint8_t  confirmed;   /* 1: the end's own segments prove the state */
    uint8_t  event;       /* enum tcp_event with which the state was entered, on whichever segment */
    uint32_t since_frame; /* in which it was entered; 0: not in this capture */
    int64_t  since_ns;    /* when, as time_ns; valid only with since_frame */
};

/* What is shown on a segment. Valid as long as the log, and until the next log_append. */
struct log_view {
    const struct log *log;
    struct log_end end[2]; /* by index of end */
    uint32_t first, count; /* the segment's own entries, if it has any */
    uint8_t  client, local, local_by, midstream, opened, closed_by;
    uint8_t  in_between; /* the segment is a RST or a FIN, and seems to come from someone in between */
    uint8_t  reset_cause, reset_confirmed; /* of the latest RST: on a RST, its own */
};

/* Finds what is shown on a segment. Returns false where nothing is known of it: it lies before the first entry. */
bool log_find(const struct log *log, uint32_t frame, uint8_t layer, struct log_view *view);

/* How long the connection had been idle whose close a request raced, nanoseconds; -1: the segment answers none. */
int64_t log_race_idle_ns(const struct log_view *view);

/* One transition of one end. */
struct log_step {
    uint8_t end;      /* index of the end that made it */
    uint8_t event;    /* enum tcp_event */
    uint8_t left;     /* enum tcp_state before it */
    uint8_t entered;  /* enum tcp_state after it */
    int64_t dwell_ns; /* how long the state left had lasted, never negative; valid only with has_dwell */
    bool has_dwell;   /* not of a state older than the capture, nor of one that was assumed in error */
};

/* The n-th of the view's own entries, n < count. Returns false if it is no transition. */
bool log_step(const struct log_view *view, uint32_t n, struct log_step *step);

/* The ends of which it was told before the segment, and by it, that they stay in CLOSE_WAIT too long: a bit each. */
unsigned log_stuck_before(const struct log_view *view);
unsigned log_stuck_by(const struct log_view *view);

/* The enum tcp_state from which an end entered the one that it is in after the segment; that itself: never entered. */
uint8_t log_entered_from(const struct log_view *view, unsigned end);

/* What was confirmed of an end before the segment. */
bool log_confirmed_before(const struct log_view *view, unsigned end);

/* Index of the next entry, from that index on, with which an incarnation begins; log->count if there is none. */
uint32_t log_next_opening(const struct log *log, uint32_t from);

/* Index of the entry with which the incarnation of the entry with that index began. */
uint32_t log_opening_of(const struct log *log, uint32_t index);

/* What was shown once the entry with that index had been written. The view has no entries of its own. */
void log_at(const struct log *log, uint32_t index, struct log_view *view);

/* Nanoseconds from one moment to a later one; 0 if it is earlier, as time stamps may run backwards. */
int64_t log_elapsed_ns(int64_t from_ns, int64_t to_ns);

#endif
