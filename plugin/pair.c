/* pair.c
 * The pairs of sockets in the file: a hash table with a link in each pair.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "pair.h"

#define FIRST_BUCKETS 1024 /* a power of 2; doubled when there are more pairs */

static struct {
    struct pair **bucket;
    uint32_t mask; /* number of buckets - 1 */
    uint32_t count;
    struct pair *latest; /* the one found or added last: the next segment is often of it; NULL: none */
} table;

/* Odd numbers that nobody who makes a capture can know: else all pairs could be made to share a bucket. */
static uint64_t secret[3];

static void choose_secret(void)
{
    for (unsigned i = 0; i < array_length(secret); i++)
        secret[i] = (uint64_t)g_random_int() << 32 | g_random_int() | 1;
}

static uint64_t spread(uint64_t value, unsigned by)
{
    value *= secret[by];
    return value ^ value >> 32;
}

static uint64_t hash_of_end(const uint8_t *address, uint8_t length, uint16_t port)
{
    uint64_t hash = port * secret[0];

    for (unsigned at = 0; at + 4 <= length; at += 4) { /* octets beyond, of no IP address, need not count */
        uint32_t word;
        memcpy(&word, address + at, sizeof word);
        hash = spread(hash + word, 1);
    }
    return hash;
}

/* A sum: the same in both directions. */
static uint32_t hash_of_ends(uint64_t end, uint64_t other)
{
    return (uint32_t)spread(end + other, 2);
}

static const uint8_t *octets_of(const address *a)
{
    static const uint8_t none[1];

    return a->data ? (const uint8_t *)a->data : none;
}

struct pair_key pair_key(const address *src, const address *dst, uint16_t srcport, uint16_t dstport)
{
    const struct pair_key key = {
        .src = octets_of(src), .dst = octets_of(dst), .port = { srcport, dstport }, .port_back = { dstport, srcport },
        .address_type = (uint8_t)src->type,
        .address_length = (uint8_t)(src->len < dst->len ? src->len : dst->len), /* they are alike */
    };
    return key;
}

static uint32_t hash_of_key(const struct pair_key *key)
{
    return hash_of_ends(hash_of_end(key->src, key->address_length, key->port[0]),
                        hash_of_end(key->dst, key->address_length, key->port[1]));
}

const uint8_t *pair_address(const struct pair *p, unsigned end)
{
    return p->address_length <= sizeof p->address.few[0] ? p->address.few[end]
                                                         : p->address.many + end * p->address_length;
}

static bool has_address(const struct pair *p, unsigned end, const uint8_t *address)
{
    if (p->address_length == 4) /* IPv4: no need for a call */
        return memcmp(p->address.few[end], address, 4) == 0;
    return memcmp(pair_address(p, end), address, p->address_length) == 0;
}

static bool goes_from(const struct pair *p, unsigned sender, const struct pair_key *key)
{
    return p->address_type == key->address_type && p->address_length == key->address_length
        && has_address(p, sender, key->src) && has_address(p, !sender, key->dst);
}

static inline bool is_of_key(const struct pair *p, const struct pair_key *key, unsigned *sender)
{
    *sender = 0;
    if (memcmp(p->port, key->port, sizeof p->port) == 0 && goes_from(p, 0, key))
        return true;
    *sender = 1;
    return memcmp(p->port, key->port_back, sizeof p->port) == 0 && goes_from(p, 1, key);
}

struct pair *pair_find(const struct pair_key *key, unsigned *sender)
{
    if (table.latest && is_of_key(table.latest, key, sender))
        return table.latest;
    struct pair *p = table.bucket ? table.bucket[hash_of_key(key) & table.mask] : NULL;
    while (p && !is_of_key(p, key, sender))
        p = p->next;
    if (p)
        table.latest = p;
    return p;
}

static uint32_t hash_of(const struct pair *p)
{
    return hash_of_ends(hash_of_end(pair_address(p, 0), p->address_length, p->port[0]),
                        hash_of_end(pair_address(p, 1), p->address_length, p->port[1]));
}

static void link_in(struct pair *p, uint32_t hash)
{
    struct pair **bucket = &table.bucket[hash & table.mask];

    p->next = *bucket;
    *bucket = p;
}

static void double_buckets(void)
{
    struct pair **old = table.bucket;
    const uint32_t before = old ? table.mask + 1 : 0, after = old ? 2 * before : FIRST_BUCKETS;

    if (!old)
        choose_secret();
    table.bucket = wmem_alloc0_array(wmem_file_scope(), struct pair *, after);
    table.mask = after - 1;
    for (uint32_t i = 0; i < before; i++) {
        for (struct pair *p = old[i], *next; p; p = next) {
            next = p->next;
            link_in(p, hash_of(p));
        }
    }
    wmem_free(wmem_file_scope(), old);
}

void pair_add(struct pair *pair, const struct pair_key *key)
{
    pair->port[0] = key->port[0];
    pair->port[1] = key->port[1];
    pair->address_type = key->address_type;
    pair->address_length = key->address_length;
    uint8_t *octets = pair->address.few[0];
    if (key->address_length > sizeof pair->address.few[0])
        pair->address.many = octets = (uint8_t *)wmem_alloc(wmem_file_scope(), 2 * (size_t)key->address_length);
    memcpy(octets, key->src, key->address_length);
    const size_t second = octets == pair->address.few[0] ? sizeof pair->address.few[0] : key->address_length;
    memcpy(octets + second, key->dst, key->address_length);

    if (!table.bucket || table.count > table.mask)
        double_buckets();
    table.count++;
    table.latest = pair;
    link_in(pair, hash_of_key(key));
}

void pair_replace(struct pair *pair, struct pair *old)
{
    struct pair **link = &table.bucket[hash_of(old) & table.mask];

    while (*link != old)
        link = &(*link)->next;
    *pair = *old;
    *link = pair;
    table.latest = pair;
}

void pair_forget_all(void)
{
    memset(&table, 0, sizeof table);
}
