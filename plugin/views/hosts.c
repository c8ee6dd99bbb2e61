/* hosts.c
 * The names of hosts where they are printed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "hosts.h"

#include "names.h"

#include <epan/to_str.h>

struct hosts {
    GHashTable *number; /* by address as text: which of its kind it is, from 1 */
    unsigned ipv4, other;
};

struct hosts *hosts_new(void)
{
    struct hosts *hosts = g_new0(struct hosts, 1);

    hosts->number = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return hosts;
}

void hosts_free(struct hosts *hosts)
{
    if (!hosts)
        return;
    g_hash_table_destroy(hosts->number);
    g_free(hosts);
}

static unsigned number_of(struct hosts *hosts, const address *host)
{
    char text[HOST_NAME_SIZE];

    address_to_str_buf(host, text, sizeof text);
    unsigned number = GPOINTER_TO_UINT(g_hash_table_lookup(hosts->number, text));
    if (!number) {
        number = host->type == AT_IPv4 ? ++hosts->ipv4 : ++hosts->other;
        g_hash_table_insert(hosts->number, g_strdup(text), GUINT_TO_POINTER(number));
    }
    return number;
}

const char *host_name(struct hosts *hosts, const address *host, char name[HOST_NAME_SIZE])
{
    static const char *const networks[] = { "192.0.2", "198.51.100", "203.0.113" }; /* RFC 5737 */
    const unsigned each = 254; /* hosts of a network */

    if (!hosts) {
        address_to_str_buf(host, name, HOST_NAME_SIZE);
        return name;
    }
    const unsigned n = number_of(hosts, host) - 1;
    const bool ipv4 = host->type == AT_IPv4;
    if (ipv4 && n / each < array_length(networks))
        snprintf(name, HOST_NAME_SIZE, "%s.%u", networks[n / each], n % each + 1);
    else /* RFC 3849: hosts of IPv4 and others in networks of their own */
        snprintf(name, HOST_NAME_SIZE, "2001:db8:%s:%x::%x", ipv4 ? "4" : "6", n >> 16, (n & 0xffff) + 1);
    return name;
}

const char *host_endpoint(struct hosts *hosts, const address *host, uint32_t port, char *name)
{
    char text[HOST_NAME_SIZE];

    host_name(hosts, host, text);
    snprintf(name, ENDPOINT_NAME_SIZE, strchr(text, ':') ? "[%s]:%u" : "%s:%u", text, port);
    return name;
}
