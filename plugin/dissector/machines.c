/* machines.c
 * The machines of all connections in the file: a bounded number at work, the others packed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "machines.h"

#include "blocks.h"
#include "packing.h"

#include <epan/wmem_scopes.h>

/* A build for tests has few, and moves a machine each time that it is asked for. */
#ifndef MACHINES_AT_WORK
#define MACHINES_AT_WORK 8192
#endif
#ifndef MACHINES_MOVE_ALWAYS
#define MACHINES_MOVE_ALWAYS 0
#endif
#ifndef MACHINES_LONG_LOG
#define MACHINES_LONG_LOG 64 /* entries */
#endif

#define PLACES_MAX 0x7fff /* those kept for good included: as many as struct machine_place can tell apart */
#define AT_ONCE 16        /* places for which memory is taken at a time */
#define FIRST_ROOM 12     /* entries of a log */

struct place {
    struct tcpfsm machine;
    struct log *log;           /* of the connection that has the place */
    struct machine_place *holder;  /* in that connection; NULL: the place is free */
    struct log_entry *entry;   /* its log */
    uint32_t room;                 /* for so many entries; it remains with the place */
    uint32_t rest_octets;
    void    *rest;                 /* the block in which it rested before, for the next time; NULL: none */
    bool     used;                 /* since the hand came by */
    struct log_entry first_room[FIRST_ROOM];
};

/* By index: 0 is none, then the places that go round, then those that are kept. Beyond the count: of older files. */
static struct place *places[PLACES_MAX + 1];

static struct {
    unsigned count; /* of places that go round */
    unsigned kept;  /* of those kept for good */
    unsigned hand;  /* index of the place that was taken from its connection last */
    struct place *spare;
    unsigned spares;
} work;

/* ------------------------------------------------------------------ blocks for what rests */

static uint32_t block_octets(uint32_t entries, size_t packed)
{
    return block_size(entries * sizeof(struct log_entry) + packed);
}

static void drop_rest(struct place *p)
{
    if (p->rest && p->holder->own_block)
        wmem_free(wmem_file_scope(), p->rest);
    else if (p->rest)
        block_give(p->rest, p->rest_octets);
    p->rest = NULL;
    p->holder->own_block = 0;
}

/*
 * A block for what is in the place: the one in which that rested before, if it will do. Where a connection has
 * outgrown its block, the next one is the allocator's: that may have to grow again.
 */
static void *block_for(struct place *p, uint32_t octets)
{
    if (p->rest && p->rest_octets == octets)
        return p->rest;
    if (p->rest && p->holder->own_block)
        return wmem_realloc(wmem_file_scope(), p->rest, octets);
    if (!p->rest && octets <= BLOCK_MAX)
        return block_take(octets);
    drop_rest(p);
    p->holder->own_block = 1;
    return wmem_alloc(wmem_file_scope(), octets);
}

/* ------------------------------------------------------------------ places */

static struct place *new_place(void)
{
    if (work.spares == 0) {
        work.spare = wmem_alloc_array(wmem_file_scope(), struct place, AT_ONCE);
        work.spares = AT_ONCE;
    }
    struct place *p = work.spare++;
    work.spares--;
    p->entry = p->first_room;
    p->room = FIRST_ROOM;
    p->holder = NULL;
    p->used = false;
    return p;
}

/* Makes the log's room larger. */
static void enlarge(struct place *p, uint32_t entries, uint32_t used)
{
    struct log_entry *old = p->entry;

    p->room += p->room / 2;
    if (p->room < entries)
        p->room = entries;
    p->entry = wmem_alloc_array(wmem_file_scope(), struct log_entry, p->room);
    memcpy(p->entry, old, used * sizeof *old);
    if (old != p->first_room)
        wmem_free(wmem_file_scope(), old);
}

