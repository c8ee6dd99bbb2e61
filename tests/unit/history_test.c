/* history_test.c
 * The log of transitions: what is shown on a segment, asked in any order.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "history.h"

#include "tcpfsm.h"

#include <stdio.h>

static int failures;

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            failures++; \
        } \
    } while (0)

/* Client and server states after a segment, and what they were before it. */
static struct history_entry entry(uint32_t frame, uint8_t layer, uint8_t before, uint8_t after)
{
    return (struct history_entry){ .frame = frame, .layer = layer,
                                   .end = { { after, before, 1 }, { TCP_ESTABLISHED, TCP_ESTABLISHED, 1 } } };
}

static void append(struct history *h, struct history_entry e)
{
    CHECK(!history_is_full(h));
    history_append(h, &e);
}

/* Checks the first end's state on a segment. */
static void expect(const struct history *h, uint32_t frame, uint8_t layer, uint8_t before, uint8_t after)
{
    struct history_entry found;
    CHECK(history_find(h, frame, layer, &found));
    CHECK(found.end[0].previous == before);
    CHECK(found.end[0].state == after);
}

int main(void)
{
    struct history_entry room[4];
    struct history h = { .entry = room, .capacity = 4 };
    struct history_entry found;

    CHECK(!history_find(&h, 1, 0, &found));

    append(&h, entry(10, 3, TCP_ESTABLISHED, TCP_FIN_WAIT_1));
    append(&h, entry(11, 3, TCP_FIN_WAIT_1, TCP_FIN_WAIT_1)); /* nothing new: not kept */
    CHECK(h.count == 1);
    append(&h, entry(20, 3, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2)); /* two segments in one frame */
    append(&h, entry(20, 5, TCP_FIN_WAIT_2, TCP_TIME_WAIT));
    struct history_entry doubtful = entry(30, 3, TCP_TIME_WAIT, TCP_TIME_WAIT);
    doubtful.end[0].confirmed = 0; /* the state stays, its proof does not: kept */
    append(&h, doubtful);
    CHECK(h.count == 4 && history_is_full(&h));

    CHECK(!history_find(&h, 9, 3, &found));
    CHECK(!history_find(&h, 10, 2, &found));
    expect(&h, UINT32_MAX, UINT8_MAX, TCP_TIME_WAIT, TCP_TIME_WAIT);
    expect(&h, 20, 5, TCP_FIN_WAIT_2, TCP_TIME_WAIT);
    expect(&h, 20, 4, TCP_FIN_WAIT_2, TCP_FIN_WAIT_2);
    expect(&h, 20, 3, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2);
    expect(&h, 19, 3, TCP_FIN_WAIT_1, TCP_FIN_WAIT_1);
    expect(&h, 10, 3, TCP_ESTABLISHED, TCP_FIN_WAIT_1);
    expect(&h, 10, 9, TCP_FIN_WAIT_1, TCP_FIN_WAIT_1);
    CHECK(history_find(&h, 29, 0, &found) && found.end[0].confirmed == 1);
    CHECK(history_find(&h, 30, 3, &found) && found.end[0].confirmed == 0);
    return failures != 0;
}
