/* connection.c
 * From Wireshark's conversation to the machine and its history.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "connection.h"

#include "closer.h"
#include "local_end.h"
#include "segment.h"

#define HISTORY_ROOM 8 /* an ordinary connection from SYN to TIME_WAIT */

struct connection {
    struct tcpfsm machine;  /* moved on the first pass only */
    struct history history;
    address  address0;      /* of end 0; set only where the ports do not tell the ends apart */
    uint32_t pair;          /* number of the pair of sockets: an incarnation takes over that of the one before */
    uint16_t port0;         /* of end 0 */
    uint8_t  local : 1;     /* index of the local end */
    uint8_t  local_by : 3;  /* enum local_by */
    uint8_t  closed_by : 3; /* enum tcp_closer */
};

unsigned connection_time_wait_s = 240;

static int64_t latest_ns;

static void make_room(struct history *h, uint32_t entries)
{
    if (h->capacity - h->count >= entries)
        return;
    h->capacity = h->capacity ? 2 * h->capacity : HISTORY_ROOM;
    if (h->capacity - h->count < entries)
        h->capacity = h->count + entries;
    h->entry = (struct history_entry *)wmem_realloc(wmem_file_scope(), h->entry, h->capacity * sizeof *h->entry);
}

/* Index of the end that sent the segment. An end that talks to itself is always the first. */
static unsigned sender_of(const struct connection *c, const packet_info *pinfo)
{
    if (pinfo->srcport != pinfo->destport)
        return pinfo->srcport != c->port0;
    return !addresses_equal(&pinfo->src, &c->address0);
}

/* The connection whose place a new one takes, or NULL. */
static struct connection *predecessor(int proto, const conversation_t *conv, conversation_t *before)
{
    return before && before != conv ? (struct connection *)conversation_get_proto_data(before, proto) : NULL;
}

static struct connection *connection_new(int proto, conversation_t *conv, const struct connection *old,
                                         const packet_info *pinfo)
{
    struct connection *c = wmem_new0(wmem_file_scope(), struct connection);

    if (old) { /* an incarnation begins with what was known of the ends */
        *c = *old;
        memset(&c->history, 0, sizeof c->history);
        make_room(&c->history, HISTORY_INHERITED);
        history_inherit(&c->history, &old->history);
    } else {
        static uint32_t pairs;
        c->pair = pairs++;
        c->port0 = (uint16_t)pinfo->srcport;
        if (pinfo->srcport == pinfo->destport)
            copy_address_wmem(wmem_file_scope(), &c->address0, &pinfo->src);
    }
    conversation_add_proto_data(conv, proto, c);
    return c;
}

static void log_changes(struct connection *c, const packet_info *pinfo, uint8_t layer, unsigned sender,
                        const struct tcpfsm_outcome *out)
{
    const struct tcpfsm *m = &c->machine;
    const enum tcp_closer before = out->opened ? TCP_CLOSER_NONE : (enum tcp_closer)c->closed_by;

    c->closed_by = tcpfsm_closer(m, before) & 7;
    const struct history_note note = {
        .time_ns = segment_time_ns(pinfo), .frame = pinfo->num, .layer = layer, .sender = (uint8_t)sender,
        .confirmed = { m->end[0].confirmed, m->end[1].confirmed }, .client = m->client, .local = c->local,
        .local_by = c->local_by, .midstream = m->midstream, .closed_by = c->closed_by,
    };
    latest_ns = note.time_ns;
    make_room(&c->history, history_entries_of(out));
    history_append(&c->history, &note, out);
}

void connection_segment(int proto, conversation_t *conv, conversation_t *before, const packet_info *pinfo,
                        uint8_t layer, const struct tcpfsm_segment *seg)
{
    struct connection *c = (struct connection *)conversation_get_proto_data(conv, proto);
    struct connection *old = c ? NULL : predecessor(proto, conv, before);
    struct tcpfsm_outcome out;

    if (!c)
        c = connection_new(proto, conv, old, pinfo);
    const unsigned sender = sender_of(c, pinfo);
    const bool first = !c->machine.started;
    tcpfsm_segment(&c->machine, sender, pinfo->srcport >= pinfo->destport ? sender : !sender, seg,
                   (int64_t)connection_time_wait_s * 1000000, &out);

    if (first || out.opened) { /* decided once, and again for each incarnation */
        enum local_by by;
        const struct local_question question = {
            .pinfo = pinfo, .sender = sender, .client = c->machine.client,
            .knows_client = (seg->flags & TCP_SYN) != 0,
        };
        c->local = local_end(&question, &by) & 1;
        c->local_by = by & 7;
    }
    log_changes(c, pinfo, layer, sender, &out);
    if (old && out.opened) { /* here the log of the one before ends: nothing else tells when */
        const struct tcpfsm_outcome over = { .opened = true };
        log_changes(old, pinfo, layer, sender, &over);
    }
}

bool connection_view(int proto, conversation_t *conv, const packet_info *pinfo, uint8_t layer,
                     struct connection_view *view)
{
    const struct connection *c = (const struct connection *)conversation_get_proto_data(conv, proto);

    if (!c || !history_find(&c->history, pinfo->num, layer, &view->shown))
        return false;
    view->src = sender_of(c, pinfo);
    view->pair = c->pair;
    view->local = local_endpoint == LOCAL_SENDER ? view->src : view->shown.local;
    return true;
}

int64_t connection_latest_ns(void)
{
    return latest_ns;
}
