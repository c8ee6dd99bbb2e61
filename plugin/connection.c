/* connection.c
 * From a segment's addresses and ports to the machine and its history.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "connection.h"

#include "closer.h"
#include "local_end.h"
#include "machines.h"
#include "segment.h"

#include <epan/dissectors/packet-tcp.h>

#define AT_ONCE 64 /* connections for which memory is taken at a time */

/* All connections of a pair of sockets that has had more than one, in order of time and of stream. */
struct streams {
    uint32_t count, capacity;
    struct stream {
        struct connection *connection;
        uint32_t frame; /* its first segment; 0: the first of all */
        uint8_t layer;
    } *list;
};

struct connection {
    struct pair pair;                  /* must be first */
    struct streams *streams;           /* of the pair; NULL: this is the only one */
    struct history history;
    uint32_t number;        /* of the pair */
    uint32_t stream;        /* number that the TCP dissector gave */
    uint32_t behind;        /* how many streams had begun unseen when the number was looked up */
    struct machine_place place; /* of its machine, which is moved on the first pass only */
    uint8_t  local : 1;     /* index of the local end */
    uint8_t  local_by : 3;  /* enum local_by */
    uint8_t  closed_by : 3; /* enum tcp_closer */
};

unsigned connection_time_wait_s = 240;

/* Of the file that is open. */
static struct {
    uint32_t pairs;
    uint32_t accounted; /* streams of the TCP dissector whose beginning was seen here, or noticed later */
    uint32_t behind;    /* those noticed later: any pair's stream may have changed meanwhile */
    uint32_t nested;    /* segments that are being dissected, one within the other */
    nstime_t latest;    /* when the latest segment of the first pass was captured */
    struct connection *spare;
    uint32_t spares;
} file;

void connection_forget_all(void)
{
    memset(&file, 0, sizeof file);
    machines_forget_all();
    pair_forget_all();
}

/* ------------------------------------------------------------------ which connection */

/* Looks up the stream of a segment with pinfo's addresses and ports. Returns false if it has none. */
static bool find_stream(packet_info *pinfo, uint32_t *stream)
{
    static int proto_tcp;
    conversation_t *conv = ws_find_tcp_conversation(pinfo);

    if (!proto_tcp)
        proto_tcp = proto_get_id_by_filter_name("tcp");
    const struct tcp_analysis *tcp =
        conv ? (const struct tcp_analysis *)conversation_get_proto_data(conv, proto_tcp) : NULL;
    if (tcp)
        *stream = tcp->stream;
    return tcp != NULL;
}

static struct connection *connection_with_stream(struct connection *latest, uint32_t stream)
{
    const struct streams *all = latest ? latest->streams : NULL;

    if (!all)
        return latest && latest->stream == stream ? latest : NULL;
    uint32_t low = 0, high = all->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (all->list[middle].connection->stream < stream)
            low = middle + 1;
        else
            high = middle;
    }
    return low < all->count && all->list[low].connection->stream == stream ? all->list[low].connection : NULL;
}

static struct connection *connection_at(struct connection *latest, uint32_t frame, uint8_t layer)
{
    const struct streams *all = latest ? latest->streams : NULL;

    if (!all)
        return latest;
    uint32_t low = 0, high = all->count; /* the first is never after the segment */
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        const struct stream *i = &all->list[middle];
        if (i->frame > frame || (i->frame == frame && i->layer > layer))
            high = middle;
        else
            low = middle;
    }
    return all->list[low].connection;
}

static void note_stream(struct streams *all, struct connection *c, uint32_t frame, uint8_t layer)
{
    if (all->count == all->capacity) {
        all->capacity = all->capacity ? 2 * all->capacity : 2;
        all->list = (struct stream *)wmem_realloc(wmem_file_scope(), all->list,
                                                       all->capacity * sizeof *all->list);
    }
    all->list[all->count++] = (struct stream){ c, frame, layer };
    c->streams = all;
}

static struct connection *take_spare(void)
{
    if (file.spares == 0) {
        file.spare = wmem_alloc0_array(wmem_file_scope(), struct connection, AT_ONCE);
        file.spares = AT_ONCE;
    }
    file.spares--;
    return file.spare++;
}

/* A connection of a pair that has had none. */
static struct connection *begin_pair(const struct pair_key *key)
{
    struct connection *c = take_spare();

    c->number = file.pairs++;
    pair_add(&c->pair, key);
    return c;
}

