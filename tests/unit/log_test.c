/* log_test.c
 * What the log says of a segment, asked in any order.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "anomaly.h"
#include "log.h"

#include <stdio.h>
#include <string.h>

static int failures;

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            failures++; \
        } \
    } while (0)

#define SECOND INT64_C(1000000000)
#define ROOM 64

/* What the machine said of one segment, being put together. */
struct script {
    struct log h;
    struct log_entry room[ROOM];
    struct tcpfsm m;
    struct tcpfsm_outcome out;
    uint8_t state[2];
};

static void begin(struct script *s, uint8_t state0, uint8_t state1)
{
    memset(s, 0, sizeof *s);
    s->h.entry = s->room;
    s->state[0] = s->out.end[0].previous = state0;
    s->state[1] = s->out.end[1].previous = state1;
}

/* A transition of an end on the segment that is to be written next. */
static void step(struct script *s, unsigned end, uint8_t state, uint8_t event)
{
    struct tcpfsm_change *change = &s->out.end[end];
    change->state[change->count] = s->state[end] = state;
    change->event[change->count++] = event;
}

static void write_segment(struct script *s, uint32_t frame, uint8_t layer, int64_t time_ns, unsigned confirmed)
{
    const struct log_position at = { .time_ns = time_ns, .frame = frame, .layer = layer };

    s->m.end[0].confirmed = confirmed & 1;
    s->m.end[1].confirmed = confirmed >> 1 & 1;
    log_append(&s->h, &at, 0, &s->m, &s->out);
    memset(&s->out, 0, sizeof s->out);
    s->out.end[0].previous = s->state[0];
    s->out.end[1].previous = s->state[1];
}

/* Checks an end's states on a segment, and the frame since which it is in the later one. */
static void expect(const struct log *h, uint32_t frame, uint8_t layer, unsigned end, uint8_t before, uint8_t after,
                   uint32_t since)
{
    struct log_view v;
    CHECK(log_find(h, frame, layer, &v));
    if (v.end[end].previous != before || v.end[end].state != after || v.end[end].since_frame != since) {
        printf("frame %u layer %u end %u: %u -> %u since %u, expected %u -> %u since %u\n", frame, layer, end,
               v.end[end].previous, v.end[end].state, v.end[end].since_frame, before, after, since);
        failures++;
    }
}

static void test_lookup(void)
{
    struct script s;
    struct log_view v;

    begin(&s, TCP_ESTABLISHED, TCP_ESTABLISHED);
    CHECK(!log_find(&s.h, 1, 0, &v));
    step(&s, 0, TCP_FIN_WAIT_1, TCP_EV_SND_FIN);
    write_segment(&s, 10, 3, 0, 3);
    step(&s, 0, TCP_FIN_WAIT_2, TCP_EV_RCV_ACK_OF_FIN); /* two segments in one frame */
    write_segment(&s, 20, 3, 0, 3);
    step(&s, 0, TCP_TIME_WAIT, TCP_EV_RCV_FIN);
    write_segment(&s, 20, 5, 0, 3);
    write_segment(&s, 30, 3, 0, 2); /* the state stays, its proof does not */
    CHECK(s.h.count == 4);

    CHECK(!log_find(&s.h, 9, 3, &v));
    CHECK(!log_find(&s.h, 10, 2, &v));
    expect(&s.h, UINT32_MAX, UINT8_MAX, 0, TCP_TIME_WAIT, TCP_TIME_WAIT, 20);
    expect(&s.h, 20, 5, 0, TCP_FIN_WAIT_2, TCP_TIME_WAIT, 20);
    expect(&s.h, 20, 4, 0, TCP_FIN_WAIT_2, TCP_FIN_WAIT_2, 20);
    expect(&s.h, 20, 3, 0, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2, 20);
    expect(&s.h, 19, 3, 0, TCP_FIN_WAIT_1, TCP_FIN_WAIT_1, 10);
    expect(&s.h, 10, 3, 0, TCP_ESTABLISHED, TCP_FIN_WAIT_1, 10);
    expect(&s.h, 10, 9, 0, TCP_FIN_WAIT_1, TCP_FIN_WAIT_1, 10);
    expect(&s.h, 30, 3, 1, TCP_ESTABLISHED, TCP_ESTABLISHED, 0); /* older than the capture */
    CHECK(log_find(&s.h, 30, 3, &v) && v.end[1].event == TCP_EV_NONE && !v.opened);
    CHECK(log_find(&s.h, 29, 0, &v) && v.end[0].confirmed == 1 && v.count == 0);
    CHECK(log_find(&s.h, 30, 3, &v) && v.end[0].confirmed == 0 && v.count == 1);
}

