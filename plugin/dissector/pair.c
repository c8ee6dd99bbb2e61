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

#define ADDRESS_MAX PAIR_ADDRESS_MAX
#define KEY_WORDS (2 * ADDRESS_MAX / 8 + WS_APART_WORDS)

/*
 * Both ports, both addresses, then what else Wireshark keeps connections apart by. End 0 stands first: the end whose
 * port is less, or whose address if the ports are equal, so that both directions have one key.
 */
struct flow_key {
    uint32_t ports;         /* that of end 0 in the upper half */
    uint16_t address_type;  /* enum address_type of both */
    uint16_t words;         /* of word[] */
    uint64_t word[KEY_WORDS]; /* IPv4: both addresses in one word, end 0's in the lower half; else two for each */
};

static inline uint32_t ipv4_word(const address *a)
{
    uint32_t word;

    memcpy(&word, a->data, sizeof word);
    return word;
}

static inline void write_address(uint64_t *to, const address *a)
{
    if (a->len == ADDRESS_MAX) {
        memcpy(to, a->data, ADDRESS_MAX);
        return;
    }
    memset(to, 0, ADDRESS_MAX);
    if (a->len > 0)
        memcpy(to, a->data, (size_t)MIN(a->len, ADDRESS_MAX));
}

/* Makes the key of a segment. Returns the index of its sender. */
static inline unsigned make_key(struct flow_key *key, const packet_info *pinfo, const uint8_t *header)
{
    const uint32_t srcport = header_number16(header + HEADER_SRCPORT);
    const uint32_t destport = header_number16(header + HEADER_DSTPORT);
    const bool swapped = srcport > destport || (srcport == destport && cmp_address(&pinfo->src, &pinfo->dst) > 0);
    const address *first = swapped ? &pinfo->dst : &pinfo->src, *other = swapped ? &pinfo->src : &pinfo->dst;

    key->ports = swapped ? destport << 16 | srcport : srcport << 16 | destport;
    key->address_type = (uint16_t)first->type;
    if (first->type == AT_IPv4 && other->type == AT_IPv4) {
        key->word[0] = ipv4_word(first) | (uint64_t)ipv4_word(other) << 32;
        key->words = 1;
    } else {
        write_address(key->word, first);
        write_address(key->word + ADDRESS_MAX / 8, other);
        key->words = 2 * ADDRESS_MAX / 8;
    }
    if (!ws_conversations_by_address())
        key->words = (uint16_t)(key->words + ws_kept_apart_by(pinfo, swapped, key->word + key->words));
    return swapped;
}

static inline bool key_is(const struct flow_key *a, const struct flow_key *b)
{
    if (a->ports != b->ports || a->address_type != b->address_type || a->words != b->words)
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
    struct flow_key key;    /* last: only as many of its words are allocated as it has */
};

unsigned pair_time_wait_s = 240, pair_stuck_after_s = 60;

/* Binary logarithms of numbers of buckets: of the first, and of how many times as many when two pairs share one. */
enum { FIRST_BUCKETS = 10, MORE_BUCKETS = 2 };

/* Of the capture file that is open. */
static struct {
    struct pair **bucket;
    unsigned buckets;     /* binary logarithm of their number */
    uint32_t count;       /* of pairs */
    uint64_t secret[1 + 2 * KEY_WORDS]; /* at random: no capture can be made whose pairs share a bucket */
    struct pair *latest;  /* found last, most often the next segment's too; NULL: none */
    nstime_t first_time;  /* has_first_time: of the first TCP segment of the first pass */
    bool has_first_time;
    nstime_t latest_time; /* of the latest TCP segment of the first pass: once the capture is read, its end */
} file;

static void set_buckets(unsigned number)
{
    file.bucket = wmem_alloc0_array(wmem_file_scope(), struct pair *, (size_t)1 << number);
    file.buckets = number;
}

void pairs_forget(void)
{
    memset(&file, 0, sizeof file);
    for (unsigned i = 0; i < array_length(file.secret); i++)
        file.secret[i] = (uint64_t)g_random_int() << 32 | g_random_int();
    set_buckets(FIRST_BUCKETS);
}

/*
 * The bucket of a key: a sum of its 32-bit words, each times a secret of its own, of which the upper bits count. So any
 * two keys share a bucket as seldom as by chance (multilinear hashing, strongly universal).
 */
static inline struct pair **bucket_of(const struct flow_key *key)
{
    uint64_t hash = key->ports * file.secret[2 * KEY_WORDS];

    for (unsigned at = 0; at < key->words; at++)
        hash += (uint32_t)key->word[at] * file.secret[2 * at] + (key->word[at] >> 32) * file.secret[2 * at + 1];
    return &file.bucket[hash >> (64 - file.buckets)];
}

static void link_in(struct pair *pair)
{
    struct pair **bucket = bucket_of(&pair->key);

    pair->next = *bucket;
    *bucket = pair;
}

static void add_buckets(void)
{
    const size_t before = (size_t)1 << file.buckets;
    struct pair **old = file.bucket;

    set_buckets(file.buckets + MORE_BUCKETS);
    for (size_t i = 0; i < before; i++) {
        for (struct pair *pair = old[i], *next; pair; pair = next) {
            next = pair->next;
            link_in(pair);
        }
    }
    wmem_free(wmem_file_scope(), old);
}

