/* incarnations.c
 * The connections that a listener of the tap was told of, each incarnation on its own.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "incarnations.h"

/* How far the log of a pair of sockets was read. */
struct sockets {
    struct incarnation *present;
    const struct log *log; /* of the pair's latest segment seen */
    uint32_t opening; /* index of the first entry of the present incarnation */
    uint32_t read;    /* entries that were read */
};

/* ------------------------------------------------------------------ what is remembered */

static void forget(struct incarnation_list *all)
{
    if (all->pool)
        wmem_destroy_allocator(all->pool);
    all->pool = NULL;
    all->first = all->last = NULL;
}

void incarnations_forget(struct incarnation_list *all)
{
    if (all->pool)
        wmem_unregister_callback(wmem_file_scope(), all->at_close);
    forget(all);
}

/* The logs end with the capture file: nothing may be shown of them any more. */
static ws_bool on_close(wmem_allocator_t *scope _U_, wmem_cb_event_t event _U_, void *data)
{
    forget((struct incarnation_list *)data);
    return false;
}

static void begin(struct incarnation_list *all)
{
    all->pool = wmem_allocator_new(WMEM_ALLOCATOR_BLOCK);
    all->pairs = wmem_map_new(all->pool, g_direct_hash, g_direct_equal);
    all->at_close = wmem_register_callback(wmem_file_scope(), on_close, all);
}

static struct sockets *pair_of(struct incarnation_list *all, uint32_t number)
{
    if (!all->pool)
        begin(all);
    struct sockets *pair = (struct sockets *)wmem_map_lookup(all->pairs, GUINT_TO_POINTER(number));
    if (!pair) {
        pair = wmem_new0(all->pool, struct sockets);
        wmem_map_insert(all->pairs, GUINT_TO_POINTER(number), pair);
    }
    return pair;
}

static struct incarnation *add(struct incarnation_list *all, const struct tcpstate_tap *said)
{
    struct incarnation *i = (struct incarnation *)wmem_alloc0(all->pool, all->record);
    const unsigned src = said->view.src;

    i->number = all->last ? all->last->number + 1 : 1;
    copy_address_wmem(all->pool, &i->address[src], &said->src);
    copy_address_wmem(all->pool, &i->address[!src], &said->dst);
    i->port[src] = said->srcport;
    i->port[!src] = said->destport;
    if (all->last)
        all->last->next = i;
    else
        all->first = i;
    all->last = i;
    return i;
}

/* ------------------------------------------------------------------ to which a segment belongs */

/* Reads on in the pair's log, up to an entry; returns whether an incarnation began there. A filter may hide its SYN. */
static bool reads_opening(struct sockets *pair, uint32_t end)
{
    const struct log so_far = { .entry = pair->log->entry, .count = end };
    bool found = false;

    for (uint32_t n = pair->read; (n = log_next_opening(&so_far, n)) < end; n++) {
        pair->opening = n;
        found = true;
    }
    pair->read = MAX(pair->read, end);
    return found;
}

/* Wireshark may put the same incarnation's next segments into another conversation, which has a log of its own. */
static bool begins_incarnation(struct sockets *pair, const struct log_view *shown)
{
    bool begins = !pair->present;

    if (pair->log != shown->log) {
        if (pair->log)
            begins |= reads_opening(pair, pair->log->count);
        pair->log = shown->log;
        pair->opening = pair->read = 0;
    }
    begins |= reads_opening(pair, shown->first + shown->count);
    return begins;
}

struct incarnation *incarnations_note(struct incarnation_list *all, const packet_info *pinfo,
                                      const struct tcpstate_tap *said)
{
    const struct log_view *shown = &said->view.shown;
    struct sockets *pair = pair_of(all, said->view.pair);

    if (begins_incarnation(pair, shown)) {
        pair->present = add(all, said);
        pair->present->start_ns = shown->log->entry[pair->opening].time_ns;
        pair->present->first_frame = pinfo->num;
    }
    struct incarnation *i = pair->present;
    i->log = pair->log;
    i->opening = pair->opening;
    i->last_frame = pinfo->num;
    i->client = shown->client;
    i->closed_by = shown->closed_by;
    i->midstream = shown->midstream;
    return i;
}

int64_t incarnation_elapsed_ns(const struct incarnation *i, int64_t time_ns)
{
    return time_ns < i->start_ns ? -log_elapsed_ns(time_ns, i->start_ns) : log_elapsed_ns(i->start_ns, time_ns);
}
