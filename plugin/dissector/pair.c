/* pair.c
 * The pairs of sockets in the capture file: a map from flow key to machine and log.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "pair.h"

#include "header.h"
#include "local_end.h"

/* ------------------------------------------------------------------ flow keys */

#define ADDRESS_MAX 16 /* octets of an address that count: an IP address has no more */

/*
 * Both addresses, both ports as they stand in a header, then what else Wireshark keeps connections apart by. End 0
 * stands first: the end that is less, so that both directions have one key.
 */
struct flow_key {
    uint8_t length;         /* of octets[] */
    uint8_t address_length; /* of each address */
    uint8_t address_type;   /* enum address_type of both */
    uint8_t octets[2 * ADDRESS_MAX + 2 * sizeof(uint16_t) + WS_APART_MAX];
};

static inline const uint8_t *key_ports(const struct flow_key *key)
{
    return key->octets + 2 * key->address_length;
}

/*
 * Makes the key of a segment. Returns the index of its sender.
 *  length  of each address; inlined where it is a constant
 */
static inline unsigned make_key(struct flow_key *key, const packet_info *pinfo, const uint8_t *ports, size_t length)
{
    static const uint8_t none[1];
    const uint8_t *src = length ? (const uint8_t *)pinfo->src.data : none;
    const uint8_t *dst = length ? (const uint8_t *)pinfo->dst.data : none;
    int order = memcmp(src, dst, length);

    if (order == 0)
        order = memcmp(ports, ports + 2, 2);
    const unsigned sender = order > 0;
    uint8_t *to = key->octets;
    memcpy(to, sender ? dst : src, length);
    memcpy(to + length, sender ? src : dst, length);
    memcpy(to + 2 * length, ports + 2 * sender, 2);
    memcpy(to + 2 * length + 2, ports + 2 * !sender, 2);
    key->address_type = (uint8_t)pinfo->src.type;
    key->address_length = (uint8_t)length;
    key->length = (uint8_t)(2 * length + 4);
    if (!ws_conversations_by_address())
        key->length = (uint8_t)(key->length + ws_kept_apart_by(pinfo, sender, to + key->length));
    return sender;
}

static inline unsigned key_of(struct flow_key *key, const packet_info *pinfo, const uint8_t *header)
{
    const uint8_t *ports = header + HEADER_SRCPORT;
    const int least = MIN(pinfo->src.len, pinfo->dst.len);

    if (pinfo->src.type == AT_IPv4 && pinfo->dst.type == AT_IPv4)
        return make_key(key, pinfo, ports, 4);
    if (pinfo->src.type == AT_IPv6 && pinfo->dst.type == AT_IPv6)
        return make_key(key, pinfo, ports, 16);
    return make_key(key, pinfo, ports, (size_t)CLAMP(least, 0, ADDRESS_MAX));
}

static unsigned key_hash(const void *key)
{
    const struct flow_key *k = (const struct flow_key *)key;
    return wmem_strong_hash(k->octets, k->length); /* seeded: no capture can make all keys collide */
}

static inline bool key_is(const struct flow_key *a, const struct flow_key *b)
{
    return a->length == b->length && a->address_type == b->address_type && memcmp(a->octets, b->octets, a->length) == 0;
}

static gboolean key_equal(const void *a, const void *b)
{
    return key_is((const struct flow_key *)a, (const struct flow_key *)b);
}

/* ------------------------------------------------------------------ pairs */

struct pair {
    struct log log;
    struct tcpfsm machine;
    struct flow_key key; /* last: only as much of it is allocated as it has octets */
};

unsigned pair_time_wait_s = 240;

/* Of the capture file that is open. */
static struct {
    wmem_map_t *pairs;    /* struct pair by its key */
    struct pair *latest;  /* found last, most often the next segment's too; NULL: none */
    nstime_t latest_time; /* of the latest segment of the first pass */
} file;