/* Another connection of a pair that has had some. An incarnation begins with what was known of the ends. */
static struct connection *begin_incarnation(struct connection *latest, const struct connection *before, uint32_t frame,
                                            uint8_t layer)
{
    struct connection *c = take_spare();
    struct streams *all = latest->streams;

    if (!all) {
        all = wmem_new0(wmem_file_scope(), struct streams);
        note_stream(all, latest, 0, 0);
    }
    if (before) {
        *c = *before;
        memset(&c->history, 0, sizeof c->history);
        memset(&c->place, 0, sizeof c->place);
        machine_copy(&c->history, &c->place, &before->history, &before->place);
        machine_log_room(&c->history, &c->place, HISTORY_INHERITED);
        history_inherit(&c->history, &before->history);
    } else {
        c->number = file.pairs++;
    }
    pair_replace(&c->pair, &latest->pair);
    note_stream(all, c, frame, layer);
    return c;
}

/* Nothing but the TCP dissector itself can begin a stream in such a segment: it has nobody to hand it to. */
static bool is_bare_syn(const struct tcpfsm_segment *seg)
{
    return seg && (seg->flags & (TCP_SYN | TCP_FIN | TCP_RST)) == TCP_SYN && seg->len == 0;
}

/* The connection that these addresses and ports have before the segment, where others share them. */
static struct connection *find_before(const struct connection_arrival *arrival, packet_info *pinfo)
{
    const uint32_t srcport = pinfo->srcport, destport = pinfo->destport;
    uint32_t stream;

    pinfo->srcport = arrival->key.srcport;
    pinfo->destport = arrival->key.dstport;
    const bool found = find_stream(pinfo, &stream);
    pinfo->srcport = srcport;
    pinfo->destport = destport;
    return found ? connection_with_stream(arrival->latest, stream) : NULL;
}

void connection_arrives(struct connection_arrival *arrival, packet_info *pinfo, uint16_t srcport, uint16_t dstport)
{
    arrival->key = pair_key(&pinfo->src, &pinfo->dst, srcport, dstport);
    arrival->latest = (struct connection *)pair_find(&arrival->key, &arrival->sender);
    arrival->before = arrival->latest;
    if (pinfo->fd->visited)
        return;
    if (arrival->latest && !ws_conversations_by_address())
        arrival->before = find_before(arrival, pinfo);
    arrival->streams = get_tcp_stream_count();
    if (file.nested++ == 0) { /* else the outer segment's stream is not accounted for so far */
        file.behind += arrival->streams - file.accounted;
        file.accounted = arrival->streams;
    }
    arrival->accounted = file.accounted;
}

/* How many streams began while the TCP dissector had the segment, but for those in segments within it. */
static uint32_t streams_begun(const struct connection_arrival *arrival)
{
    return (get_tcp_stream_count() - arrival->streams) - (file.accounted - arrival->accounted);
}

/* The connection of a segment whose stream has that number. */
static struct connection *connection_of_stream(struct connection_arrival *arrival, uint32_t stream,
                                               const packet_info *pinfo, uint8_t layer)
{
    struct connection *c = connection_with_stream(arrival->latest, stream);

    if (!c && arrival->latest) {
        c = begin_incarnation(arrival->latest, arrival->before, pinfo->num, layer);
    } else if (!c) {
        arrival->sender = 0;
        c = begin_pair(&arrival->key);
    }
    c->stream = stream;
    return c;
}

/* First pass. */
static struct connection *find_or_begin(struct connection_arrival *arrival, packet_info *pinfo, uint8_t layer,
                                        const struct tcpfsm_segment *seg)
{
    const uint32_t begun = streams_begun(arrival);
    const bool by_address = ws_conversations_by_address();
    uint32_t stream = arrival->streams;

    if (file.accounted != arrival->accounted) /* of segments within this one, some began a connection */
        arrival->latest = arrival->before = (struct connection *)pair_find(&arrival->key, &arrival->sender);
    if (by_address && begun == 0 && arrival->latest && arrival->latest->behind == file.behind)
        return arrival->latest;
    if (!(by_address && begun == 1 && is_bare_syn(seg)) && !find_stream(pinfo, &stream))
        return NULL;

    const bool is_new = stream >= arrival->streams;
    file.accounted += begun;
    if (begun > is_new) /* somebody else's too */
        file.behind += begun - is_new;
    struct connection *c = connection_of_stream(arrival, stream, pinfo, layer);
    c->behind = file.behind;
    return c;
}