/* The first segment changes nothing: each end is in the state that it was in. */
static void test_first_without_transition(void)
{
    struct script s;

    begin(&s, TCP_CLOSE_WAIT, TCP_FIN_WAIT_1);
    write_segment(&s, 1, 0, 1 * SECOND, 0);
    expect(&s.h, 1, 0, 0, TCP_CLOSE_WAIT, TCP_CLOSE_WAIT, 0);
    expect(&s.h, 1, 0, 1, TCP_FIN_WAIT_1, TCP_FIN_WAIT_1, 0);
}

/* LISTEN -> SYN_RCVD -> ESTABLISHED on one segment loses no step. */
static void test_steps(void)
{
    struct script s;
    struct log_view v;
    struct log_step got;

    begin(&s, TCP_SYN_SENT, TCP_LISTEN);
    step(&s, 1, TCP_SYN_RCVD, TCP_EV_RCV_SYN);
    step(&s, 1, TCP_ESTABLISHED, TCP_EV_RCV_ACK_OF_SYN);
    write_segment(&s, 1, 0, 5 * SECOND, 0);
    CHECK(log_find(&s.h, 1, 0, &v) && v.count == 2);
    CHECK(log_step(&v, 0, &got) && got.end == 1 && got.left == TCP_LISTEN && got.entered == TCP_SYN_RCVD);
    CHECK(got.event == TCP_EV_RCV_SYN && !got.has_dwell);
    CHECK(log_step(&v, 1, &got) && got.left == TCP_SYN_RCVD && got.entered == TCP_ESTABLISHED);
    CHECK(got.event == TCP_EV_RCV_ACK_OF_SYN && got.has_dwell && got.dwell_ns == 0);
    expect(&s.h, 1, 0, 1, TCP_LISTEN, TCP_ESTABLISHED, 1);

    step(&s, 1, TCP_CLOSE_WAIT, TCP_EV_RCV_FIN);
    write_segment(&s, 2, 0, 7 * SECOND, 0);
    CHECK(log_find(&s.h, 2, 0, &v) && log_step(&v, 0, &got) && got.dwell_ns == 2 * SECOND);
    step(&s, 1, TCP_LAST_ACK, TCP_EV_SND_FIN);
    write_segment(&s, 3, 0, 6 * SECOND, 0); /* time runs backwards: never negative */
    CHECK(log_find(&s.h, 3, 0, &v) && log_step(&v, 0, &got) && got.has_dwell && got.dwell_ns == 0);
    write_segment(&s, 4, 0, 0, 1); /* an entry, but no transition */
    CHECK(log_find(&s.h, 4, 0, &v) && v.count == 1 && !log_step(&v, 0, &got));
}

/* A proof that an assumption was wrong: the state was never left, and has lasted since it was entered. */
static void test_correction(void)
{
    struct script s;
    struct log_view v;
    struct log_step got;

    begin(&s, TCP_CLOSED, TCP_LISTEN);
    step(&s, 1, TCP_SYN_RCVD, TCP_EV_RCV_SYN);
    write_segment(&s, 1, 0, 1 * SECOND, 0);
    step(&s, 1, TCP_ESTABLISHED, TCP_EV_RCV_ACK_OF_SYN);
    write_segment(&s, 2, 0, 2 * SECOND, 0);
    step(&s, 1, TCP_SYN_RCVD, TCP_EV_SYN_ACK_REPEATED);
    write_segment(&s, 3, 0, 3 * SECOND, 2);
    expect(&s.h, 3, 0, 1, TCP_ESTABLISHED, TCP_SYN_RCVD, 1);
    CHECK(log_find(&s.h, 3, 0, &v) && v.end[1].since_ns == SECOND);
    CHECK(log_step(&v, 0, &got) && got.event == TCP_EV_SYN_ACK_REPEATED && !got.has_dwell);
    step(&s, 1, TCP_ESTABLISHED, TCP_EV_RCV_ACK_OF_SYN);
    write_segment(&s, 4, 0, 4 * SECOND, 0);
    CHECK(log_find(&s.h, 4, 0, &v) && log_step(&v, 0, &got) && got.dwell_ns == 3 * SECOND);
}

