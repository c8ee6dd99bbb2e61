/* pair.c
 * The pairs of sockets in the capture file: a hash table from flow key to machine and log.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "pair.h"

#include "header.h"
#include "local_end.h"

/* ------------------------------------------------------------------ flow keys */

#define ADDRESS_WORDS 4 /* of an address that count, 4 octets each: an IP address has no more */

/*
 * Both addresses, both ports as they stand in a header, then what else Wireshark keeps connections apart by. End 0
 * stands first: the end that is less, so that both directions have one key.
 */
struct flow_key {
    uint16_t address_type;  /* enum address_type of both */
    uint8_t address_words;  /* of each address */
    uint8_t words;          /* of word[] */
    uint32_t word[2 * ADDRESS_WORDS + 1 + WS_APART_WORDS];
};

static inline uint32_t word_at(const uint8_t *octets)
{
    uint32_t word;

    memcpy(&word, octets, sizeof word);
    return word;
}

/*
 * Makes the key of a segment. Returns the index of its sender.
 *  words  of each address; inlined where it is a constant
 */
static inline unsigned make_key(struct flow_key *key, const packet_info *pinfo, const uint8_t *ports, unsigned words)
{
    const uint8_t *src = (const uint8_t *)pinfo->src.data, *dst = (const uint8_t *)pinfo->dst.data;
    const uint16_t srcport = header_number16(ports), destport = header_number16(ports + 2);
    bool swapped = srcport > destport;

    for (unsigned i = words; i-- > 0;) {
        const uint32_t of_src = word_at(src + 4 * i), of_dst = word_at(dst + 4 * i);
        if (of_src != of_dst)
            swapped = of_src > of_dst;
        key->word[i] = of_src;
        key->word[words + i] = of_dst;
    }
    if (swapped) {
        for (unsigned i = 0; i < words; i++) {
            const uint32_t of_src = key->word[i];
            key->word[i] = key->word[words + i];
            key->word[words + i] = of_src;
        }
    }
    key->word[2 * words] = swapped ? (uint32_t)destport << 16 | srcport : (uint32_t)srcport << 16 | destport;
    key->address_type = (uint16_t)pinfo->src.type;
    key->address_words = (uint8_t)words;
    key->words = (uint8_t)(2 * words + 1);
    if (!ws_conversations_by_address())
        key->words = (uint8_t)(key->words + ws_kept_apart_by(pinfo, swapped, key->word + key->words));
    return swapped;
}

static inline unsigned key_of(struct flow_key *key, const packet_info *pinfo, const uint8_t *header)
{
    const uint8_t *ports = header + HEADER_SRCPORT;

    if (pinfo->src.type == AT_IPv4 && pinfo->dst.type == AT_IPv4)
        return make_key(key, pinfo, ports, 1);
    if (pinfo->src.type == AT_IPv6 && pinfo->dst.type == AT_IPv6)
        return make_key(key, pinfo, ports, 4);
    return make_key(key, pinfo, ports, (unsigned)CLAMP(MIN(pinfo->src.len, pinfo->dst.len) / 4, 0, ADDRESS_WORDS));
}

static inline bool key_is(const struct flow_key *a, const struct flow_key *b)
{
    if (a->words != b->words || a->address_type != b->address_type)
        return false;
    unsigned at = a->words;
    while (at > 0 && a->word[at - 1] == b->word[at - 1])
        at--;
    return at == 0;
}

/* ------------------------------------------------------------------ pairs */

struct pair {
    struct pair *next;      /* in the same bucket */
    struct log log;
    struct tcpfsm machine;
    uint32_t hash;          /* of the key */
    struct flow_key key;    /* last: only as many of its words are allocated as it has */
};

unsigned pair_time_wait_s = 240;

#define FIRST_BUCKETS 1024 /* a power of 2; four times as many when there are two pairs for each */

/* Of the capture file that is open. */
static struct {
    struct pair **bucket;
    uint32_t mask;        /* number of buckets - 1 */
    uint32_t count;       /* of pairs */
    uint64_t secret;      /* odd, at random: no capture can be made whose pairs share a bucket */
    struct pair *latest;  /* found last, most often the next segment's too; NULL: none */
    nstime_t latest_time; /* of the latest segment of the first pass */
} file;

static void set_buckets(uint32_t number)
{
    wmem_free(wmem_file_scope(), file.bucket);
    file.bucket = wmem_alloc0_array(wmem_file_scope(), struct pair *, number);
    file.mask = number - 1;
}

void pairs_forget(void)
{
    memset(&file, 0, sizeof file);
    file.secret = (uint64_t)g_random_int() << 32 | g_random_int() | 1;
    set_buckets(FIRST_BUCKETS);
}

static inline uint32_t hash_of(const struct flow_key *key)
{
    uint64_t hash = 0;

    for (unsigned at = 0; at < key->words; at++) {
        hash = (hash ^ key->word[at]) * file.secret;
        hash ^= hash >> 32;
    }
    return (uint32_t)hash;
}

static void link_in(struct pair *pair)
{
    struct pair **bucket = &file.bucket[pair->hash & file.mask];

    pair->next = *bucket;
    *bucket = pair;
}

static void add_buckets(void)
{
    const uint32_t before = file.mask + 1;
    struct pair **old = file.bucket;

    file.bucket = NULL;
    set_buckets(4 * before);
    for (uint32_t i = 0; i < before; i++) {
        for (struct pair *pair = old[i], *next; pair; pair = next) {
            next = pair->next;
            link_in(pair);
        }
    }
    wmem_free(wmem_file_scope(), old);
}

static struct pair *begin(const struct flow_key *key, uint32_t hash)
{
    const size_t octets = key->words * sizeof key->word[0];
    struct pair *pair = (struct pair *)wmem_alloc0(wmem_file_scope(), offsetof(struct pair, key.word) + octets);

    memcpy(&pair->key, key, offsetof(struct flow_key, word) + octets);
    pair->hash = hash;
    if (++file.count / 2 > file.mask)
        add_buckets();
    link_in(pair);
    return pair;
}

struct pair *pair_find(const packet_info *pinfo, const uint8_t *header, unsigned *sender)
{
    struct flow_key key;

    *sender = key_of(&key, pinfo, header);
    if (file.latest && key_is(&file.latest->key, &key))
        return file.latest;
    const uint32_t hash = hash_of(&key);
    struct pair *pair = file.bucket[hash & file.mask];
    while (pair && !key_is(&pair->key, &key))
        pair = pair->next;
    if (!pair && !pinfo->fd->visited)
        pair = begin(&key, hash);
    if (pair)
        file.latest = pair;
    return pair;
}

uint16_t pair_port(const struct pair *pair, unsigned end)
{
    const uint32_t ports = pair->key.word[2 * pair->key.address_words];

    return (uint16_t)(end ? ports : ports >> 16);
}

const uint8_t *pair_address(const struct pair *pair, unsigned end, unsigned *length)
{
    *length = 4u * pair->key.address_words;
    return (const uint8_t *)(pair->key.word + end * pair->key.address_words);
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

/* 4 entries are enough for a refused connection, 12 for one that opened and closed in order. */
static void make_room(struct log *log, uint32_t entries)
{
    if (log->room - log->count >= entries)
        return;
    log->room = 2 * log->room + MAX(entries, 4);
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
