/* closer.c
 * Who ended the connection.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "closer.h"

/* Its FIN left before it had the peer's. (In an earlier state, what is known of a FIN is of an older incarnation.) */
static bool closed_first(const struct tcpfsm_end *e)
{
    return e->knows_fin && !e->fin_inferred && e->fin_uncovered
        && (e->state == TCP_CLOSED || e->state >= TCP_FIN_WAIT_1);
}

/* The end was reset by its peer, or said so itself. */
static bool was_reset(const struct tcpfsm_end *e)
{
    return e->by_rst && (e->state == TCP_CLOSED || e->state == TCP_LISTEN);
}

static bool did_reset(const struct tcpfsm_end *e)
{
    return e->sent_rst && e->state == TCP_CLOSED;
}

enum tcp_closer closer_of(const struct tcpfsm *m)
{
    const struct tcpfsm_end *client = &m->end[m->client], *server = &m->end[!m->client];

    if (closed_first(client))
        return closed_first(server) ? TCP_CLOSER_SIMULTANEOUS : TCP_CLOSER_CLIENT;
    if (closed_first(server))
        return TCP_CLOSER_SERVER;
    if (client->by_icmp && client->state == TCP_CLOSED)
        return TCP_CLOSER_ICMP;
    if (was_reset(client) && (client->live == TCP_SYN_SENT || client->syn_pending))
        return TCP_CLOSER_REFUSED;

    if (client->state == TCP_SYN_SENT && server->state == TCP_LISTEN)
        return TCP_CLOSER_NONE; /* figure 8: the client refused an old duplicate's answer, and waits for its own */

    const bool by_server = was_reset(client) || did_reset(server);
    const bool by_client = was_reset(server) || did_reset(client);
    if (by_server && by_client && m->closed_by != TCP_CLOSER_NONE)
        return (enum tcp_closer)m->closed_by;
    return by_server ? TCP_CLOSER_RESET_BY_SERVER : by_client ? TCP_CLOSER_RESET_BY_CLIENT : TCP_CLOSER_NONE;
}