/* The same ports again: the next incarnation finds the states that the last one left. */
static void test_incarnations(void)
{
    struct script s;
    struct log_view v;
    struct log_step got;

    begin(&s, TCP_CLOSING, TCP_LAST_ACK);
    step(&s, 1, TCP_CLOSED, TCP_EV_RCV_ACK_OF_FIN);
    write_segment(&s, 7, 0, 70 * SECOND, 0);
    step(&s, 0, TCP_TIME_WAIT, TCP_EV_RCV_ACK_OF_FIN);
    write_segment(&s, 8, 0, 80 * SECOND, 0);
    CHECK(log_next_opening(&s.h, 0) == s.h.count);

    step(&s, 0, TCP_SYN_RCVD, TCP_EV_RCV_SYN);
    step(&s, 1, TCP_SYN_SENT, TCP_EV_SND_SYN);
    s.out.opened = true;
    write_segment(&s, 9, 0, 95 * SECOND, 0);
    s.out.opened = false;
    CHECK(log_next_opening(&s.h, 0) == 2 && log_next_opening(&s.h, 3) == s.h.count);
    expect(&s.h, 9, 0, 0, TCP_TIME_WAIT, TCP_SYN_RCVD, 9);
    expect(&s.h, 9, 0, 1, TCP_CLOSED, TCP_SYN_SENT, 9);
    CHECK(log_find(&s.h, 9, 0, &v) && v.opened && v.count == 2);
    CHECK(log_step(&v, 0, &got) && got.has_dwell && got.dwell_ns == 15 * SECOND);
    CHECK(log_find(&s.h, 10, 0, &v) && !v.opened);
}

/* Each incarnation begins with the first entry of its SYN. */
static void test_openings(void)
{
    struct script s;
    struct log_view v;

    begin(&s, TCP_CLOSED, TCP_LISTEN);
    CHECK(log_next_opening(&s.h, 0) == 0);
    step(&s, 0, TCP_SYN_SENT, TCP_EV_SND_SYN); /* entries 0 and 1 */
    step(&s, 1, TCP_SYN_RCVD, TCP_EV_RCV_SYN);
    s.out.opened = true;
    write_segment(&s, 1, 3, 1 * SECOND, 1);
    s.out.opened = true; /* entry 2: in the same frame */
    write_segment(&s, 1, 5, 1 * SECOND, 1);
    s.out.opened = true; /* entry 3: in the same layer of the next frame */
    write_segment(&s, 2, 5, 2 * SECOND, 1);
    step(&s, 0, TCP_CLOSED, TCP_EV_SND_RST); /* entries 4 and 5 */
    step(&s, 1, TCP_LISTEN, TCP_EV_RCV_RST);
    write_segment(&s, 3, 5, 4 * SECOND, 1);
    step(&s, 0, TCP_SYN_SENT, TCP_EV_SND_SYN); /* entries 6 and 7 */
    step(&s, 1, TCP_SYN_RCVD, TCP_EV_RCV_SYN);
    s.out.opened = true;
    write_segment(&s, 4, 5, 5 * SECOND, 1);

    CHECK(log_next_opening(&s.h, 0) == 0 && log_next_opening(&s.h, 1) == 2 && log_next_opening(&s.h, 2) == 2);
    CHECK(log_next_opening(&s.h, 3) == 3 && log_next_opening(&s.h, 4) == 6 && log_next_opening(&s.h, 6) == 6);
    CHECK(log_next_opening(&s.h, 7) == 8 && log_next_opening(&s.h, 8) == 8 && log_next_opening(&s.h, 9) == 8);

    log_at(&s.h, 5, &v); /* as after frame 3 */
    CHECK(v.end[0].state == TCP_CLOSED && v.end[1].state == TCP_LISTEN && v.count == 0 && v.first == 6);
    CHECK(v.end[0].previous == TCP_CLOSED && v.end[0].since_frame == 3 && v.end[0].since_ns == 4 * SECOND);
    CHECK(v.end[0].event == TCP_EV_SND_RST && v.end[1].event == TCP_EV_RCV_RST && !v.opened);
    CHECK(log_find(&s.h, 4, 5, &v) && v.count == 2 && v.opened && v.end[1].previous == TCP_LISTEN);
}

