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
    uint16_t port[2];
    uint8_t  address_type, address_length; /* the same for both */
};

/* What is looked for: a segment's sender and receiver. Valid as long as the addresses' octets. */
struct pair_key {
    const uint8_t *src, *dst;
    uint16_t port[2], port_back[2]; /* of sender and receiver, and the other way round */
    uint8_t  address_type, address_length;
};

struct pair_key pair_key(const address *src, const address *dst, uint16_t srcport, uint16_t dstport);

/* Finds a pair. Returns NULL if it is not there; else *sender is the index of the end that is the key's source. */
struct pair *pair_find(const struct pair_key *key, unsigned *sender);

/* The octets of an end's address, pair->address_length of them; as long as the pair is stored. */
const uint8_t *pair_address(const struct pair *pair, unsigned end);

/* Adds a pair whose end 0 is the key's source. There must be none with that key. */
void pair_add(struct pair *pair, const struct pair_key *key);

/* Puts one in the place of another that was added with the same key: it takes over addresses and ports. */
void pair_replace(struct pair *pair, struct pair *old);

/* Forgets all pairs: their memory is of the file that was closed. */
void pair_forget_all(void);

#endif
