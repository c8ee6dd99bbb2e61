/* connection.c
 * From a segment's addresses and ports to the machine and its log.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "connection.h"

#include "blocks.h"
#include "closer.h"
#include "local_end.h"
#include "machines.h"
#include "waiting.h"

#include <epan/dissectors/packet-tcp.h>

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
    struct log log;
    uint32_t number;        /* of the pair */
    uint32_t stream;        /* number that the TCP dissector gave */
    uint32_t behind;        /* how many streams had begun unseen when the number was looked up */
    struct machine_place place; /* of its machine */
    struct waiting_count waiting; /* segments that wait: then there is neither machine nor log so far */
};

unsigned connection_time_wait_s = 240;

/* Of the file that is open. */
static struct {
    uint32_t pairs;
    uint32_t accounted; /* streams of the TCP dissector whose beginning was seen here, or noticed later */
    uint32_t behind;    /* those noticed later: any pair's stream may have changed meanwhile */
    uint32_t nested;    /* segments that are being dissected, one within the other */
    nstime_t latest;    /* when the latest segment of the first pass was captured */
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

static void catch_up(struct connection *c);

static struct connection *new_connection(void)
{
    struct connection *c = (struct connection *)block_take(block_size(sizeof *c));

    memset(c, 0, sizeof *c);
    return c;
}

/* A connection of a pair that has had none. */
static struct connection *begin_pair(const packet_info *pinfo, const struct header *h, uint32_t hash)
{
    struct connection *c = new_connection();

    c->number = file.pairs++;
    pair_add(&c->pair, &pinfo->src, &pinfo->dst, pair_ports(h->octets), hash);
    return c;
}

/* Another connection of a pair that has had some. An incarnation begins with what was known of the ends. */
static struct connection *begin_incarnation(struct connection *latest, struct connection *before,
                                            uint32_t frame, uint8_t layer)
{
    struct connection *c = new_connection();
    struct streams *all = latest->streams;

    if (!all) {
        all = wmem_new0(wmem_file_scope(), struct streams);
        note_stream(all, latest, 0, 0);
    }
    if (before) {
        catch_up(before);
        *c = *before;
        memset(&c->log, 0, sizeof c->log);
        memset(&c->place, 0, sizeof c->place);
        if (before->log.count > 0) {
            machine_copy(&c->log, &c->place, &before->log, &before->place);
            machine_log_room(&c->log, &c->place, LOG_INHERITED);
            log_inherit(&c->log, &before->log);
        }
    } else {
        c->number = file.pairs++;
    }
    pair_replace(&c->pair, &latest->pair);
    note_stream(all, c, frame, layer);
    return c;
}

/* Nothing but the TCP dissector itself can begin a stream in such a segment: it has nobody to hand it to. */
static bool is_bare_syn(const struct header *h)
{
    return (h->flags & (TCP_SYN | TCP_FIN | TCP_RST)) == TCP_SYN && h->payload == 0;
}

/* The connection that these addresses and ports have before the segment, where others share them. */
static struct connection *find_before(struct connection *latest, packet_info *pinfo, const struct header *h)
{
    const uint32_t srcport = pinfo->srcport, destport = pinfo->destport;
    uint32_t stream;

    pinfo->srcport = header_number16(h->octets + HEADER_SRCPORT);
    pinfo->destport = header_number16(h->octets + HEADER_DSTPORT);
    const bool found = find_stream(pinfo, &stream);
    pinfo->srcport = srcport;
    pinfo->destport = destport;
    return found ? connection_with_stream(latest, stream) : NULL;
}

static inline bool may_begin_stream(const struct header *h)
{
    return ws_may_begin_stream(h->flags & TCP_SYN, h->flags & TCP_ACK);
}

/*
 * Whether the pair's latest connection is that of a segment which begins no stream, whatever the TCP dissector
 * makes of it: the pair is known to be in that stream. (Where one begins otherwise, as another dissector foresees a
 * conversation, the count tells, and the pair's next segment is asked for.)
 */
static inline bool stays(const struct connection *latest)
{
    return latest && latest->behind == file.behind && ws_conversations_by_address();
}

void connection_count_streams(void)
{
    const uint32_t streams = get_tcp_stream_count();

    if (streams != file.accounted && file.nested == 0) { /* else the outer segment's is not accounted for so far */
        file.behind += streams - file.accounted;
        file.accounted = streams;
    }
}

/* The pair's latest connection; NULL: it has none. */
static inline struct connection *latest_of(struct pair_found found)
{
    return (struct connection *)found.pair;
}

struct connection_arrival connection_arrives(packet_info *pinfo, const struct header *h)
{
    const struct pair_found found = pair_find(&pinfo->src, &pinfo->dst, pair_ports(h->octets));
    struct connection_arrival arrival = {
        .latest = latest_of(found), .before = latest_of(found), .sender = found.sender, .hash = found.hash,
        .layer = pinfo->curr_layer_num,
    };

