/* connection.c
 * From Wireshark's conversation to the machine and its history.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "connection.h"
#include "local_end.h"

#define HISTORY_ROOM 8 /* an ordinary connection from SYN to TIME_WAIT */

struct connection {
    struct tcpfsm machine;  /* moved on the first pass only */
    struct history history;
    address  address0;      /* of end 0; set only where the ports do not tell the ends apart */
    uint16_t port0;         /* of end 0 */
    uint8_t  local : 1;     /* index of the local end */
    uint8_t  local_by : 4;  /* enum local_by */
};

unsigned connection_time_wait_s = 240;

/* Index of the end that sent the segment. An end that talks to itself is always the first. */
static unsigned sender_of(const struct connection *c, const packet_info *pinfo)
{
    if (pinfo->srcport != pinfo->destport)
        return pinfo->srcport != c->port0;
    return !addresses_equal(&pinfo->src, &c->address0);
}

static struct connection *connection_new(int proto, conversation_t *conv, conversation_t *before,
                                         const packet_info *pinfo)
{
    struct connection *c = wmem_new0(wmem_file_scope(), struct connection);
    const struct connection *old = NULL;

    if (before && before != conv)
        old = (const struct connection *)conversation_get_proto_data(before, proto);
    if (old) { /* an incarnation begins with what was known of the ends */
        *c = *old;
        memset(&c->history, 0, sizeof c->history);
    } else {
        c->port0 = (uint16_t)pinfo->srcport;
        if (pinfo->srcport == pinfo->destport)
            copy_address_wmem(wmem_file_scope(), &c->address0, &pinfo->src);
    }
    conversation_add_proto_data(conv, proto, c);
    return c;
}

static void log_changes(struct connection *c, uint32_t frame, uint8_t layer, const struct tcpfsm_outcome *out)
{
    struct history_entry entry = {
        .frame = frame, .layer = layer, .client = c->machine.client, .local = c->local & 1,
        .local_by = c->local_by & 0xf, .midstream = c->machine.midstream,
    };
    for (unsigned i = 0; i < 2; i++) {
        entry.end[i].state = c->machine.end[i].state;
        entry.end[i].previous = out->end[i].previous;
        entry.end[i].confirmed = c->machine.end[i].confirmed;
    }
    if (history_is_full(&c->history)) {
        c->history.capacity = c->history.capacity ? 2 * c->history.capacity : HISTORY_ROOM;
        c->history.entry = (struct history_entry *)wmem_realloc(wmem_file_scope(), c->history.entry,
            c->history.capacity * sizeof *c->history.entry);
    }
    history_append(&c->history, &entry);
}

void connection_segment(int proto, conversation_t *conv, conversation_t *before, const packet_info *pinfo,
                        uint8_t layer, const struct tcpfsm_segment *seg)
{
    struct connection *c = (struct connection *)conversation_get_proto_data(conv, proto);
    struct tcpfsm_outcome out;

    if (!c)
        c = connection_new(proto, conv, before, pinfo);
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
        c->local_by = by & 0xf;
    }
    log_changes(c, pinfo->num, layer, &out);
}

bool connection_view(int proto, conversation_t *conv, const packet_info *pinfo, uint8_t layer,
                     struct connection_view *view)
{
    const struct connection *c = (const struct connection *)conversation_get_proto_data(conv, proto);

    if (!c || !history_find(&c->history, pinfo->num, layer, &view->shown))
        return false;
    view->src = sender_of(c, pinfo);
    view->local = local_endpoint == LOCAL_SENDER ? view->src : view->shown.local;
    return true;
}