/* A correction reaches back over what was assumed since, four states, and not into another incarnation. */
static void test_correction_reaches(void)
{
    struct script s;

    begin(&s, TCP_ESTABLISHED, TCP_ESTABLISHED);
    step(&s, 0, TCP_FIN_WAIT_1, TCP_EV_SND_FIN);
    write_segment(&s, 1, 0, 1 * SECOND, 1);
    step(&s, 0, TCP_FIN_WAIT_2, TCP_EV_RCV_ACK_OF_FIN);
    step(&s, 0, TCP_TIME_WAIT, TCP_EV_RCV_FIN);
    step(&s, 0, TCP_CLOSED, TCP_EV_RCV_RST);
    write_segment(&s, 2, 0, 2 * SECOND, 0);
    step(&s, 0, TCP_FIN_WAIT_1, TCP_EV_FIN_REPEATED); /* three states back */
    write_segment(&s, 3, 0, 3 * SECOND, 1);
    expect(&s.h, 3, 0, 0, TCP_CLOSED, TCP_FIN_WAIT_1, 1);
    step(&s, 0, TCP_ESTABLISHED, TCP_EV_NOT_A_FIN); /* that is older than the capture */
    write_segment(&s, 4, 0, 4 * SECOND, 1);
    expect(&s.h, 4, 0, 0, TCP_FIN_WAIT_1, TCP_ESTABLISHED, 0);

    static const uint8_t opens_and_closes[] = {
        TCP_SYN_RCVD, TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2, TCP_TIME_WAIT
    };
    for (unsigned back = 4; back <= 5; back++) {
        begin(&s, TCP_LISTEN, TCP_SYN_SENT);
        for (uint32_t n = 0; n < sizeof opens_and_closes; n++) {
            step(&s, 0, opens_and_closes[n], TCP_EV_RCV_SYN);
            write_segment(&s, n + 1, 0, n * SECOND, 0);
        }
        step(&s, 0, back == 4 ? TCP_SYN_RCVD : TCP_LISTEN, TCP_EV_SYN_ACK_REPEATED);
        write_segment(&s, 6, 0, 6 * SECOND, 0);
        expect(&s.h, 6, 0, 0, TCP_TIME_WAIT, back == 4 ? TCP_SYN_RCVD : TCP_LISTEN, back == 4 ? 1 : 6);
    }

    begin(&s, TCP_CLOSED, TCP_CLOSED);
    step(&s, 0, TCP_SYN_SENT, TCP_EV_SND_SYN);
    write_segment(&s, 1, 0, 1 * SECOND, 1);
    step(&s, 0, TCP_CLOSED, TCP_EV_RCV_RST);
    write_segment(&s, 2, 0, 2 * SECOND, 0);
    step(&s, 0, TCP_SYN_RCVD, TCP_EV_RCV_SYN); /* a new incarnation */
    s.out.opened = true;
    write_segment(&s, 3, 0, 3 * SECOND, 0);
    step(&s, 0, TCP_SYN_SENT, TCP_EV_SYN_BEFORE_PEERS);
    write_segment(&s, 4, 0, 4 * SECOND, 1);
    expect(&s.h, 4, 0, 0, TCP_SYN_RCVD, TCP_SYN_SENT, 4);
}

/* The events that tell that a step before was wrong. */
static void test_which_events_correct(void)
{
    static const uint8_t correcting[] = {
        TCP_EV_SYN_REPEATED, TCP_EV_SYN_ACK_REPEATED, TCP_EV_FIN_REPEATED, TCP_EV_FIN_BEFORE_PEERS,
        TCP_EV_FIN_NOT_COVERED, TCP_EV_ALIVE_AFTER_RST, TCP_EV_ALIVE_AFTER_OWN_RST, TCP_EV_ALIVE_AFTER_CLOSE,
        TCP_EV_OLD_CONNECTION, TCP_EV_NOT_A_FIN, TCP_EV_SYN_BEFORE_PEERS, TCP_EV_SYN_ACK_BEFORE_ACK,
    };

    for (unsigned event = TCP_EV_NONE; event <= TCP_EV_RCV_ICMP; event++)
        CHECK(tcp_event_corrects((uint8_t)event) == (memchr(correcting, (int)event, sizeof correcting) != NULL));
}

