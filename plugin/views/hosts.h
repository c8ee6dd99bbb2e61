/* hosts.h
 * The names of hosts where they are printed: their addresses or, for privacy, documentation addresses in their place.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HOSTS_H
#define HOSTS_H

#include "ws_compat.h"

#include <epan/address.h>

/* Octets of the longest name, with its end. */
#define HOST_NAME_SIZE 46

/* The documentation address of each host that was asked for. */
struct hosts;

struct hosts *hosts_new(void);
void hosts_free(struct hosts *hosts); /* NULL: nothing */

/*
 * The name of a host; returns name.
 *  hosts  NULL: its address; else one of RFC 5737 for IPv4, of RFC 3849 for others, always the same for a host. They
 *         are given in order: 192.0.2.1, 192.0.2.2, ...; from the 763rd IPv4 host on, those of RFC 3849.
 */
const char *host_name(struct hosts *hosts, const address *host, char name[HOST_NAME_SIZE]);

/* "10.9.0.1:40000", as endpoint_name(); size of name: ENDPOINT_NAME_SIZE. */
const char *host_endpoint(struct hosts *hosts, const address *host, uint32_t port, char *name);

#endif
