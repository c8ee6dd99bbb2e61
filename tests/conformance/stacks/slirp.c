/* slirp.c
 * libslirp, whose TCP descends from BSD's. It ends the peer's connections itself and makes ones to sockets of its own
 * machine instead: here to those of this program, in a network namespace of its own, where nothing else is.
 *
 *     this program's socket -- 127.0.0.1 -- libslirp's socket, its TCP -- the wire -- the peer
 *
 * For an active open the program's socket connects to a port that libslirp forwards. libslirp takes the port that it
 * connects from for the other end's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include "driver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <libslirp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MTU 1500
#define FIRST_FORWARDED 20000 /* ports of 127.0.0.1 that libslirp forwards, a new one each time */

/* A socket of this program. */
struct end {
    int fd;
    int accepted;             /* a listener's: its next connection, as soon as that is established; or -1 */
    uint16_t port, peer_port; /* of an active open */
    uint16_t forwarded;       /* the port of 127.0.0.1 that leads there, or 0 */
};

/* A connection as libslirp shows it. */
struct shown {
    const char *state; /* of states[] */
    int fd; /* libslirp's */
    uint16_t port, peer_port;
};

static const char *const states[] = { "SYN_SENT", "SYN_RCVD", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_1", "CLOSING",
                                      "LAST_ACK", "FIN_WAIT_2", "TIME_WAIT" };
static const uint8_t peer_link_address[ETH_ALEN] = { 2, 0, 0, 0, 9, 1 };
static struct in_addr peer_address;
static Slirp *slirp;
static uint16_t port_behind[UINT16_MAX + 1]; /* by forwarded port: the one of the program's socket */

static struct end *end_of(const struct lab_socket *s)
{
    return s->own;
}

static enum outcome fail(struct lab_socket *s, int error)
{
    s->failure = strerror(error);
    return FAILED;
}

static bool would_block(int error)
{
    return error == EAGAIN || error == EINTR;
}

/* ---------------------------------------------------------------- what libslirp calls */

static ssize_t send_packet(const void *frame, size_t length, void *opaque)
{
    struct ethhdr header;

    (void)opaque;
    if (length > sizeof header) {
        memcpy(&header, frame, sizeof header);
        if (ntohs(header.h_proto) == ETH_P_IP)
            driver_output((const char *)frame + sizeof header, length - sizeof header);
    }
    return (ssize_t)length;
}

static void guest_error(const char *message, void *opaque)
{
    (void)opaque;
    fprintf(stderr, "slirp: %s\n", message);
}

