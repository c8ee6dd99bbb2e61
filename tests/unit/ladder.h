/* ladder.h
 * Inside the player of ladders: what its parts share. ladder.c tells what a ladder is.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LADDER_H
#define LADDER_H

#include "anomaly.h"
#include "final.h"

#define STATE_MAX 32 /* longest word of a row */
#define ROWS_MAX 128 /* of a ladder */
#define TIME_WAIT_US INT64_C(240000000)
#define STUCK_NS INT64_C(60000000000) /* tcpstate.stuck_after, unless set */
#define QUOTED 0x80 /* no flag of a segment's: an ICMP error quotes it */

struct row {
    char a[STATE_MAX], b[STATE_MAX]; /* as written */
    unsigned sender;                 /* 0: A, 1: B */
    struct tcpfsm_segment seg;
};

/* One way to play a ladder; none changes what is shown. */
struct reading {
    const char *name;
    bool wraps;    /* each end's second number is 0 */
    bool in_pairs; /* two segments in a frame */
    bool swapped;  /* A is end 1 of the machine */
    bool all_rules; /* data in order too goes by all rules of the machine */
};

#define UNTOLD (-1)

/* What the lines tell, so far, of the present row. */
struct facts {
    int closed_by, client, midstream; /* UNTOLD, or as in a view; client 0: A */
    bool tells_anomalies;
    uint32_t anomalies;               /* bits, as anomalies_of() */
};

/* A row as it was shown at once. */
struct shown_row {
    struct tcpfsm_segment seg;
    unsigned sender;    /* index of an end of the machine */
    uint32_t anomalies; /* as anomalies_of() */
    unsigned calls;     /* as calls_of() */
};

struct player {
    const char *file;
    const struct reading *reading;
    int line, failures;
    int64_t now_us;
    uint32_t offset[2]; /* added to the numbers of A and B, */
    bool has_offset[2]; /* once that is known */
    struct tcpfsm m;
    struct log log;
    struct log_entry entry[ROWS_MAX * 2 * TCPFSM_STEPS_MAX];
    struct log_race race[ROWS_MAX];
    struct tcpfsm_outcome latest; /* of the row before */
    struct facts facts;
    int row_line;               /* of the latest row */
    struct shown_row shown_row[ROWS_MAX];
    struct log_view shown[ROWS_MAX];
    unsigned segments;
};

/* Index in the machine of A, 0, or B, 1. */
static inline unsigned end_of(const struct player *p, unsigned end)
{
    return end ^ p->reading->swapped;
}

/* ladder_rows.c: reads a row. Returns false if the line is none. */
bool parse_row(const char *line, struct row *row);

/* ladder_machine.c: moves the machine and the log by a row. */
void play(struct player *p, struct row *row);

/* What is shown is, after all rows, what was shown at once. */
void check_again(struct player *p);

#define NAMES(table) (sizeof table / sizeof *table)

/* ladder_facts.c: index of the name in a table, or its size. */
size_t find_name(const char *const *table, size_t size, const char *name);

/* What is shown, and what should be. */
void compare(struct player *p, const char *what, const char *shown, const char *expected);

/* How many names of a table no line tells; prints each. */
int count_untold(const char *const *names, const bool *told, size_t size, size_t from);

/* The line is wrong, or cannot be checked. */
void complain(struct player *p, const char *what, const char *text);

/* The state of A, 0, or B, 1, is as the row has it. */
void check_end(struct player *p, unsigned end, const char *expected);

/* "    closed by server; anomalies abort". Returns whether it is such a line. */
bool play_facts(struct player *p, char *line);

/* The latest row is over: no more lines tell of it. */
void end_row(struct player *p);

/* How many events, closers, causes, attempts, calls and anomalies no line of any file has told of; prints each. */
int count_all_untold(void);

/* ladder_events.c: "    A: snd FIN; B: rcv FIN". Returns whether it is such a line; an end left out did nothing. */
bool play_events(struct player *p, char *line);

int count_untold_events(void);

#endif
