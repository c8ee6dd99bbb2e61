/* incarnations.c
 * The connections that a listener of the tap was told of, each incarnation on its own.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "incarnations.h"

#include <epan/conversation.h>
#include <epan/dissectors/packet-tcp.h>

/* How far the log of a pair of sockets was read. */
struct sockets {
    struct incarnation *present;
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

static struct sockets *sockets_of(struct incarnation_list *all, const struct log *log)
{
    if (!all->pool)
        begin(all);
    struct sockets *pair = (struct sockets *)wmem_map_lookup(all->pairs, log);
    if (!pair) {
        pair = wmem_new0(all->pool, struct sockets);
        wmem_map_insert(all->pairs, log, pair);
    }
    return pair;
}

/* Wireshark's conversation of the segment has it. */
bool stream_of(packet_info *pinfo, const struct annotated_segment *segment, uint32_t *stream)
{
    conversation_t *conversation = find_conversation(pinfo->num, &segment->src, &segment->dst, CONVERSATION_TCP,
                                                     segment->srcport, segment->destport, 0);

    if (conversation)
        *stream = get_tcp_conversation_data(conversation, pinfo)->stream;
    return conversation;
}

static struct incarnation *add(struct incarnation_list *all, packet_info *pinfo, const struct tcpstate_tap *tap)
{
    struct incarnation *i = (struct incarnation *)wmem_alloc0(all->pool, all->record);
    const struct annotated_segment *segment = &tap->segment;
    const unsigned src = tap->view.src;

    i->number = all->last ? all->last->number + 1 : 1;
    copy_address_wmem(all->pool, &i->address[src], &segment->src);
    copy_address_wmem(all->pool, &i->address[!src], &segment->dst);
    i->port[src] = segment->srcport;
    i->port[!src] = segment->destport;
    i->has_stream = stream_of(pinfo, segment, &i->stream);
    if (all->last)
        all->last->next = i;
    else
        all->first = i;
    all->last = i;
    return i;
}

/* ------------------------------------------------------------------ to which a segment belongs */

/*
 * Reads on in the pair's log, up to an entry. Returns whether an incarnation began there: the filter may not have let
 * its SYN through.
 */
static bool reads_opening(struct sockets *pair, const struct log *log, uint32_t end)
{
    const struct log so_far = { .entry = log->entry, .count = end };
    bool found = false;

    for (uint32_t n = pair->read; (n = log_next_opening(&so_far, n)) < end; n++) {
        pair->opening = n;
        found = true;
    }
    pair->read = MAX(pair->read, end);
    return found;
}

struct incarnation *incarnations_note(struct incarnation_list *all, packet_info *pinfo,
                                      const struct tcpstate_tap *tap)
{
    const struct log_view *shown = &tap->view.shown;
    struct sockets *pair = sockets_of(all, shown->log);

    if (reads_opening(pair, shown->log, shown->first + shown->count) || !pair->present) {
        pair->present = add(all, pinfo, tap);
        pair->present->start_ns = shown->log->entry[pair->opening].time_ns;
        pair->present->first_frame = pinfo->num;
    }
    struct incarnation *i = pair->present;
    i->log = shown->log;
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