static int64_t clock_get_ns(void *opaque)
{
    struct timespec now;

    (void)opaque;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Its timers are for IPv6. */
static void *timer_new(SlirpTimerCb call, void *call_opaque, void *opaque)
{
    static char timer;

    (void)call, (void)call_opaque, (void)opaque;
    return &timer;
}

static void timer_free(void *timer, void *opaque)
{
    (void)timer, (void)opaque;
}

static void timer_mod(void *timer, int64_t expire_time, void *opaque)
{
    (void)timer, (void)expire_time, (void)opaque;
}

static void watch(int fd, void *opaque)
{
    (void)fd, (void)opaque;
}

static void notify(void *opaque)
{
    (void)opaque;
}

static const SlirpCb calls = {
    .send_packet = send_packet, .guest_error = guest_error, .clock_get_ns = clock_get_ns,
    .timer_new = timer_new, .timer_free = timer_free, .timer_mod = timer_mod,
    .register_poll_fd = watch, .unregister_poll_fd = watch, .notify = notify,
};

/* ---------------------------------------------------------------- the stack */

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void enter_namespace(void)
{
    struct ifreq lo = { .ifr_name = "lo" };
    int plain;

    if (unshare(CLONE_NEWNET))
        die("unshare");
    plain = socket(AF_INET, SOCK_DGRAM, 0);
    if (plain < 0 || ioctl(plain, SIOCGIFFLAGS, &lo))
        die("lo");
    lo.ifr_flags |= IFF_UP;
    if (ioctl(plain, SIOCSIFFLAGS, &lo))
        die("lo");
    close(plain);
}

/* Tells libslirp the peer's Ethernet address, as ARP does. */
static void announce_peer(void)
{
    struct {
        struct ethhdr ethernet;
        struct ether_arp arp;
    } __attribute__((packed)) frame = {
        .ethernet = { .h_proto = htons(ETH_P_ARP) },
        .arp = { .ea_hdr = { htons(ARPHRD_ETHER), htons(ETH_P_IP), ETH_ALEN, 4, htons(ARPOP_REQUEST) } },
    };

    memset(frame.ethernet.h_dest, 0xff, ETH_ALEN);
    memcpy(frame.ethernet.h_source, peer_link_address, ETH_ALEN);
    memcpy(frame.arp.arp_sha, peer_link_address, ETH_ALEN);
    memcpy(frame.arp.arp_spa, &peer_address, 4);
    memcpy(frame.arp.arp_tpa, &peer_address, 4);
    slirp_input(slirp, (const uint8_t *)&frame, sizeof frame);
}

const char *stack_begin(const char *own, const char *peer)
{
    const struct in_addr mask = { htonl(0xffffff00) };
    SlirpConfig config = {
        .version = SLIRP_CONFIG_VERSION_MAX, .in_enabled = true, .vnetmask = mask, .if_mtu = MTU, .if_mru = MTU,
        .disable_dns = true, .disable_dhcp = true,
    };
    static char told[64];

    if (!inet_aton(own, &config.vhost) || !inet_aton(peer, &peer_address))
        return NULL; /* of IPv6 slirp_connection_info() shows no addresses */
    config.vnetwork.s_addr = config.vhost.s_addr & mask.s_addr;
    config.vdhcp_start.s_addr = config.vnetwork.s_addr | htonl(253);
    config.vnameserver.s_addr = config.vnetwork.s_addr | htonl(254);
    enter_namespace();
    slirp = slirp_new(&config, &calls, NULL);
    if (!slirp) {
        fputs("slirp: cannot begin\n", stderr);
        exit(1);
    }
    announce_peer();
    snprintf(told, sizeof told, "slirp %s", slirp_version_string());
    return told;
}

/* TCP in one piece: libslirp 4.7.0 does not survive some fragments, and the wire has none. */
static bool is_whole_tcp(const uint8_t *packet, size_t length)
{
    struct iphdr header;

    if (length < sizeof header + sizeof(struct tcphdr) || length > MTU)
        return false;
    memcpy(&header, packet, sizeof header);
    return header.version == 4 && header.protocol == IPPROTO_TCP && (ntohs(header.frag_off) & ~IP_DF) == 0
        && ntohs(header.tot_len) == length;
}

void stack_input(const uint8_t *packet, size_t length)
{
    static struct {
        struct ethhdr header;
        uint8_t packet[MTU];
    } __attribute__((packed)) frame;

    memcpy(frame.header.h_source, peer_link_address, ETH_ALEN);
    frame.header.h_proto = htons(ETH_P_IP);
    if (!is_whole_tcp(packet, length))
        return;
    memcpy(frame.packet, packet, length);
    slirp_input(slirp, (const uint8_t *)&frame, (int)(sizeof frame.header + length));
}

struct fds {
    struct pollfd *fds;
    unsigned room, count;
};

static int add_poll(int fd, int events, void *opaque)
{
    struct fds *to = opaque;

    if (to->count == to->room)
        return -1;
    to->fds[to->count] = (struct pollfd){ .fd = fd };
    if (events & SLIRP_POLL_IN)
        to->fds[to->count].events |= POLLIN;
    if (events & SLIRP_POLL_OUT)
        to->fds[to->count].events |= POLLOUT;
    if (events & SLIRP_POLL_PRI)
        to->fds[to->count].events |= POLLPRI;
    return (int)to->count++;
}

static int get_revents(int index, void *opaque)
{
    const struct fds *from = opaque;
    const short happened = index >= 0 && (unsigned)index < from->count ? from->fds[index].revents : 0;

    return (happened & POLLIN ? SLIRP_POLL_IN : 0) | (happened & POLLOUT ? SLIRP_POLL_OUT : 0)
           | (happened & POLLPRI ? SLIRP_POLL_PRI : 0) | (happened & POLLERR ? SLIRP_POLL_ERR : 0)
           | (happened & POLLHUP ? SLIRP_POLL_HUP : 0);
}

unsigned stack_prepare(struct pollfd *fds, unsigned room, int *timeout_ms)
{
    struct fds to = { fds, room, 0 };
    uint32_t sleep_ms = 1000;

    slirp_pollfds_fill(slirp, &sleep_ms, add_poll, &to);
    *timeout_ms = (int)sleep_ms;
    return to.count;
}

void stack_run(const struct pollfd *fds, unsigned count)
{
    struct fds from = { (struct pollfd *)(uintptr_t)fds, 0, count };

    slirp_pollfds_poll(slirp, 0, get_revents, &from);
}

/* ---------------------------------------------------------------- states */

static const char *find_state(const char *name)
{
    for (unsigned i = 0; i < sizeof states / sizeof *states; i++)
        if (!strcmp(states[i], name))
            return states[i];
    return NULL; /* CLOSED, LISTEN, or a port that it forwards */
}

/* One line of slirp_connection_info(). Returns false where it shows no connection. */
static bool parse(const char *line, struct shown *out)
{
    char state[16], source[INET_ADDRSTRLEN], destination[INET_ADDRSTRLEN];
    unsigned source_port, destination_port;

    if (sscanf(line, " TCP[%15[^]]] %d %15s %u %15s %u", state, &out->fd, source, &source_port, destination,
               &destination_port) != 6)
        return false;
    out->state = find_state(state);
    if (!out->state)
        return false;
    if (!strcmp(source, "127.0.0.1")) { /* it came in by a forwarded port, which is shown as the source */
        out->port = port_behind[(uint16_t)source_port];
        out->peer_port = (uint16_t)destination_port;
    } else {
        out->peer_port = (uint16_t)source_port;
        out->port = (uint16_t)destination_port;
    }
    return true;
}

/* Calls for each connection, until it returns true; then returns true. */
static bool each_connection(bool (*call)(const struct shown *, void *), void *opaque)
{
    char *text = slirp_connection_info(slirp), *rest = text, *line;
    struct shown shown;
    bool found = false;

    while (!found && (line = strsep(&rest, "\n")) != NULL)
        found = parse(line, &shown) && call(&shown, opaque);
    g_free(text);
    return found;
}

static bool tell(const struct shown *c, void *opaque)
{
    (void)opaque;
    driver_state(c->port, c->peer_port, c->state);
    return false;
}

void stack_states(void)
{
    each_connection(tell, NULL);
}

/* ---------------------------------------------------------------- calls */

static struct sockaddr_in loopback(uint16_t port)
{
    const struct in_addr here = { htonl(INADDR_LOOPBACK) };

    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = here };
}