/* Which end is local is the owner's to tell: every entry from then on has it. */
static void test_local(void)
{
    struct script s;
    struct log_view v;

    begin(&s, TCP_ESTABLISHED, TCP_ESTABLISHED);
    write_segment(&s, 1, 0, 0, 0);
    s.h.facts.local = 1;
    s.h.facts.local_by = 5;
    write_segment(&s, 2, 0, 0, 3);
    write_segment(&s, 3, 0, 0, 0);
    CHECK(log_find(&s.h, 1, 0, &v) && v.local == 0 && v.local_by == 0);
    CHECK(log_find(&s.h, 2, 0, &v) && v.local == 1 && v.local_by == 5);
    CHECK(log_find(&s.h, 3, 0, &v) && v.local == 1 && v.local_by == 5);
}

/* That an end stays in CLOSE_WAIT for too long is told once of each stay, by its first segment there without data. */
static void test_stuck(void)
{
    const struct tcpfsm_segment ack = { .flags = TCP_ACK }, data = { .flags = TCP_ACK, .len = 1 };
    struct script s;

    for (unsigned end = 0; end < 2; end++) {
        begin(&s, TCP_ESTABLISHED, TCP_ESTABLISHED);
        CHECK(!log_notes_stuck(&s.h, end, &ack, 100 * SECOND, 60 * SECOND)); /* nothing is known yet */
        step(&s, end, TCP_CLOSE_WAIT, TCP_EV_RCV_FIN);
        step(&s, !end, TCP_FIN_WAIT_1, TCP_EV_SND_FIN);
        write_segment(&s, 1, 0, 0, 0);
        CHECK(!log_notes_stuck(&s.h, end, &ack, 60 * SECOND, 60 * SECOND));
        CHECK(!log_notes_stuck(&s.h, end, &data, 61 * SECOND, 60 * SECOND));
        CHECK(!log_notes_stuck(&s.h, !end, &ack, 61 * SECOND, 60 * SECOND));
        CHECK(log_notes_stuck(&s.h, end, &ack, 61 * SECOND, 60 * SECOND));
        CHECK(!log_notes_stuck(&s.h, end, &ack, 62 * SECOND, 60 * SECOND));
        write_segment(&s, 2, 0, 61 * SECOND, 0);
        CHECK(!log_notes_stuck(&s.h, end, &ack, 63 * SECOND, 60 * SECOND));

        step(&s, !end, TCP_CLOSE_WAIT, TCP_EV_RCV_FIN); /* the other, too, in a capture that lacks much */
        write_segment(&s, 3, 0, 64 * SECOND, 0);
        CHECK(log_notes_stuck(&s.h, !end, &ack, 164 * SECOND, 60 * SECOND));
        CHECK(!log_notes_stuck(&s.h, end, &ack, 164 * SECOND, 60 * SECOND));
        write_segment(&s, 4, 0, 164 * SECOND, 0);

        step(&s, end, TCP_LAST_ACK, TCP_EV_SND_FIN); /* it leaves, and comes again */
        step(&s, end, TCP_CLOSED, TCP_EV_RCV_ACK_OF_FIN);
        step(&s, end, TCP_CLOSE_WAIT, TCP_EV_RCV_FIN);
        write_segment(&s, 5, 0, 200 * SECOND, 0);
        CHECK(!log_notes_stuck(&s.h, !end, &ack, 300 * SECOND, 60 * SECOND));
        CHECK(log_notes_stuck(&s.h, end, &ack, 300 * SECOND, 60 * SECOND));
    }
    begin(&s, TCP_CLOSE_WAIT, TCP_FIN_WAIT_2); /* since when is not known */
    write_segment(&s, 1, 0, 0, 0);
    CHECK(!log_notes_stuck(&s.h, 0, &ack, 100 * SECOND, 60 * SECOND));
}

/* ------------------------------------------------------------------ the end of the capture */

static void check_final(const struct log *h, uint32_t index, int64_t end_s, struct final_view *final)
{
    const struct final_limits limits = { .end_ns = end_s * SECOND, .time_wait_ns = 60 * SECOND,
                                         .stuck_ns = 60 * SECOND };

    final_of(h, index, &limits, final);
}