static struct pair *begin(const struct flow_key *key)
{
    const size_t octets = key->words * sizeof key->word[0];
    struct pair *pair = (struct pair *)wmem_alloc0(wmem_file_scope(), offsetof(struct pair, key.word) + octets);

    memcpy(&pair->key, key, offsetof(struct flow_key, word) + octets);
    if (++file.count >> file.buckets >= 2)
        add_buckets();
    link_in(pair);
    return pair;
}

static struct pair *find(const struct flow_key *key)
{
    struct pair *pair = *bucket_of(key);

    while (pair && !key_is(&pair->key, key))
        pair = pair->next;
    return pair;
}

struct pair *pair_find(const packet_info *pinfo, const uint8_t *header, unsigned *sender)
{
    struct flow_key key;

    *sender = make_key(&key, pinfo, header);
    if (file.latest && key_is(&file.latest->key, &key))
        return file.latest;
    struct pair *pair = find(&key);
    if (!pair && !pinfo->fd->visited)
        pair = begin(&key);
    if (pair)
        file.latest = pair;
    return pair;
}

uint16_t pair_port(const struct pair *pair, unsigned end)
{
    return (uint16_t)(end ? pair->key.ports : pair->key.ports >> 16);
}

void pair_address(const struct pair *pair, unsigned end, uint8_t octets[PAIR_ADDRESS_MAX])
{
    const struct flow_key *key = &pair->key;

    if (key->address_type == AT_IPv4) {
        const uint32_t word = (uint32_t)(end ? key->word[0] >> 32 : key->word[0]);
        memcpy(octets, &word, sizeof word);
    } else {
        memcpy(octets, key->word + end * ADDRESS_MAX / 8, ADDRESS_MAX);
    }
}

void pairs_note_time(const packet_info *pinfo)
{
    file.latest_time = pinfo->abs_ts;
    if (!file.has_first_time) {
        file.has_first_time = true;
        file.first_time = pinfo->abs_ts;
    }
}

struct final_limits pair_final_limits(void)
{
    return (struct final_limits){
        .start_ns = time_ns(&file.first_time), .end_ns = time_ns(&file.latest_time), .time_wait_ns = (int64_t)pair_time_wait_s * 1000000000,
        .stuck_ns = pair_stuck_after_ns(),
    };
}

void pair_final(const struct pair_view *view, struct final_view *final)
{
    const struct log_view *shown = &view->shown;
    const struct final_limits limits = pair_final_limits();

    final_of(shown->log, shown->first + shown->count - 1, &limits, final);
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

static void make_race_room(struct log *log)
{
    if (log->races < log->race_room)
        return;
    log->race_room = 2 * log->race_room + 1;
    log->race = (struct log_race *)wmem_realloc(wmem_file_scope(), log->race, log->race_room * sizeof *log->race);
}

static void note(struct pair *pair, const packet_info *pinfo, unsigned sender, const struct tcpfsm_outcome *out)
{
    const struct log_position at = {
        .time_ns = time_ns(&pinfo->abs_ts), .frame = pinfo->num, .layer = pinfo->curr_layer_num,
    };

    make_room(&pair->log, log_entries_of(out));
    if (pair->machine.race_idle_us)
        make_race_room(&pair->log);
    log_append(&pair->log, &at, sender, &pair->machine, out);
}

struct pair *pair_refused(const packet_info *pinfo, const uint8_t *header, unsigned *sender)
{
    struct flow_key key;
    struct tcpfsm_outcome out;

    *sender = make_key(&key, pinfo, header);
    struct pair *pair = find(&key);
    if (pair && !pinfo->fd->visited
        && tcpfsm_icmp_error(&pair->machine, *sender, header_number32(header + HEADER_SEQ),
                             time_ns(&pinfo->abs_ts) / 1000, &out))
        note(pair, pinfo, *sender, &out);
    return pair;
}

void pair_segment(struct pair *pair, const packet_info *pinfo, unsigned sender, const struct tcpfsm_segment *seg)
{
    struct tcpfsm_outcome out;

    const bool first = !pair->machine.started;
    const bool news = tcpfsm_segment(&pair->machine, sender, first ? likely_client(pair, sender) : 0, seg,
                                     (int64_t)pair_time_wait_s * 1000000, &out);
    const bool stuck = pair->machine.end[sender].state == TCP_CLOSE_WAIT
        && log_notes_stuck(&pair->log, sender, seg, time_ns(&pinfo->abs_ts), pair_stuck_after_ns());
    if (!news && !stuck)
        return;
    if (first || out.opened || out.tries_on)
        decide_local(pair, pinfo, sender, (seg->flags & TCP_SYN) != 0);
    note(pair, pinfo, sender, &out);
}

bool pair_view(const struct pair *pair, uint32_t frame, uint8_t layer, unsigned sender, struct pair_view *view)
{
    if (!log_find(&pair->log, frame, layer, &view->shown))
        return false;
    view->src = sender;
    view->local = local_endpoint == LOCAL_SENDER ? sender : view->shown.local;
    return true;
}