    if (pinfo->fd->visited) {
        if (ws_conversations_by_address())
            arrival.connection = connection_at(arrival.latest, pinfo->num, pinfo->curr_layer_num);
        return arrival;
    }
    arrival.streams = get_tcp_stream_count();
    if (!may_begin_stream(h) && stays(arrival.latest)) {
        arrival.connection = arrival.latest;
        return arrival;
    }
    file.nested++;
    arrival.accounted = file.accounted;
    if (arrival.latest && !ws_conversations_by_address())
        arrival.before = find_before(arrival.latest, pinfo, h);
    return arrival;
}

/* How many streams began while the TCP dissector had the segment, but for those in segments within it. */
static uint32_t streams_begun(const struct connection_arrival *arrival)
{
    return (get_tcp_stream_count() - arrival->streams) - (file.accounted - arrival->accounted);
}

/* The connection of a segment whose stream has that number. */
static struct connection *connection_of_stream(const struct connection_arrival *arrival, const packet_info *pinfo,
                                               const struct header *h, uint32_t stream)
{
    struct connection *c = connection_with_stream(arrival->latest, stream);

    if (!c && arrival->latest)
        c = begin_incarnation(arrival->latest, arrival->before, pinfo->num, arrival->layer);
    else if (!c)
        c = begin_pair(pinfo, h, arrival->hash);
    c->stream = stream;
    return c;
}

/* First pass. */
static struct connection *find_or_begin(struct connection_arrival *arrival, packet_info *pinfo,
                                        const struct header *h)
{
    const uint32_t begun = streams_begun(arrival);
    const bool by_address = ws_conversations_by_address();
    uint32_t stream = arrival->streams;

    if (file.accounted != arrival->accounted) { /* of segments within this one, some began a connection */
        const struct pair_found found = pair_find(&pinfo->src, &pinfo->dst, pair_ports(h->octets));
        arrival->latest = arrival->before = latest_of(found);
        arrival->sender = found.sender;
        arrival->hash = found.hash;
    }
    if (begun == 0 && stays(arrival->latest))
        return arrival->latest; /* a SYN within its stream */
    if (!(by_address && begun == 1 && is_bare_syn(h)) && !find_stream(pinfo, &stream))
        return NULL;

    const bool is_new = stream >= arrival->streams;
    file.accounted += begun;
    if (begun > is_new) /* somebody else's too */
        file.behind += begun - is_new;
    struct connection *c = connection_of_stream(arrival, pinfo, h, stream);
    c->behind = file.behind;
    return c;
}

struct connection *connection_of_segment(struct connection_arrival *arrival, packet_info *pinfo,
                                         const struct header *h, bool refused)
{
    struct connection *c = NULL;
    uint32_t stream;

    if (!pinfo->fd->visited) {
        file.nested--;
        if (!refused)
            c = find_or_begin(arrival, pinfo, h);
    } else if (!refused && !ws_conversations_by_address() && find_stream(pinfo, &stream)) {
        c = connection_with_stream(arrival->latest, stream);
    }
    return c;
}

/* ------------------------------------------------------------------ its segments */

/* Writes down what a segment changed, once the machine has moved. */
static void log_changes(struct connection *c, const struct tcpfsm *m, const struct sighting *s,
                        const struct tcpfsm_outcome *out)
{
    struct log_facts *facts = &c->log.facts;
    const uint8_t before = out->opened ? TCP_CLOSER_NONE : facts->closed_by;

    facts->closed_by = tcpfsm_closer(m, (enum tcp_closer)before) & 7;
    facts->confirmed0 = m->end[0].confirmed;
    facts->confirmed1 = m->end[1].confirmed;
    facts->client = m->client;
    facts->midstream = m->midstream;
    machine_log_room(&c->log, &c->place, log_entries_of(out));
    log_append(&c->log, &s->at, out);
}

/* The connection that ended where this one began, if it began with that segment; or NULL. */
static struct connection *ended_by(const struct connection *c, const struct sighting *s)
{
    const struct streams *all = c->streams;

