/* pair.h
 * The pairs of sockets in the file, found by addresses and ports in either direction.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PAIR_H
#define PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include <wireshark.h>
#include <epan/address.h>

/* Stands first in what its user stores, as long as the capture file is open. */
struct pair {
    struct pair *next;             /* in the same bucket */
    union {
        uint8_t few[2][4];         /* of end 0 and 1, up to 4 octets each */
        const uint8_t *many;       /* longer ones, one after the other */
    } address;
    uint32_t ports;                /* of end 0 and 1, as a segment of end 0 bears them */
    uint8_t  address_type, address_length; /* the same for both */
};

/* The ports of a segment, both: the first four octets of its header, as they lie there. */
static inline uint32_t pair_ports(const uint8_t *header)
{
    uint32_t ports;

    memcpy(&ports, header, sizeof ports);
    return ports;
}

/* Small enough to be handed on in registers. */
struct pair_found {
    struct pair *pair; /* NULL: it is not there */
    uint32_t sender;   /* index of the end that is the source; 0 of a pair that is not there */
    uint32_t hash;     /* of a pair that is not there: for pair_add() */
};

/* The ports, as a segment in the other direction bears them. */
static inline uint32_t pair_ports_back(uint32_t ports)
{
    return ports << 16 | ports >> 16;
}

/* The one found or added last, most often that of the next segment; at first one that no segment is of. */
extern struct pair *pair_latest;

static inline bool pair_has_ipv4(const struct pair *p, const address *end0, const address *end1)
{
    return memcmp(p->address.few[0], end0->data, 4) == 0 && memcmp(p->address.few[1], end1->data, 4) == 0;
}

static inline bool pair_has_ipv6(const struct pair *p, const address *end0, const address *end1)
{
    return memcmp(p->address.many, end0->data, 16) == 0 && memcmp(p->address.many + 16, end1->data, 16) == 0;
}

/* Whether a segment with these addresses and ports is of that pair, and whose. */
static inline struct pair_found pair_match(struct pair *p, const address *src, const address *dst, uint32_t ports,
                                           bool (*has)(const struct pair *, const address *, const address *))
{
    struct pair_found found = { NULL, 0, 0 };

    if (p->ports == ports && has(p, src, dst)) {
        found.pair = p;
    } else if (p->ports == pair_ports_back(ports) && has(p, dst, src)) {
        found.pair = p;
        found.sender = 1;
    }
    return found;
}

/* The same, if the addresses are IPv4 or IPv6, without a call. */
static inline struct pair_found pair_match_ip(struct pair *p, const address *src, const address *dst, uint32_t ports)
{
    const struct pair_found none = { NULL, 0, 0 };

    if (p->address_type != (unsigned)src->type || src->type != dst->type)
        return none;
    if (src->type == AT_IPv4)
        return pair_match(p, src, dst, ports, pair_has_ipv4);
    return src->type == AT_IPv6 ? pair_match(p, src, dst, ports, pair_has_ipv6) : none;
}

/* Finds the pair of a segment that is not of the latest. */
struct pair_found pair_find_other(const address *src, const address *dst, uint32_t ports);

/* Finds the pair of a segment. */
static inline struct pair_found pair_find(const address *src, const address *dst, uint32_t ports)
{
    const struct pair_found found = pair_match_ip(pair_latest, src, dst, ports);

    return found.pair ? found : pair_find_other(src, dst, ports);
}

/* The same with less work, where it is most likely a pair that is not there. */
struct pair_found pair_search(const address *src, const address *dst, uint32_t ports);

/* An end's port. */
uint16_t pair_port(const struct pair *pair, unsigned end);

/* The octets of an end's address, pair->address_length of them; as long as the pair is stored. */
const uint8_t *pair_address(const struct pair *pair, unsigned end);

/* Adds the pair of a segment, which was not found and had that hash: its end 0 is the source. */
void pair_add(struct pair *pair, const address *src, const address *dst, uint32_t ports, uint32_t hash);

/* Puts one in the place of another that was added: it takes over addresses and ports. */
void pair_replace(struct pair *pair, struct pair *old);

/* Forgets all pairs: their memory is of the file that was closed. */
void pair_forget_all(void);

#endif
