/* lwip.c
 * lwIP, by its raw interface, in one thread: none of its own is started.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include "driver.h"

#include <limits.h> /* SSIZE_MAX: without, lwIP has a ssize_t of its own */

#include <lwip/err.h>
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/ip6_addr.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>

#include <stdlib.h>
#include <string.h>

#define MTU 1500

/* A connection, or a listening socket. lwIP knows it until it is closed or freed. */
struct end {
    struct tcp_pcb *pcb;    /* NULL once lwIP has freed it */
    struct pbuf *received;  /* not yet given to the program */
    bool connected;
    bool finished;          /* the peer's FIN has come */
    const char *failure;
    uint16_t peer_port;
    struct end *waiting;    /* a listener's first connection to accept, then the next */
};

static struct netif wire;
static ip_addr_t own_address, peer_address;

static const char *text(err_t error)
{
    return strerror(err_to_errno(error));
}

static struct end *new_end(void)
{
    struct end *end = calloc(1, sizeof *end);

    if (!end)
        abort();
    return end;
}

static enum outcome fail(struct lab_socket *s, const char *why)
{
    s->failure = why;
    return FAILED;
}

static struct end *end_of(const struct lab_socket *s)
{
    return s->own;
}

/* ---------------------------------------------------------------- the wire */

static err_t output(struct pbuf *packet)
{
    char copy[MTU];
    const u16_t length = pbuf_copy_partial(packet, copy, sizeof copy, 0);

    if (length == packet->tot_len)
        driver_output(copy, length);
    return ERR_OK;
}

static err_t output_ip4(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to)
{
    (void)netif, (void)to;
    return output(packet);
}

static err_t output_ip6(struct netif *netif, struct pbuf *packet, const ip6_addr_t *to)
{
    (void)netif, (void)to;
    return output(packet);
}

static err_t configure(struct netif *netif)
{
    netif->name[0] = 't';
    netif->name[1] = 'n';
    netif->mtu = MTU;
    netif->output = output_ip4;
    netif->output_ip6 = output_ip6;
    return ERR_OK;
}

const char *stack_begin(const char *own, const char *peer)
{
    ip4_addr_t mask;

    if (!ipaddr_aton(own, &own_address) || !ipaddr_aton(peer, &peer_address))
        return NULL;
    IP4_ADDR(&mask, 255, 255, 255, 0);
    lwip_init();
    netif_add(&wire, IP_IS_V4_VAL(own_address) ? ip_2_ip4(&own_address) : IP4_ADDR_ANY4, &mask, IP4_ADDR_ANY4, NULL,
              configure, ip_input);
    if (IP_IS_V6_VAL(own_address)) {
        netif_ip6_addr_set(&wire, 0, ip_2_ip6(&own_address));
        netif_ip6_addr_set_state(&wire, 0, IP6_ADDR_PREFERRED);
    }
    netif_set_default(&wire);
    netif_set_up(&wire);
    netif_set_link_up(&wire);
    wire.rs_count = 0; /* it looks for no router */
    return "lwip " LWIP_VERSION_STRING;
}

void stack_input(const uint8_t *packet, size_t length)
{
    /* Not of the pool: in 2.1.3+dfsg1-2 of Debian its buffers are smaller than lwIP takes them for. */
    struct pbuf *copy = length <= UINT16_MAX ? pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_RAM) : NULL;

    if (!copy)
        return;
    pbuf_take(copy, packet, (u16_t)length);
    if (wire.input(copy, &wire) != ERR_OK)
        pbuf_free(copy);
}

unsigned stack_prepare(struct pollfd *fds, unsigned room, int *timeout_ms)
{
    const u32_t sleep_ms = sys_timeouts_sleeptime();

    (void)fds, (void)room;
    if (sleep_ms <= INT32_MAX)
        *timeout_ms = (int)sleep_ms;
    return 0;
}

void stack_run(const struct pollfd *fds, unsigned count)
{
    (void)fds, (void)count;
    sys_check_timeouts();
}

void stack_states(void)
{
    const struct tcp_pcb *const lists[] = { tcp_active_pcbs, tcp_tw_pcbs };

    for (unsigned i = 0; i < 2; i++)
        for (const struct tcp_pcb *pcb = lists[i]; pcb; pcb = pcb->next)
            driver_state(pcb->local_port, pcb->remote_port, tcp_debug_state_str(pcb->state));
}

/* ---------------------------------------------------------------- what lwIP tells */

static err_t on_receive(void *own, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
    struct end *end = own;

    (void)pcb, (void)error;
    if (!data)
        end->finished = true;
    else if (end->received)
        pbuf_cat(end->received, data);
    else
        end->received = data;
    return ERR_OK;
}

static void on_error(void *own, err_t error)
{
    struct end *end = own;

    end->pcb = NULL;
    end->failure = text(error);
}

static err_t on_connected(void *own, struct tcp_pcb *pcb, err_t error)
{
    (void)pcb, (void)error;
    ((struct end *)own)->connected = true;
    return ERR_OK;
}

static void attach(struct end *end, struct tcp_pcb *pcb)
{
    end->pcb = pcb;
    tcp_arg(pcb, end);
    tcp_recv(pcb, on_receive);
    tcp_err(pcb, on_error);
    tcp_nagle_disable(pcb);
}