struct connection *connection_of_segment(struct connection_arrival *arrival, packet_info *pinfo, uint8_t layer,
                                         const struct tcpfsm_segment *seg)
{
    struct connection *c = NULL;
    uint32_t stream;

    if (!pinfo->fd->visited) {
        file.nested--;
        if (seg)
            c = find_or_begin(arrival, pinfo, layer, seg);
    } else if (seg && ws_conversations_by_address()) {
        c = connection_at(arrival->latest, pinfo->num, layer);
    } else if (seg && find_stream(pinfo, &stream)) {
        c = connection_with_stream(arrival->latest, stream);
    }
    return c;
}

/* ------------------------------------------------------------------ its segments */

static void log_changes(struct connection *c, const packet_info *pinfo, uint8_t layer, unsigned sender,
                        const struct tcpfsm_outcome *out)
{
    const struct tcpfsm *m = machine_at_work(&c->history, &c->place);
    const enum tcp_closer before = out->opened ? TCP_CLOSER_NONE : (enum tcp_closer)c->closed_by;

    c->closed_by = tcpfsm_closer(m, before) & 7;
    struct history_note note = {
        .frame = pinfo->num, .layer = layer, .sender = (uint8_t)sender,
        .confirmed = { m->end[0].confirmed, m->end[1].confirmed }, .client = m->client, .local = c->local,
        .local_by = c->local_by, .midstream = m->midstream, .closed_by = c->closed_by,
    };
    if (history_shows(&c->history, &note, out))
        return;
    note.time_ns = segment_time_ns(&pinfo->abs_ts);
    machine_log_room(&c->history, &c->place, history_entries_of(out));
    history_append(&c->history, &note, out);
}

/* The connection that ended where this one began, if it began with that segment; or NULL. */
static struct connection *ended_by(const struct connection *c, uint32_t frame, uint8_t layer)
{
    const struct streams *all = c->streams;

    if (!all || all->list[all->count - 1].connection != c || all->list[all->count - 1].frame != frame
        || all->list[all->count - 1].layer != layer)
        return NULL;
    for (uint32_t i = all->count - 1; i-- > 0;) {
        if (all->list[i].connection->number == c->number)
            return all->list[i].connection;
    }
    return NULL;
}

void connection_segment(struct connection *c, unsigned sender, const packet_info *pinfo, uint8_t layer,
                        const struct tcpfsm_segment *seg)
{
    struct tcpfsm *m = machine_at_work(&c->history, &c->place);
    struct tcpfsm_outcome out;
    const bool first = !m->started;

    tcpfsm_segment(m, sender, pinfo->srcport >= pinfo->destport ? sender : !sender, seg,
                   (int64_t)connection_time_wait_s * 1000000, &out);
    if (first || out.opened || out.tries_on) { /* decided once, and again where the client may be another */
        enum local_by by;
        const struct local_question question = {
            .pinfo = pinfo, .sender = sender, .client = m->client,
            .knows_client = (seg->flags & TCP_SYN) != 0,
        };
        c->local = local_end(&question, &by) & 1;
        c->local_by = by & 7;
    }
    log_changes(c, pinfo, layer, sender, &out);
    struct connection *old = out.opened ? ended_by(c, pinfo->num, layer) : NULL;
    if (old) { /* here its log ends: nothing else tells when */
        const struct tcpfsm_outcome over = { .opened = true };
        log_changes(old, pinfo, layer, sender, &over);
    }
    file.latest = pinfo->abs_ts;
}

bool connection_view(const struct connection *c, unsigned sender, const packet_info *pinfo, uint8_t layer,
                     struct connection_view *view)
{
    if (!history_find(&c->history, pinfo->num, layer, &view->shown))
        return false;
    view->src = sender;
    view->pair = c->number;
    view->local = local_endpoint == LOCAL_SENDER ? view->src : view->shown.local;
    return true;
}

const struct history *connection_goes_on(const struct history *log)
{
    const struct connection *c =
        (const struct connection *)(const void *)((const char *)log - offsetof(struct connection, history));
    const struct streams *all = c->streams;
    const struct connection *next = NULL;

    for (uint32_t i = all ? all->count : 0; i-- > 0 && all->list[i].connection != c;) {
        if (all->list[i].connection->number == c->number)
            next = all->list[i].connection;
    }
    return next ? &next->history : NULL;
}

int64_t connection_latest_ns(void)
{
    return segment_time_ns(&file.latest);
}