void pairs_forget(void)
{
    memset(&file, 0, sizeof file);
    file.pairs = wmem_map_new(wmem_file_scope(), key_hash, key_equal);
}

static struct pair *begin(const struct flow_key *key)
{
    const size_t size = offsetof(struct pair, key.octets) + key->length;
    struct pair *pair = (struct pair *)wmem_alloc0(wmem_file_scope(), size);

    memcpy(&pair->key, key, offsetof(struct flow_key, octets) + key->length);
    wmem_map_insert(file.pairs, &pair->key, pair);
    return pair;
}

struct pair *pair_find(const packet_info *pinfo, const uint8_t *header, unsigned *sender)
{
    struct flow_key key;

    *sender = key_of(&key, pinfo, header);
    if (file.latest && key_is(&file.latest->key, &key))
        return file.latest;
    struct pair *pair = (struct pair *)wmem_map_lookup(file.pairs, &key);
    if (!pair && !pinfo->fd->visited)
        pair = begin(&key);
    if (pair)
        file.latest = pair;
    return pair;
}

uint16_t pair_port(const struct pair *pair, unsigned end)
{
    return header_number16(key_ports(&pair->key) + 2 * end);
}

const uint8_t *pair_address(const struct pair *pair, unsigned end, unsigned *length)
{
    *length = pair->key.address_length;
    return pair->key.octets + end * pair->key.address_length;
}

int64_t pairs_latest_ns(void)
{
    return time_ns(&file.latest_time);
}

/* ------------------------------------------------------------------ machine and log */

/* Index of the end that is taken to be the client where its first segment does not tell: that with the higher port. */
static unsigned likely_client(const struct pair *pair, unsigned sender)
{
    return pair_port(pair, sender) >= pair_port(pair, !sender) ? sender : !sender;
}

/* Which end is local: decided with the first segment, and again where another end may have opened. */
static void decide_local(struct pair *pair, const packet_info *pinfo, unsigned sender, bool is_syn)
{
    const struct local_question question = {
        .pair = pair, .type = (address_type)pair->key.address_type, .sender = sender,
        .client = pair->machine.client, .direction = local_direction(pinfo), .knows_client = is_syn,
    };
    enum local_by by;

    pair->log.facts.local = local_end(&question, &by) & 1;
    pair->log.facts.local_by = by & 7;
}

/* Grows by half, so that a pair with few transitions takes little. */
static void make_room(struct log *log, uint32_t entries)
{
    if (log->room - log->count >= entries)
        return;
    log->room = MAX(log->room + log->room / 2, log->count + entries);
    log->entry = (struct log_entry *)wmem_realloc(wmem_file_scope(), log->entry, log->room * sizeof *log->entry);
}

void pair_segment(struct pair *pair, const packet_info *pinfo, unsigned sender, const struct tcpfsm_segment *seg)
{
    struct tcpfsm_outcome out;

    file.latest_time = pinfo->abs_ts;
    const bool first = !pair->machine.started;
    if (!tcpfsm_segment(&pair->machine, sender, first ? likely_client(pair, sender) : 0, seg,
                        (int64_t)pair_time_wait_s * 1000000, &out))
        return;
    if (first || out.opened || out.tries_on)
        decide_local(pair, pinfo, sender, (seg->flags & TCP_SYN) != 0);
    const struct log_position at = {
        .time_ns = time_ns(&pinfo->abs_ts), .frame = pinfo->num, .layer = pinfo->curr_layer_num,
    };
    make_room(&pair->log, log_entries_of(&out));
    log_append(&pair->log, &at, sender, &pair->machine, &out);
}

bool pair_view(const struct pair *pair, uint32_t frame, uint8_t layer, unsigned sender, struct pair_view *view)
{
    if (!log_find(&pair->log, frame, layer, &view->shown))
        return false;
    view->src = sender;
    view->local = local_endpoint == LOCAL_SENDER ? sender : view->shown.local;
    return true;
}