static void make_end(struct lab_socket *s, int fd)
{
    const int on = 1;
    struct end *end = calloc(1, sizeof *end);

    if (!end)
        abort();
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    end->fd = fd;
    end->accepted = -1;
    s->own = end;
}

/* A new socket of this program on a port. */
static bool bind_end(struct lab_socket *s, uint16_t port)
{
    const struct sockaddr_in at = loopback(port);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

    if (fd < 0)
        return fail(s, errno) == DONE;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&at, sizeof at)) {
        fail(s, errno);
        close(fd);
        return false;
    }
    make_end(s, fd);
    return true;
}

enum outcome stack_listen(struct lab_socket *s, uint16_t port, int backlog)
{
    if (!bind_end(s, port))
        return FAILED;
    if (!listen(end_of(s)->fd, backlog))
        return DONE;
    fail(s, errno);
    stack_close(s);
    return FAILED;
}

/* The connection of libslirp's that has come to a socket of this program from a port of 127.0.0.1. */
struct search {
    in_port_t from;
    struct shown found;
};

static bool came_from(const struct shown *c, void *opaque)
{
    struct search *search = opaque;
    struct sockaddr_in here = { 0 };
    socklen_t length = sizeof here;

    if (getsockname(c->fd, (struct sockaddr *)&here, &length) || here.sin_port != search->from)
        return false;
    search->found = *c;
    return true;
}