/* Puts log and machine into a block of their own. */
static void *put_to_rest(struct place *p)
{
    uint8_t packed[TCPFSM_PACKED_MAX];
    const size_t packed_octets = tcpfsm_pack(&p->machine, packed);
    struct log_entry *entry =
        (struct log_entry *)block_for(p, block_octets(p->log->count, packed_octets));

    memcpy(entry, p->entry, p->log->count * sizeof *entry);
    memcpy(entry + p->log->count, packed, packed_octets);
    return entry;
}

/* The place is free then. */
static void leave(struct place *p)
{
    p->log->entry = (struct log_entry *)put_to_rest(p);
    p->holder->index = 0;
    p->holder = NULL;
}

static bool is_to_be_kept(const struct place *p)
{
    return p->log->count > MACHINES_LONG_LOG && MACHINES_AT_WORK + work.kept < PLACES_MAX;
}

/* The next place, going round, that was not used since the hand came by. */
static unsigned unused_place(void)
{
    for (;;) {
        work.hand = work.hand % work.count + 1;
        if (!places[work.hand]->used)
            return work.hand;
        places[work.hand]->used = false;
    }
}

/* The place remains with its connection; another one goes round instead. */
static void keep(struct place *p, unsigned index)
{
    const unsigned apart = MACHINES_AT_WORK + ++work.kept;

    drop_rest(p);
    places[apart] = p;
    p->holder->index = apart & PLACES_MAX;
    places[index] = new_place();
}

/* Index of a place that is free now. */
static unsigned free_place(void)
{
    if (work.count < MACHINES_AT_WORK) {
        places[++work.count] = new_place();
        return work.count;
    }
    const unsigned index = unused_place();
    struct place *p = places[index];
    if (p->holder && is_to_be_kept(p))
        keep(p, index);
    else if (p->holder)
        leave(p);
    return index;
}

/* Log and machine move from their block into the place. */
static void return_to_work(struct place *p, const struct log *log)
{
    if (p->room < log->count)
        enlarge(p, log->count, 0);
    memcpy(p->entry, log->entry, log->count * sizeof *p->entry);
    const size_t packed = tcpfsm_unpack(&p->machine, (const uint8_t *)(log->entry + log->count));
    p->rest = log->entry;
    p->rest_octets = block_octets(log->count, packed);
}

static struct place *occupy(struct log *log, struct machine_place *place)
{
    if (place->index) /* so in a build for tests only */
        leave(places[place->index]);
    const unsigned index = free_place();
    struct place *p = places[index];

    p->log = log;
    p->holder = place;
    p->used = false; /* what comes once is first to go */
    p->rest = NULL;
    if (log->entry)
        return_to_work(p, log);
    else
        memset(&p->machine, 0, sizeof p->machine);
    log->entry = p->entry;
    place->index = index & PLACES_MAX;
    return p;
}

/* The place that a connection has, or one that it has from now on. */
static inline struct place *place_of(struct log *log, struct machine_place *place)
{
    if (!place->index || MACHINES_MOVE_ALWAYS)
        return occupy(log, place);
    places[place->index]->used = true;
    return places[place->index];
}

struct tcpfsm *machine_at_work(struct log *log, struct machine_place *place)
{
    return &place_of(log, place)->machine;
}

void machine_copy(struct log *log, struct machine_place *place, const struct log *other_log,
                  const struct machine_place *other)
{
    struct tcpfsm *copy = machine_at_work(log, place);

    if (other->index)
        *copy = places[other->index]->machine;
    else if (other_log->entry)
        tcpfsm_unpack(copy, (const uint8_t *)(other_log->entry + other_log->count));
}

void machine_log_room(struct log *log, const struct machine_place *place, uint32_t entries)
{
    struct place *p = places[place->index];

    if (p->room - log->count >= entries)
        return;
    enlarge(p, log->count + entries, log->count);
    log->entry = p->entry;
}

void machines_forget_all(void)
{
    memset(&work, 0, sizeof work);
    blocks_forget_all();
}
