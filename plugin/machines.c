/* machines.c
 * The machines of all connections in the file: a bounded number at work, the others packed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "machines.h"

#include "packing.h"

#include <wireshark.h>
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

/* Segments that wait, at rest. */
struct waiting_packed {
    int64_t from_ns; /* time of the first */
    struct sighting_packed segment[MACHINE_WAITING_MAX];
};

struct place {
    struct tcpfsm machine;
    struct history *log;           /* of the connection that has the place */
    struct machine_place *holder;  /* in that connection; NULL: the place is free */
    struct history_entry *entry;   /* its log */
    uint32_t room;                 /* for so many entries; it remains with the place */
    uint32_t rest_octets;
    void    *rest;                 /* the block in which it rested before, for the next time; NULL: none */
    bool     used;                 /* since the hand came by */
    union {
        struct history_entry first_room[FIRST_ROOM];
        struct sighting waiting[MACHINE_WAITING_MAX]; /* while the holder has any */
    };
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

/*
 * Most connections come to rest once, at their end. Their blocks lie side by side, without the header and the
 * rounding that the allocator needs; the few that are given back wait, each size by itself, for another one.
 * Where a connection has outgrown its block, the next one is the allocator's: that may have to grow again.
 */
#define GRAIN 8         /* octets; the size of a block is a multiple of it */
#define SHELF_MAX 2048u /* octets; larger blocks are the allocator's */
#define CHUNK_OCTETS 65536u

static struct {
    struct free_block {
        struct free_block *next;
    } *free[SHELF_MAX / GRAIN + 1];
    uint8_t *chunk; /* what is left of the latest one */
    uint32_t left;
} shelf;

static void give_back(void *block, uint32_t octets)
{
    struct free_block *freed = (struct free_block *)block;

    freed->next = shelf.free[octets / GRAIN];
    shelf.free[octets / GRAIN] = freed;
}

static void *take_block(uint32_t octets)
{
    struct free_block *freed = shelf.free[octets / GRAIN];

    if (freed) {
        shelf.free[octets / GRAIN] = freed->next;
        return freed;
    }
    if (shelf.left < octets) {
        if (shelf.left > 0)
            give_back(shelf.chunk, shelf.left);
        shelf.chunk = (uint8_t *)wmem_alloc(wmem_file_scope(), CHUNK_OCTETS);
        shelf.left = CHUNK_OCTETS;
    }
    uint8_t *block = shelf.chunk;
    shelf.chunk += octets;
    shelf.left -= octets;
    return block;
}

static uint32_t block_octets(uint32_t entries, size_t packed)
{
    const size_t octets = entries * sizeof(struct history_entry) + packed;

    return (uint32_t)((octets + GRAIN - 1) / GRAIN * GRAIN);
}

static void drop_rest(struct place *p)
{
    if (p->rest && p->holder->own_block)
        wmem_free(wmem_file_scope(), p->rest);
    else if (p->rest)
        give_back(p->rest, p->rest_octets);
    p->rest = NULL;
    p->holder->own_block = 0;
}

/* A block for what is in the place: the one in which that rested before, if it will do. */
static void *block_for(struct place *p, uint32_t octets)
{
    if (p->rest && p->rest_octets == octets)
        return p->rest;
    if (p->rest && p->holder->own_block)
        return wmem_realloc(wmem_file_scope(), p->rest, octets);
    if (!p->rest && octets <= SHELF_MAX)
        return take_block(octets);
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
    struct history_entry *old = p->entry;

    p->room += p->room / 2;
    if (p->room < entries)
        p->room = entries;
    p->entry = wmem_alloc_array(wmem_file_scope(), struct history_entry, p->room);
    memcpy(p->entry, old, used * sizeof *old);
    if (old != p->first_room)
        wmem_free(wmem_file_scope(), old);
}

static size_t octets_waiting(const struct machine_place *place)
{
    return offsetof(struct waiting_packed, segment) + place->waiting * sizeof(struct sighting_packed);
}

static void *put_waiting_to_rest(struct place *p)
{
    struct waiting_packed *rest =
        (struct waiting_packed *)block_for(p, block_octets(0, octets_waiting(p->holder)));

    rest->from_ns = p->waiting[0].time_ns;
    for (unsigned i = 0; i < p->holder->waiting; i++)
        sighting_pack(&p->waiting[i], rest->from_ns, &rest->segment[i]);
    return rest;
}

static void return_waiting(struct place *p)
{
    const struct waiting_packed *rest = (const struct waiting_packed *)p->rest;

    for (unsigned i = 0; i < p->holder->waiting; i++)
        sighting_unpack(&rest->segment[i], rest->from_ns, &p->waiting[i]);
    p->rest_octets = block_octets(0, octets_waiting(p->holder));
}

/* Puts what is in a place into a block of its own. */
static void *put_to_rest(struct place *p)
{
    uint8_t packed[TCPFSM_PACKED_MAX];

    if (p->holder->waiting)
        return put_waiting_to_rest(p);
    const size_t packed_octets = tcpfsm_pack(&p->machine, packed);
    struct history_entry *entry =
        (struct history_entry *)block_for(p, block_octets(p->log->count, packed_octets));
    memcpy(entry, p->entry, p->log->count * sizeof *entry);
    memcpy(entry + p->log->count, packed, packed_octets);
    return entry;
}

/* The place is free then. */
static void leave(struct place *p)
{
    p->log->entry = (struct history_entry *)put_to_rest(p);
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

/* What rested moves from its block into the place. */
static void return_to_work(struct place *p, const struct history *log)
{
    p->rest = log->entry;
    if (p->holder->waiting) {
        return_waiting(p);
        return;
    }
    if (p->room < log->count)
        enlarge(p, log->count, 0);
    memcpy(p->entry, log->entry, log->count * sizeof *p->entry);
    const size_t packed = tcpfsm_unpack(&p->machine, (const uint8_t *)(log->entry + log->count));
    p->rest_octets = block_octets(log->count, packed);
}

static struct place *occupy(struct history *log, struct machine_place *place)
{
    if (place->index) /* so in a build for tests only */
        leave(places[place->index]);
    const unsigned index = free_place();
    struct place *p = places[index];

    p->log = log;
    p->holder = place;
    p->used = false; /* what comes once is first to go */
    p->rest = NULL;
    memset(&p->machine, 0, sizeof p->machine);
    if (log->entry)
        return_to_work(p, log);
    log->entry = p->entry;
    place->index = index & PLACES_MAX;
    return p;
}

/* The place that a connection has, or one that it has from now on. */
static inline struct place *place_of(struct history *log, struct machine_place *place)
{
    if (!place->index || MACHINES_MOVE_ALWAYS)
        return occupy(log, place);
    places[place->index]->used = true;
    return places[place->index];
}

bool machine_wait(struct history *log, struct machine_place *place, const struct sighting *s)
{
    if (log->count > 0 || place->waiting == MACHINE_WAITING_MAX)
        return false;
    struct sighting *waiting = place_of(log, place)->waiting;
    if (!sighting_fits(s, place->waiting ? waiting[0].time_ns : s->time_ns))
        return false;
    waiting[place->waiting++] = *s;
    return true;
}

unsigned machine_take_waiting(struct history *log, struct machine_place *place,
                              struct sighting taken[MACHINE_WAITING_MAX])
{
    const unsigned count = place->waiting;

    if (count > 0)
        memcpy(taken, place_of(log, place)->waiting, count * sizeof *taken);
    place->waiting = 0;
    return count;
}

struct tcpfsm *machine_at_work(struct history *log, struct machine_place *place)
{
    return &place_of(log, place)->machine;
}

void machine_copy(struct history *log, struct machine_place *place, const struct history *other_log,
                  const struct machine_place *other)
{
    struct tcpfsm *copy = machine_at_work(log, place);

    if (other->index)
        *copy = places[other->index]->machine;
    else if (other_log->entry)
        tcpfsm_unpack(copy, (const uint8_t *)(other_log->entry + other_log->count));
}

void machine_log_room(struct history *log, const struct machine_place *place, uint32_t entries)
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
    memset(&shelf, 0, sizeof shelf);
}
