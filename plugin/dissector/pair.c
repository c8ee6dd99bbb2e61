/* pair.c
 * The pairs of sockets in the file: a hash table with a link in each pair.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "pair.h"

#define FIRST_BUCKETS 1024 /* a power of 2; four times as many when each has two pairs */

static struct {
    struct pair **bucket;
    uint32_t mask; /* number of buckets - 1 */
    uint32_t count;
} table;

static struct pair nobody = { .address_type = UINT8_MAX }; /* no address is of that type */
struct pair *pair_latest = &nobody;

/*
 * The pair found or added last of those whose ports lead there; NULL: none. Spares most searches where thousands of
 * connections take turns. A pair that is there has been compared like any other before it is found.
 */
#define RECENT_BITS 12
static struct pair *recent[1 << RECENT_BITS];

/* Odd numbers that nobody who makes a capture can know: else all pairs could be made to share a bucket. */
static uint64_t secret[3];

static void choose_secret(void)
{
    for (unsigned i = 0; i < array_length(secret); i++)
        secret[i] = (uint64_t)g_random_int() << 32 | g_random_int() | 1;
}

static inline uint64_t spread(uint64_t value, unsigned by)
{
    value *= secret[by];
    return value ^ value >> 32;
}

/* The same for both directions. */
static inline struct pair **recent_of(uint32_t ports)
{
    return &recent[(ports ^ pair_ports_back(ports)) * 0x9e3779b1u >> (32 - RECENT_BITS)]; /* by the golden ratio */
}

static inline void note_latest(struct pair *p)
{
    pair_latest = *recent_of(p->ports) = p;
}

static inline uint32_t word_at(const uint8_t *octets)
{
    uint32_t word;

    memcpy(&word, octets, sizeof word);
    return word;
}

/*  port  the end's, in the lower half */
static inline uint64_t hash_of_end(const uint8_t *address, uint8_t length, uint32_t port)
{
    uint64_t hash = (uint16_t)port;

    for (unsigned at = 4; at + 4 <= length; at += 4) /* octets beyond, of no IP address, need not count */
        hash = spread(hash + word_at(address + at), 0);
    return spread(length >= 4 ? hash + ((uint64_t)word_at(address) << 16) : hash, 1);
}

/* A sum: the same in both directions. */
static uint32_t hash_of_ends(uint64_t end, uint64_t other)
{
    return (uint32_t)spread(end + other, 2);
}

/* The length of both addresses: they are alike. */
static inline uint8_t length_of(const address *src, const address *dst)
{
    return (uint8_t)(src->len < dst->len ? src->len : dst->len);
}

static uint32_t hash_of_addresses(const address *src, const address *dst, uint32_t ports)
{
    const uint8_t length = length_of(src, dst);

    return hash_of_ends(hash_of_end((const uint8_t *)src->data, length, ports),
                        hash_of_end((const uint8_t *)dst->data, length, pair_ports_back(ports)));
}

uint16_t pair_port(const struct pair *p, unsigned end)
{
    uint16_t port[2];

    memcpy(port, &p->ports, sizeof port);
    return GUINT16_FROM_BE(port[end]);
}

const uint8_t *pair_address(const struct pair *p, unsigned end)
{
    return p->address_length <= sizeof p->address.few[0] ? p->address.few[end]
                                                         : p->address.many + end * p->address_length;
}

static bool has_any(const struct pair *p, const address *end0, const address *end1)
{
    return p->address_length == 0 || (memcmp(pair_address(p, 0), end0->data, p->address_length) == 0
                                      && memcmp(pair_address(p, 1), end1->data, p->address_length) == 0);
}

/* pair_match_ip() with other addresses. */
static G_NO_INLINE struct pair_found match_other(struct pair *p, const address *src, const address *dst,
                                                 uint32_t ports)
{
    const struct pair_found none = { NULL, 0, 0 };

    if (p->address_type != (uint8_t)src->type || p->address_length != length_of(src, dst))
        return none;
    return pair_match(p, src, dst, ports, has_any);
}

/*  p  the first in it */
static G_NO_INLINE struct pair_found search_bucket(struct pair *p, const address *src, const address *dst,
                                                   uint32_t ports, uint32_t hash)
{
    const bool ip = src->type == AT_IPv4 || src->type == AT_IPv6;
    const struct pair_found none = { NULL, 0, hash };

    for (; p; p = p->next) {
        const struct pair_found found = ip ? pair_match_ip(p, src, dst, ports) : match_other(p, src, dst, ports);
        if (found.pair) {
            note_latest(p);
            return found;
        }
    }
    return none;
}

struct pair_found pair_search(const address *src, const address *dst, uint32_t ports)
{
    const struct pair_found none = { NULL, 0, hash_of_addresses(src, dst, ports) };
    struct pair *first = table.bucket ? table.bucket[none.hash & table.mask] : NULL;

    return first ? search_bucket(first, src, dst, ports, none.hash) : none;
}

struct pair_found pair_find_other(const address *src, const address *dst, uint32_t ports)
{
    struct pair *p = *recent_of(ports);

    if (p) {
        const struct pair_found found = pair_match_ip(p, src, dst, ports);
        if (found.pair) {
            pair_latest = p;
            return found;
        }
    }
    return pair_search(src, dst, ports);
}

static uint32_t hash_of(const struct pair *p)
{
    return hash_of_ends(hash_of_end(pair_address(p, 0), p->address_length, p->ports),
                        hash_of_end(pair_address(p, 1), p->address_length, pair_ports_back(p->ports)));
}

static void link_in(struct pair *p, uint32_t hash)
{
    struct pair **bucket = &table.bucket[hash & table.mask];

    p->next = *bucket;
    *bucket = p;
}

static void add_buckets(void)
{
    struct pair **old = table.bucket;
    const uint32_t before = old ? table.mask + 1 : 0, after = old ? 4 * before : FIRST_BUCKETS;

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

void pair_add(struct pair *pair, const address *src, const address *dst, uint32_t ports, uint32_t hash)
{
    const uint8_t length = length_of(src, dst), few = sizeof pair->address.few[0];
    uint8_t *octets = pair->address.few[0];

    pair->ports = ports;
    pair->address_type = (uint8_t)src->type;
    pair->address_length = length;
    if (length > few)
        pair->address.many = octets = (uint8_t *)wmem_alloc(wmem_file_scope(), 2 * (size_t)length);
    if (length == few) { /* IPv4: copied without a call */
        memcpy(pair->address.few[0], src->data, few);
        memcpy(pair->address.few[1], dst->data, few);
    } else if (length > 0) {
        memcpy(octets, src->data, length);
        memcpy(octets + (length > few ? length : few), dst->data, length);
    }
    if (!table.bucket || table.count / 2 > table.mask)
        add_buckets();
    table.count++;
    note_latest(pair);
    link_in(pair, hash);
}

void pair_replace(struct pair *pair, struct pair *old)
{
    struct pair **link = &table.bucket[hash_of(old) & table.mask];

    while (*link != old)
        link = &(*link)->next;
    *pair = *old;
    *link = pair;
    note_latest(pair);
}

void pair_forget_all(void)
{
    memset(&table, 0, sizeof table);
    memset(recent, 0, sizeof recent);
    pair_latest = &nobody;
    choose_secret();
}
