/* ladder.c
 * Plays ladders to the machine: text files that read as the figures of RFC 9293.
 *
 *     SYN_SENT     --> <SEQ=100><CTL=SYN>               --> SYN_RCVD?
 *     ESTABLISHED? <-- <SEQ=300><ACK=101><CTL=SYN,ACK>  <-- SYN_RCVD
 *
 * The columns hold the states of A and B after the segment; "?" marks one that is assumed. Between
 * two segments passes 0.1 s and what lines such as "+2.5 s" add. A line of two states alone,
 * before all others, tells what both ends really were; it is for the reader. Tags: SEQ, ACK, CTL, DATA (octets, default
 * 0), WND (default 65535), and the options MSS, WS (window scale), TS (timestamp), TFO (Fast Open, =1); HOP (hop limit,
 * default 64); ID (identification of IPv4, default 0); DOUBT (length in doubt, =1); CUT (options not all captured, =1).
 * CTL=ICMP: an ICMP error that refuses the segment, which it quotes.
 *
 * An indented line after a row tells all that the segment did, as events of tcp_events.def:
 *
 *     SYN_SENT     --> <SEQ=100><CTL=SYN>               --> SYN_RCVD?
 *         A: snd SYN; B: rcv SYN
 *
 * Several events of one end in turn are joined by ", then ". The line is optional.
 *
 * Another indented line tells what else is shown, in parts divided by ";":
 *
 *     CLOSED?      <-- <SEQ=300><ACK=101><CTL=RST,ACK>      <-- CLOSED
 *         reset by server; anomalies abort; A left ESTABLISHED after 2.5 s
 *
 *     closed by nobody | client | server | both, reset by client | server, refused, refused by ICMP
 *     client A, midstream, not midstream
 *         hold for the rows that follow too, until a line tells otherwise.
 *     because NAME; because NAME, confirmed
 *         The row, a RST, was sent for that cause, by the names of reset_causes.def; the capture proves it.
 *     ended because NAME; ended because NAME, confirmed
 *         The first RST of this incarnation that ended the connection of an end was sent for that cause; or "nothing".
 *     calls NAME, NAME; no calls
 *         The user calls that the row shows, by the names of tcp_calls.def.
 *     raced a close after 2.5 s
 *         The row, a RST, answers a request that crossed the close of a connection, idle for so long.
 *     attempt NAME
 *         If the capture ended here, the attempt to connect had failed so, by the names of attempts.def; or "nothing".
 *     anomalies WORD, WORD; no anomalies
 *         All of the row, by the names in tcp_anomalies.def in any case, stuck_after being 60 s. From the first such
 *         line on, a row whose line tells of none has none.
 *     opened, not opened
 *         The row's SYN begins an incarnation.
 *     A for 2.5 s, A for longer than the capture
 *         How long A has been in the state that the row shows.
 *     A left CLOSE_WAIT after 2.5 s, A left CLOSE_WAIT after unknown time, A was never in CLOSE_WAIT
 *         How long it was in a state that it left on this row; or that this row belies it.
 *
 * Each ladder is played several times, and must read the same: plain; with numbers that wrap after each end's first,
 * two segments in a frame; and with the ends the other way round, each segment by all rules of the machine, data in
 * order too.
 *
 * usage: ladder [--every-event] FILE...
 *     Fails if a row shows other states, or a line anything else, than the machine. --every-event: also if
 *     there is an event, a closer, a cause of a RST, a failed attempt or an anomaly that no line of all files tells.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ladder.h"

#include <stdio.h>
#include <string.h>

static const struct reading readings[] = {
    { .name = "" },
    { .name = " (numbers that wrap)", .wraps = true, .in_pairs = true },
    { .name = " (ends swapped)", .swapped = true, .all_rules = true },
};

static void play_line(struct player *p, char *line)
{
    struct row row;
    char word[STATE_MAX], rest[2];
    const size_t indent = strspn(line, " \t");
    double seconds;
    bool understood = true;

    line[strcspn(line, "\r\n")] = '\0';
    if (*line == '#' || line[indent] == '\0')
        return;
    if (sscanf(line, "+%lf s%1s", &seconds, rest) == 1)
        p->now_us += (int64_t)(seconds * 1e6);
    else if (parse_row(line, &row))
        play(p, &row);
    else if (p->segments == 0) /* what both really were */
        understood = sscanf(line, "%31s %31s %1s", word, word, rest) == 2;
    else if (indent > 0 && line[indent + 1] == ':')
        understood = play_events(p, line);
    else
        understood = indent > 0 && play_facts(p, line);
    if (!understood)
        complain(p, "is no row of a ladder", line);
}

static int play_file(const char *file, const struct reading *reading)
{
    static struct player p;
    char line[512];
    FILE *in = fopen(file, "r");

    if (!in) {
        perror(file);
        return 1;
    }
    memset(&p, 0, sizeof p);
    p.file = file;
    p.reading = reading;
    p.now_us = INT64_C(1000000000);
    p.facts.closed_by = p.facts.client = p.facts.midstream = UNTOLD;
    while (fgets(line, sizeof line, in)) {
        p.line++;
        play_line(&p, line);
    }
    fclose(in);
    end_row(&p);
    check_again(&p);
    if (p.segments == 0)
        complain(&p, "holds no segment", file);
    return p.failures;
}

int main(int argc, char **argv)
{
    const bool every_event = argc > 1 && strcmp(argv[1], "--every-event") == 0;
    const int first = 1 + every_event;
    int failures = argc <= first;

    if (argc <= first)
        fprintf(stderr, "usage: ladder [--every-event] FILE...\n");
    for (int i = first; i < argc; i++) {
        for (size_t n = 0; n < NAMES(readings); n++)
            failures += play_file(argv[i], &readings[n]);
    }
    if (every_event)
        failures += count_all_untold();
    return failures != 0;
}