    if (!all || all->list[all->count - 1].connection != c || all->list[all->count - 1].frame != s->at.frame
        || all->list[all->count - 1].layer != s->at.layer)
        return NULL;
    for (uint32_t i = all->count - 1; i-- > 0;) {
        if (all->list[i].connection->number == c->number)
            return all->list[i].connection;
    }
    return NULL;
}

/* Index of the end that is taken to be the client where its first segment does not tell: that with the higher port. */
static unsigned likely_client(const struct connection *c, unsigned sender)
{
    return pair_port(&c->pair, sender) >= pair_port(&c->pair, !sender) ? sender : !sender;
}

/* Which end is local: decided once, and again where the client may be another. */
static void decide_local(struct connection *c, const struct sighting *s, unsigned client)
{
    enum local_by by;
    const struct local_question question = {
        .pair = &c->pair, .sender = s->at.sender, .client = client, .direction = (enum direction)s->at.direction,
        .knows_client = (s->seg.flags & TCP_SYN) != 0,
    };

    c->log.facts.local = local_end(&question, &by) & 1;
    c->log.facts.local_by = by & 7;
}

/* Moves the machine by a segment. */
static void move(struct connection *c, const struct sighting *s)
{
    struct tcpfsm *m = machine_at_work(&c->log, &c->place);
    const bool first = !m->started;
    struct tcpfsm_outcome out;

    tcpfsm_segment(m, s->at.sender, likely_client(c, s->at.sender), &s->seg,
                   (int64_t)connection_time_wait_s * 1000000, &out);
    if (first || out.opened || out.tries_on)
        decide_local(c, s, m->client);
    log_changes(c, m, s, &out);
    struct connection *old = out.opened ? ended_by(c, s) : NULL;
    if (old) { /* here its log ends: nothing else tells when */
        const struct tcpfsm_outcome over = { .opened = true };
        catch_up(old);
        log_changes(old, machine_at_work(&old->log, &old->place), s, &over);
    }
}

/* Moves the machine by the segments that wait for it. */
static void catch_up(struct connection *c)
{
    struct waited waited;

    waiting_take(&c->log, &c->waiting, &waited);
    for (unsigned i = 0; i < waited.count; i++) {
        move(c, &waited.segment[i]);
        if (waited.has_run && i + 1 == waited.run.after)
            run_move(&waited.run, machine_at_work(&c->log, &c->place));
    }
}

/* The machine moves, first by those that waited. */
static G_NO_INLINE void move_on(struct connection *c, const struct sighting *s)
{
    if (c->log.count > 0 && tcpfsm_in_order(machine_at_work(&c->log, &c->place), s->at.sender, &s->seg))
        return; /* and nothing that is shown has changed */
    catch_up(c);
    move(c, s);
}

/* Follows a segment that cannot wait. */
static G_NO_INLINE void follow(struct connection *c, const packet_info *pinfo, const struct header *h, unsigned sender)
{
    struct sighting s = { .seg = header_read(h), .at = segment_occasion(pinfo, sender) };

    s.seg.time_us = occasion_time_us(s.at);
    if ((h->flags & TCP_SYN) || (c->log.count == 0 && c->waiting.next == 0))
        s.at.direction = (uint8_t)local_direction(pinfo);
    move_on(c, &s);
}

/* Of a connection that a machine follows no segment waits. */
static inline void wait_or_follow(struct connection *c, const packet_info *pinfo, const struct header *h,
                                  unsigned sender)
{
    if (c->log.count > 0 || !waiting_add(&c->log, &c->waiting, pinfo, h, sender))
        follow(c, pinfo, h, sender);
}

void connection_segment(struct connection *c, const packet_info *pinfo, const struct header *h, unsigned sender)
{
    file.latest = pinfo->abs_ts;
    wait_or_follow(c, pinfo, h, sender);
}

static G_NO_INLINE bool take_syn(const packet_info *pinfo, const struct header *h)
{
    if (may_begin_stream(h))
        return false;
    const struct pair_found found = pair_find(&pinfo->src, &pinfo->dst, pair_ports(h->octets));
    struct connection *c = latest_of(found);
    if (!stays(c))
        return false;
    connection_segment(c, pinfo, h, found.sender);
    return true;
}

/*
 * What most segments come through. The header stays in registers as long as nobody asks for its address, hence the
 * copies.
 */
bool connection_takes(const packet_info *pinfo, struct header h)
{
    if (h.flags & TCP_SYN) {
        const struct header copy = h;
        return take_syn(pinfo, &copy);
    }
    const struct pair_found found = pair_find(&pinfo->src, &pinfo->dst, pair_ports(h.octets));
    struct connection *c = latest_of(found);
    if (!stays(c))
        return false;
    file.latest = pinfo->abs_ts;
    if (!waiting_add_at_once(&c->log, &c->waiting, pinfo, h, found.sender)) {
        const struct header copy = h;
        wait_or_follow(c, pinfo, &copy, found.sender);
    }
    return true;
}

bool connection_may_open(const packet_info *pinfo, const struct header *h, struct connection_opening *o)
{
    if (!is_bare_syn(h) || file.nested > 0 || !ws_conversations_by_address())
        return false;
    const struct pair_found found = pair_search(&pinfo->src, &pinfo->dst, pair_ports(h->octets));
    struct occasion at = segment_place(pinfo, found.sender);
    at.direction = (uint8_t)local_direction(pinfo);
    o->arrival = (struct connection_arrival){
        .latest = latest_of(found), .before = latest_of(found), .sender = found.sender, .hash = found.hash,
        .layer = at.layer, .streams = file.accounted, .accounted = file.accounted,
    };
    return sighting_pack_options(h, at, 0, &o->syn) == SIGHTING_FITS;
}

void connection_opens(struct connection_opening *o, packet_info *pinfo, const struct header *h)
{
    struct connection *c = find_or_begin(&o->arrival, pinfo, h);

    if (!c)
        return;
    file.latest = pinfo->abs_ts;
    if (c->log.count > 0 || !waiting_add_syn(&c->log, &c->waiting, &o->syn, &pinfo->abs_ts)) {
        struct sighting s;
        sighting_unpack(&o->syn, segment_time_ns(&pinfo->abs_ts), &s);
        move_on(c, &s);
    }
}

bool connection_view(struct connection *c, const packet_info *pinfo, unsigned sender, struct connection_view *view)
{
    catch_up(c);
    if (!log_find(&c->log, pinfo->num, pinfo->curr_layer_num, &view->shown))
        return false;
    view->src = sender;
    view->pair = c->number;
    view->local = local_endpoint == LOCAL_SENDER ? view->src : view->shown.local;
    return true;
}

const struct log *connection_goes_on(const struct log *log)
{
    const struct connection *c =
        (const struct connection *)(const void *)((const char *)log - offsetof(struct connection, log));
    const struct streams *all = c->streams;
    struct connection *next = NULL;

    for (uint32_t i = all ? all->count : 0; i-- > 0 && all->list[i].connection != c;) {
        if (all->list[i].connection->number == c->number)
            next = all->list[i].connection;
    }
    if (next)
        catch_up(next);
    return next ? &next->log : NULL;
}

int64_t connection_latest_ns(void)
{
    return segment_time_ns(&file.latest);
}