/* The ends that entered on that segment a state in which they were left open: 1, 2, or 3 for both. */
static unsigned left_open_on(const struct log *h, uint32_t frame, const struct final_view *final)
{
    struct log_view v;

    CHECK(log_find(h, frame, 0, &v));
    return ends_left_open(&v, final);
}

/* A leak: end 0 has closed, end 1 never does. Only past stuck_ns, and a warning only where its own segments prove it. */
static void test_left_open(void)
{
    struct final_view final;
    struct script s;

    for (unsigned proved = 0; proved < 2; proved++) {
        begin(&s, TCP_ESTABLISHED, TCP_ESTABLISHED);
        step(&s, 0, TCP_FIN_WAIT_1, TCP_EV_SND_FIN);
        step(&s, 1, TCP_CLOSE_WAIT, TCP_EV_RCV_FIN);
        write_segment(&s, 1, 0, 0, 1);
        step(&s, 0, TCP_FIN_WAIT_2, TCP_EV_RCV_ACK_OF_FIN);
        write_segment(&s, 2, 0, SECOND, proved << 1);
        for (uint32_t index = 0; index < s.h.count; index++) {
            check_final(&s.h, index, 60, &final);
            CHECK(!final.left_open && final.end[1].age_ns == 60 * SECOND);
            check_final(&s.h, index, 61, &final);
            CHECK(final.left_open && final.end[1].left_open && !final.end[0].left_open);
            check_final(&s.h, index, 62, &final);
            CHECK(final.end[0].left_open && final.end[0].age_ns == 61 * SECOND && final.end[0].since_frame == 2);
        }
        CHECK(final_is_proved_leak(&final.end[1]) == proved && !final_is_proved_leak(&final.end[0]));
        CHECK(left_open_on(&s.h, 1, &final) == 2); /* not FIN_WAIT_1, which was left */
        CHECK(left_open_on(&s.h, 2, &final) == 1);
        CHECK(left_open_on(&s.h, 3, &final) == 0);
        CHECK(anomaly_of_left_open(&final, 2) == (proved ? TCP_ANOMALY_LEFT_OPEN : TCP_ANOMALY_LEFT_OPEN_ASSUMED));
        CHECK(anomaly_of_left_open(&final, 3) == anomaly_of_left_open(&final, 2));
        CHECK(anomaly_of_left_open(&final, 1) == TCP_ANOMALY_LEFT_OPEN_ASSUMED);
        step(&s, 0, TCP_FIN_WAIT_1, TCP_EV_FIN_REPEATED); /* a proof: it never left that */
        write_segment(&s, 4, 0, 3 * SECOND, proved << 1);
        check_final(&s.h, 0, 64, &final);
        CHECK(left_open_on(&s.h, 1, &final) == 3);
        CHECK(left_open_on(&s.h, 4, &final) == 0); /* left open since frame 1 */
    }
}

/* Nothing is said of a state that has not lasted for long enough; FIN_WAIT_2, however proved, leaks no socket. */
static void test_not_left_open(void)
{
    struct final_view final;
    struct script s;

    begin(&s, TCP_ESTABLISHED, TCP_FIN_WAIT_1);
    step(&s, 0, TCP_CLOSE_WAIT, TCP_EV_RCV_FIN);
    step(&s, 1, TCP_FIN_WAIT_2, TCP_EV_RCV_ACK_OF_FIN);
    write_segment(&s, 1, 0, 0, 2);
    check_final(&s.h, 0, 60, &final);
    CHECK(left_open_on(&s.h, 1, &final) == 0);
    check_final(&s.h, 0, 61, &final);
    CHECK(left_open_on(&s.h, 1, &final) == 3);
    CHECK(final.end[1].confirmed && !final_is_proved_leak(&final.end[1]));
    CHECK(anomaly_of_left_open(&final, 3) == TCP_ANOMALY_LEFT_OPEN_ASSUMED);
}