static err_t on_accept(void *own, struct tcp_pcb *pcb, err_t error)
{
    struct end **last = &((struct end *)own)->waiting;

    if (error != ERR_OK || !pcb)
        return ERR_VAL;
    while (*last)
        last = &(*last)->waiting;
    *last = new_end();
    attach(*last, pcb);
    (*last)->connected = true;
    (*last)->peer_port = pcb->remote_port;
    return ERR_OK;
}

/* ---------------------------------------------------------------- calls */

/* A new pcb, bound to a port, even one in TIME_WAIT. */
static struct tcp_pcb *bound(struct lab_socket *s, uint16_t port)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(&own_address));
    err_t error;

    if (!pcb)
        abort();
    ip_set_option(pcb, SOF_REUSEADDR);
    error = tcp_bind(pcb, &own_address, port);
    if (error == ERR_OK)
        return pcb;
    tcp_abort(pcb);
    s->failure = text(error);
    return NULL;
}

enum outcome stack_listen(struct lab_socket *s, uint16_t port, int backlog)
{
    struct tcp_pcb *pcb = bound(s, port);
    struct end *end;

    if (!pcb)
        return FAILED;
    end = s->own = new_end();
    end->pcb = tcp_listen_with_backlog(pcb, (u8_t)(backlog < UINT8_MAX ? backlog : UINT8_MAX));
    if (!end->pcb)
        abort();
    tcp_arg(end->pcb, end);
    tcp_accept(end->pcb, on_accept);
    return DONE;
}

enum outcome stack_accept(struct lab_socket *listener, struct lab_socket *s, uint16_t *peer_port)
{
    struct end *end = end_of(listener)->waiting;

    if (!end)
        return WAITS;
    end_of(listener)->waiting = end->waiting;
    end->waiting = NULL;
    s->own = end;
    *peer_port = end->peer_port;
    return DONE;
}

enum outcome stack_connect(struct lab_socket *s, uint16_t port, uint16_t peer_port)
{
    struct tcp_pcb *pcb = bound(s, port);
    err_t error;

    if (!pcb)
        return FAILED;
    s->own = new_end();
    attach(s->own, pcb);
    error = tcp_connect(pcb, &peer_address, peer_port, on_connected);
    if (error == ERR_OK)
        return WAITS;
    stack_abort(s);
    return fail(s, text(error));
}

enum outcome stack_connected(struct lab_socket *s)
{
    const struct end *end = end_of(s);

    if (end->failure)
        return fail(s, end->failure);
    return end->connected ? DONE : WAITS;
}

enum outcome stack_send(struct lab_socket *s, unsigned *left)
{
    const struct end *end = end_of(s);

    while (*left) {
        size_t length = *left;
        const char *octets = driver_octets(&length);
        err_t error;

        if (!end->pcb)
            return fail(s, end->failure);
        if (length > tcp_sndbuf(end->pcb))
            length = tcp_sndbuf(end->pcb);
        if (!length)
            break;
        error = tcp_write(end->pcb, octets, (u16_t)length, TCP_WRITE_FLAG_COPY);
        if (error == ERR_MEM)
            break;
        if (error != ERR_OK)
            return fail(s, text(error));
        *left -= (unsigned)length;
    }
    if (end->pcb)
        tcp_output(end->pcb);
    return *left ? WAITS : DONE;
}

enum outcome stack_receive(struct lab_socket *s, unsigned most, unsigned *got)
{
    struct end *end = end_of(s);

    if (end->received && most) {
        const unsigned length = end->received->tot_len < most ? end->received->tot_len : most;

        end->received = pbuf_free_header(end->received, (u16_t)length);
        if (end->pcb)
            tcp_recved(end->pcb, (u16_t)length);
        *got = length;
        return DONE;
    }
    if (end->finished) {
        *got = 0;
        return DONE;
    }
    return end->pcb ? WAITS : fail(s, end->failure);
}

enum outcome stack_shut(struct lab_socket *s)
{
    const struct end *end = end_of(s);
    const err_t error = end->pcb ? tcp_shutdown(end->pcb, 0, 1) : ERR_CONN;

    return error == ERR_OK ? DONE : fail(s, text(error));
}

/* Lets go of an end: lwIP, if it still has the pcb, keeps it for itself. */
static void let_go(struct end *end, bool abort_it)
{
    struct tcp_pcb *pcb = end->pcb;
    const bool listens = pcb && pcb->state == LISTEN;

    if (pcb) {
        tcp_arg(pcb, NULL);
        if (!listens) {
            tcp_recv(pcb, NULL);
            tcp_err(pcb, NULL);
        }
        if (abort_it && !listens)
            tcp_abort(pcb);
        else
            tcp_close(pcb);
    }
    if (end->received)
        pbuf_free(end->received);
    while (end->waiting) { /* none will accept them */
        struct end *next = end->waiting->waiting;

        end->waiting->waiting = NULL;
        let_go(end->waiting, true);
        end->waiting = next;
    }
    free(end);
}

enum outcome stack_close(struct lab_socket *s)
{
    let_go(s->own, false);
    return DONE;
}

enum outcome stack_abort(struct lab_socket *s)
{
    let_go(s->own, true);
    return DONE;
}
