/* ladder_rows.c
 * The rows of a ladder: segments and, where a long run of them changed nothing, one row for all.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "ladder.h"

#include "names.h"
#include "numbers.h"

/* A longer run of segments that change nothing is folded. The RFC's figures have three at most. */
#define RUN_SHOWN 3

static bool is_plain(const struct ladder_row *row)
{
    return row->steps == 0 && !(row->flags & (TCP_SYN | TCP_FIN | TCP_RST));
}

static struct ladder_row *row_new(wmem_allocator_t *pool, struct ladder *ladder, uint8_t steps)
{
    struct ladder_row *row = ladder->spare;

    if (steps == 0 && row)
        ladder->spare = row->next;
    else
        row = (struct ladder_row *)wmem_alloc(pool, sizeof *row + steps * sizeof row->step[0]);
    memset(row, 0, sizeof *row);
    row->steps = steps;
    return row;
}

static struct ladder_row *row_of(wmem_allocator_t *pool, struct ladder *ladder, const packet_info *pinfo,
                                 const struct tcpstate_tap *tap)
{
    const struct log_view *shown = &tap->view.shown;
    struct log_step said;
    uint8_t steps = 0;

    for (uint32_t n = 0; n < shown->count; n++)
        steps = (uint8_t)(steps + log_step(shown, n, &said));
    struct ladder_row *row = row_new(pool, ladder, steps);
    row->time_ns = time_ns(&pinfo->abs_ts);
    row->frame = pinfo->num;
    row->of.segment.seq = tap->segment.seg.seq;
    row->of.segment.ack = tap->segment.seg.ack;
    row->of.segment.len = tap->segment.seg.len;
    row->src = (uint8_t)tap->view.src;
    row->flags = tap->segment.seg.flags;
    for (unsigned end = 0; end < 2; end++) {
        row->state[end] = shown->end[end].state;
        row->confirmed[end] = shown->end[end].confirmed;
    }
    struct ladder_step *step = row->step;
    for (uint32_t n = 0; n < shown->count; n++) {
        if (log_step(shown, n, &said))
            *step++ = (struct ladder_step){ .event = said.event, .entered = said.entered, .end = said.end };
    }
    return row;
}

static void append(struct ladder *ladder, struct ladder_row *row)
{
    if (ladder->last)
        ladder->last->next = row;
    else
        ladder->first = row;
    ladder->last = row;
}

static void count_in(struct ladder_row *fold, const struct ladder_row *row)
{
    fold->run++;
    fold->of.folded.octets[row->src] += row->of.segment.len;
    fold->of.folded.last_ns = row->time_ns;
    fold->of.folded.last_frame = row->frame;
}

/* Makes one row of the run's; the others are spare. */
static void fold_run(struct ladder *ladder)
{
    struct ladder_row *fold = ladder->run_from, *rest = fold->next;
    const struct ladder_row first = *fold;

    memset(&fold->of, 0, sizeof fold->of);
    fold->next = NULL;
    count_in(fold, &first);
    while (rest) {
        struct ladder_row *next = rest->next;
        count_in(fold, rest);
        rest->next = ladder->spare;
        ladder->spare = rest;
        rest = next;
    }
    ladder->last = fold;
}

static void add_plain(struct ladder *ladder, struct ladder_row *row)
{
    if (ladder->run_from && (ladder->run_from->run || ladder->run_rows == RUN_SHOWN)) {
        if (!ladder->run_from->run)
            fold_run(ladder);
        count_in(ladder->run_from, row);
        row->next = ladder->spare;
        ladder->spare = row;
        return;
    }
    append(ladder, row);
    if (!ladder->run_from) {
        ladder->run_from = row;
        ladder->run_rows = 0;
    }
    ladder->run_rows++;
}

void ladder_add(struct ladder *ladder, wmem_allocator_t *pool, const packet_info *pinfo,
                const struct tcpstate_tap *tap)
{
    struct ladder_row *row = row_of(pool, ladder, pinfo, tap);

    if (!ladder->first) {
        for (unsigned end = 0; end < 2; end++)
            ladder->initial[end] = tap->view.shown.end[end].previous;
    }
    if (is_plain(row)) {
        add_plain(ladder, row);
    } else {
        append(ladder, row);
        ladder->run_from = NULL;
    }
}

/* Appends "<ACK=101>". Returns the new end. */
static char *add_number(char *to, const char *name, uint32_t number)
{
    return g_stpcpy(number_write(g_stpcpy(to, name), number), ">");
}

const char *ladder_notation(const struct ladder_row *row, char text[LADDER_NOTATION_SIZE], const char **control,
                            const char **data)
{
    char flags[FLAGS_TEXT_SIZE], *to = add_number(text, "<SEQ=", row->of.segment.seq);

    if (row->flags & TCP_ACK)
        to = add_number(to, "<ACK=", row->of.segment.ack);
    if (control)
        *control = to;
    to = g_stpcpy(g_stpcpy(g_stpcpy(to, "<CTL="), tcp_flags_text(row->flags, flags)), ">");
    if (data)
        *data = to;
    if (row->of.segment.len)
        add_number(to, "<DATA=", row->of.segment.len);
    return text;
}