/* What is told of a race and of proofs belongs to the segment itself, not to what comes before or after it. */
static void test_neighbours(void)
{
    struct log_race races[] = { { .idle_ns = 5 * SECOND, .entry = 1 }, { .idle_ns = 6 * SECOND, .entry = 0 } };
    struct script s;
    struct log_view v;

    begin(&s, TCP_ESTABLISHED, TCP_ESTABLISHED);
    s.h.race = races;
    s.h.races = 1; /* the second is of nothing yet */
    step(&s, 0, TCP_FIN_WAIT_1, TCP_EV_SND_FIN);
    write_segment(&s, 1, 0, 0, 1);
    step(&s, 0, TCP_CLOSED, TCP_EV_SND_RST);
    write_segment(&s, 9, 0, SECOND, 1);
    CHECK(log_find(&s.h, 1, 0, &v) && log_race_idle_ns(&v) == -1);
    CHECK(!log_confirmed_before(&v, 0) && !log_confirmed_before(&v, 1));
    CHECK(log_find(&s.h, 5, 0, &v) && log_race_idle_ns(&v) == -1);
    CHECK(log_find(&s.h, 9, 0, &v) && log_race_idle_ns(&v) == 5 * SECOND);
    CHECK(log_confirmed_before(&v, 0) && !log_confirmed_before(&v, 1));
}

/* TIME_WAIT runs out by its timer, which proves nothing. What the sockets began later has its own end. */
static void test_final_of_two_incarnations(void)
{
    struct final_view final;
    struct script s;

    begin(&s, TCP_FIN_WAIT_2, TCP_CLOSE_WAIT);
    step(&s, 0, TCP_TIME_WAIT, TCP_EV_RCV_FIN);
    step(&s, 1, TCP_LAST_ACK, TCP_EV_SND_FIN);
    write_segment(&s, 1, 0, 0, 3);
    check_final(&s.h, 0, 59, &final);
    CHECK(final.end[0].state == TCP_TIME_WAIT && final.end[0].confirmed && !final.superseded);
    check_final(&s.h, 0, 60, &final);
    CHECK(final.end[0].state == TCP_CLOSED && !final.end[0].confirmed && final.end[0].age_ns == 0);
    CHECK(final.end[0].since_frame == 0 && final.end[1].state == TCP_LAST_ACK && !final.left_open);

    s.out.opened = true;
    step(&s, 0, TCP_SYN_SENT, TCP_EV_SND_SYN);
    step(&s, 1, TCP_SYN_RCVD, TCP_EV_RCV_SYN);
    write_segment(&s, 5, 0, 100 * SECOND, 1);
    check_final(&s.h, 1, 1000, &final);
    CHECK(final.superseded && !final.left_open); /* LAST_ACK for 100 s, but then the sockets went on */
    CHECK(final.end[1].state == TCP_LAST_ACK && final.end[1].age_ns == 100 * SECOND);
    CHECK(final.end[0].state == TCP_CLOSED && final.end[0].age_ns == 40 * SECOND);
    check_final(&s.h, 3, 1000, &final);
    CHECK(!final.superseded && final.end[1].left_open && final.end[0].state == TCP_SYN_SENT);
    CHECK(!final.end[0].left_open); /* its timer ends SYN_SENT */
    CHECK(log_opening_of(&s.h, 3) == 2 && log_opening_of(&s.h, 1) == 0);
}

/* A state older than the capture counts from the first segment. */
static void test_final_of_an_older_state(void)
{
    struct final_view final;
    struct script s;

    begin(&s, TCP_ESTABLISHED, TCP_CLOSE_WAIT);
    write_segment(&s, 1, 0, 7 * SECOND, 2);
    check_final(&s.h, 0, 68, &final);
    CHECK(final.end[1].at_least && final.end[1].age_ns == 61 * SECOND && final.end[1].left_open);
    CHECK(left_open_on(&s.h, 1, &final) == 0); /* no segment of the capture entered it */
    check_final(&s.h, 0, 0, &final);
    CHECK(final.end[1].age_ns == 0); /* time stamps that run backwards */
}

/* Writes an entry of a handshake of end 0, the client, with end 1; *ms is the moment. */
static void write_at(struct script *s, int64_t ms)
{
    write_segment(s, s->h.count + 1, 0, ms * 1000000, 3);
}

static void write_handshake(struct script *s, bool complete)
{
    begin(s, TCP_CLOSED, TCP_LISTEN);
    s->m.client = 0;
    step(s, 0, TCP_SYN_SENT, TCP_EV_SND_SYN);
    step(s, 1, TCP_SYN_RCVD, TCP_EV_RCV_SYN);
    s->out.opened = true;
    write_at(s, 100);
    step(s, 0, TCP_ESTABLISHED, TCP_EV_RCV_SYN_ACK);
    write_at(s, 200);
    if (!complete)
        return;
    step(s, 1, TCP_ESTABLISHED, TCP_EV_RCV_ACK_OF_SYN);
    write_at(s, 300);
}