/* libslirp connects to this program before it answers the peer's SYN. */
enum outcome stack_accept(struct lab_socket *listener, struct lab_socket *s, uint16_t *peer_port)
{
    struct end *from = end_of(listener);
    struct sockaddr_in there;
    struct search search;
    socklen_t length = sizeof there;

    if (from->accepted < 0)
        from->accepted = accept4(from->fd, NULL, NULL, SOCK_NONBLOCK);
    if (from->accepted < 0)
        return WAITS;
    if (getpeername(from->accepted, (struct sockaddr *)&there, &length))
        there.sin_port = 0;
    search.from = there.sin_port;
    if (!each_connection(came_from, &search)) {
        close(from->accepted); /* over already */
        from->accepted = -1;
        return WAITS;
    }
    if (!strcmp(search.found.state, "SYN_RCVD"))
        return WAITS;
    make_end(s, from->accepted);
    from->accepted = -1;
    *peer_port = search.found.peer_port;
    return DONE;
}

enum outcome stack_connect(struct lab_socket *s, uint16_t port, uint16_t peer_port)
{
    static uint16_t forwarded = FIRST_FORWARDED;
    const struct sockaddr_in to = loopback(forwarded);
    struct end *end;

    if (!bind_end(s, port))
        return FAILED;
    end = end_of(s);
    end->port = port;
    end->peer_port = peer_port;
    if (!slirp_add_hostfwd(slirp, 0, to.sin_addr, forwarded, peer_address, peer_port)) {
        end->forwarded = forwarded++;
        port_behind[end->forwarded] = port;
        if (!connect(end->fd, (const struct sockaddr *)&to, sizeof to) || errno == EINPROGRESS)
            return WAITS;
    }
    fail(s, errno);
    stack_close(s);
    return FAILED;
}

static bool is_open(const struct shown *c, void *opaque)
{
    const struct end *end = opaque;

    return c->port == end->port && c->peer_port == end->peer_port && strcmp(c->state, "SYN_SENT")
           && strcmp(c->state, "SYN_RCVD");
}

enum outcome stack_connected(struct lab_socket *s)
{
    struct end *end = end_of(s);
    char octet;
    ssize_t got;

    if (each_connection(is_open, end))
        return DONE;
    got = recv(end->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT); /* libslirp hangs up where the peer refuses */
    if (got < 0 && would_block(errno))
        return WAITS;
    return fail(s, got < 0 ? errno : ECONNREFUSED);
}

enum outcome stack_send(struct lab_socket *s, unsigned *left)
{
    while (*left) {
        size_t length = *left;
        const char *octets = driver_octets(&length);
        const ssize_t sent = send(end_of(s)->fd, octets, length, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0)
            return would_block(errno) ? WAITS : fail(s, errno);
        *left -= (unsigned)sent;
    }
    return DONE;
}

enum outcome stack_receive(struct lab_socket *s, unsigned most, unsigned *got)
{
    static char octets[65536];
    const ssize_t received = recv(end_of(s)->fd, octets, most < sizeof octets ? most : sizeof octets, MSG_DONTWAIT);

    if (received < 0)
        return would_block(errno) ? WAITS : fail(s, errno);
    *got = (unsigned)received;
    return DONE;
}

enum outcome stack_shut(struct lab_socket *s)
{
    return shutdown(end_of(s)->fd, SHUT_WR) ? fail(s, errno) : DONE;
}

enum outcome stack_close(struct lab_socket *s)
{
    struct end *end = end_of(s);

    close(end->fd);
    if (end->accepted >= 0)
        close(end->accepted);
    if (end->forwarded)
        slirp_remove_hostfwd(slirp, 0, loopback(0).sin_addr, end->forwarded);
    free(end);
    return DONE;
}

enum outcome stack_abort(struct lab_socket *s)
{
    const struct linger at_once = { 1, 0 };

    setsockopt(end_of(s)->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return stack_close(s);
}