static uint8_t attempt_in(const struct script *s)
{
    struct final_view final;

    check_final(&s->h, s->h.count - 1, 10, &final);
    return final.attempt;
}

/* Accepted and closed at once: by the server, within a second of the moment when it had opened. */
static void test_closed_at_once(void)
{
    struct script s;

    write_handshake(&s, true);
    step(&s, 1, TCP_FIN_WAIT_1, TCP_EV_SND_FIN);
    s.m.closed_by = TCP_CLOSER_SERVER;
    write_at(&s, 1300);
    CHECK(attempt_in(&s) == ATTEMPT_CLOSED_AT_ONCE);

    write_handshake(&s, false); /* it never opened */
    step(&s, 1, TCP_CLOSED, TCP_EV_SND_RST);
    s.m.closed_by = TCP_CLOSER_RESET_BY_SERVER;
    write_at(&s, 400);
    CHECK(attempt_in(&s) == ATTEMPT_NONE);

    write_handshake(&s, true); /* when its FIN left was not captured */
    step(&s, 1, TCP_FIN_WAIT_1, TCP_EV_FIN_BEFORE_PEERS);
    s.m.closed_by = TCP_CLOSER_SERVER;
    write_at(&s, 400);
    CHECK(attempt_in(&s) == ATTEMPT_NONE);

    write_handshake(&s, true); /* the client's FIN is not the server's */
    step(&s, 0, TCP_FIN_WAIT_1, TCP_EV_SND_FIN);
    write_at(&s, 400);
    step(&s, 1, TCP_CLOSED, TCP_EV_SND_RST);
    s.m.closed_by = TCP_CLOSER_RESET_BY_SERVER;
    write_at(&s, 5000);
    CHECK(attempt_in(&s) == ATTEMPT_NONE);
}

/* Given up, by the cause of the RST, whoever ended the connection; not once data had been sent. */
static void test_given_up(void)
{
    struct script s;

    for (unsigned sent = 0; sent < 3; sent++) {
        write_handshake(&s, false);
        for (unsigned i = 0; i < 2; i++) {
            s.m.end[i].iss = 100;
            s.m.end[i].snd_nxt = 101 + (sent == i + 1);
            s.m.end[i].knows_iss = s.m.end[i].knows_snd_nxt = true;
        }
        step(&s, 0, TCP_CLOSED, TCP_EV_SND_RST);
        s.m.reset_cause = RESET_HANDSHAKE_GIVEN_UP;
        write_at(&s, 400);
        CHECK(attempt_in(&s) == (sent ? ATTEMPT_NONE : ATTEMPT_GIVEN_UP));
    }
}

/* Whichever end stays. */
static void test_left_open_by_either(void)
{
    struct final_view final;
    struct script s;

    for (unsigned end = 0; end < 2; end++) {
        begin(&s, TCP_ESTABLISHED, TCP_ESTABLISHED);
        step(&s, end, TCP_CLOSE_WAIT, TCP_EV_RCV_FIN);
        write_segment(&s, 1, 0, 0, 0);
        check_final(&s.h, 0, 61, &final);
        CHECK(final.left_open && final.end[end].left_open && !final.end[!end].left_open);
    }
}

int main(void)
{
    CHECK(sizeof(struct log_entry) == 24);
    CHECK(log_elapsed_ns(INT64_MIN, INT64_MAX) == INT64_MAX);
    CHECK(log_elapsed_ns(-2, 5) == 7);
    CHECK(log_elapsed_ns(5, 3) == 0 && log_elapsed_ns(3, 5) == 2 && log_elapsed_ns(5, 5) == 0);
    CHECK(log_elapsed_ns(-1, INT64_MAX - 1) == INT64_MAX && log_elapsed_ns(-2, INT64_MAX - 1) == INT64_MAX);
    test_lookup();
    test_first_without_transition();
    test_steps();
    test_correction();
    test_incarnations();
    test_openings();
    test_correction_reaches();
    test_which_events_correct();
    test_local();
    test_stuck();
    test_left_open();
    test_not_left_open();
    test_neighbours();
    test_final_of_two_incarnations();
    test_final_of_an_older_state();
    test_closed_at_once();
    test_given_up();
    test_left_open_by_either();
    return failures != 0;
}
