/* driver.c
 * The laboratory's protocol, on behalf of a stack.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include "driver.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WIRE 3
#define SOCKETS 256     /* at a time */
#define CONNECTIONS 256
#define FDS 256

enum waiting { ACCEPT, CONNECT, SEND, RECEIVE, KINDS };

static const char *const waiting_name[KINDS] = { "accept", "connect", "send", "receive" };

/* A socket and the commands that wait for it. */
static struct entry {
    bool used;
    bool waits[KINDS];
    struct lab_socket socket;
    unsigned accepted;    /* number of the socket that the listener's next connection becomes */
    unsigned send, left;  /* octets, of which are left */
    unsigned receive;     /* octets at most */
} entries[SOCKETS];

/* A connection and its state as told. */
static struct connection {
    uint16_t port, peer_port;
    const char *state;
    bool seen; /* in this look */
} connections[CONNECTIONS];
static unsigned connection_count;
static const char *own_address, *peer_address; /* all connections are between these */

/* ---------------------------------------------------------------- states */

static void tell(const struct connection *c, const char *state)
{
    const char *form = strchr(own_address, ':') ? "state %lld.%06ld [%s]:%u [%s]:%u %s\n"
                                                : "state %lld.%06ld %s:%u %s:%u %s\n";
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    printf(form, (long long)now.tv_sec, now.tv_nsec / 1000, own_address, c->port, peer_address, c->peer_port, state);
}

void driver_state(uint16_t port, uint16_t peer_port, const char *state)
{
    struct connection *c = connections, *end = connections + connection_count;

    while (c < end && (c->port != port || c->peer_port != peer_port))
        c++;
    if (c == end) {
        if (connection_count == CONNECTIONS) {
            fputs("driver: too many connections\n", stderr);
            exit(1);
        }
        connection_count++;
        *c = (struct connection){ port, peer_port, NULL, false };
    }
    if (c->seen) /* one and the same pair twice, of which a stack tells the newer first */
        return;
    c->seen = true;
    if (c->state && !strcmp(c->state, state))
        return;
    c->state = state;
    tell(c, state);
}

/* When the first packet since the latest look was sent, by either end; tv_sec 0: none was. */
static struct timespec first_packet;

/* Tells how long ago that was, if longer than any before: states are dated later by that. */
static void tell_lateness(void)
{
    static double largest_s = 0.002;
    struct timespec now;

    if (!first_packet.tv_sec)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    const double late_s = (double)(now.tv_sec - first_packet.tv_sec)
        + (double)(now.tv_nsec - first_packet.tv_nsec) / 1e9;
    first_packet.tv_sec = 0;
    if (late_s > largest_s) {
        largest_s = late_s;
        printf("gap %.6f\n", late_s);
    }
}

/* Tells what changed since the last look. */
static void look(void)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < connection_count; i++)
        connections[i].seen = false;
    stack_states();
    for (unsigned i = 0; i < connection_count; i++) {
        if (connections[i].seen)
            connections[kept++] = connections[i];
        else
            tell(&connections[i], "CLOSED");
    }
    connection_count = kept;
    tell_lateness();
}

/* ---------------------------------------------------------------- answers */

static void answer(unsigned number, const char *command, enum outcome outcome, const char *failure)
{
    look();
    if (outcome == DONE)
        printf("ok %u %s\n", number, command);
    else
        printf("%s %u %s %s\n", outcome == UNABLE ? "unable" : "error", number, command,
               failure ? failure : "failed");
}

static struct entry *find(unsigned number)
{
    for (struct entry *e = entries; e < entries + SOCKETS; e++)
        if (e->used && e->socket.number == number)
            return e;
    return NULL;
}

/* A new socket; NULL where there are too many. */
static struct entry *add(unsigned number)
{
    for (struct entry *e = entries; e < entries + SOCKETS; e++)
        if (!e->used) {
            *e = (struct entry){ .used = true, .socket = { .number = number } };
            return e;
        }
    return NULL;
}

static enum outcome ask_accept(struct entry *listener)
{
    struct entry *made = add(listener->accepted);
    enum outcome outcome;
    uint16_t peer_port;

    if (!made) {
        answer(listener->accepted, "accept", FAILED, "too many sockets");
        return DONE;
    }
    outcome = stack_accept(&listener->socket, &made->socket, &peer_port);
    if (outcome != DONE)
        made->used = false;
    if (outcome == DONE) {
        look();
        printf("ok %u accept %s %u\n", listener->accepted, peer_address, peer_port);
    } else if (outcome != WAITS)
        answer(listener->accepted, "accept", outcome, listener->socket.failure);
    return outcome;
}

static enum outcome ask_receive(struct entry *e)
{
    unsigned got = 0;
    const enum outcome outcome = stack_receive(&e->socket, e->receive, &got);

    if (outcome == DONE) {
        look();
        printf("ok %u receive %u\n", e->socket.number, got);
    } else if (outcome != WAITS)
        answer(e->socket.number, "receive", outcome, e->socket.failure);
    return outcome;
}

static enum outcome ask_send(struct entry *e)
{
    const enum outcome outcome = stack_send(&e->socket, &e->left);

    if (outcome == DONE) {
        look();
        printf("ok %u send %u\n", e->socket.number, e->send);
    } else if (outcome != WAITS)
        answer(e->socket.number, "send", outcome, e->socket.failure);
    return outcome;
}

static enum outcome ask_connected(struct entry *e)
{
    const enum outcome outcome = stack_connected(&e->socket);

    if (outcome != WAITS)
        answer(e->socket.number, "connect", outcome, e->socket.failure);
    return outcome;
}

/* Asks for all commands that wait. */
static void progress(void)
{
    static enum outcome (*const ask[KINDS])(struct entry *) = { ask_accept, ask_connected, ask_send, ask_receive };

    for (struct entry *e = entries; e < entries + SOCKETS; e++)
        for (unsigned kind = 0; kind < KINDS; kind++)
            if (e->used && e->waits[kind])
                e->waits[kind] = ask[kind](e) == WAITS;
}

/* A socket goes, and what waits for it fails. */
static void forget(struct entry *e)
{
    for (unsigned kind = 0; kind < KINDS; kind++)
        if (e->waits[kind])
            answer(kind == ACCEPT ? e->accepted : e->socket.number, waiting_name[kind], FAILED, "closed");
    e->used = false;
}

/* ---------------------------------------------------------------- the wire */

void driver_output(const void *packet, size_t length)
{
    if (!first_packet.tv_sec)
        clock_gettime(CLOCK_REALTIME, &first_packet);
    (void)!send(WIRE, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The next packet that has come, as recv() gives it. */
static ssize_t take_packet(void *packet, size_t size)
{
    union {
        char octets[CMSG_SPACE(sizeof(struct timespec))];
        struct cmsghdr aligned;
    } control;
    struct iovec whole = { .iov_base = packet, .iov_len = size };
    struct msghdr message = {
        .msg_iov = &whole, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control,
    };
    const ssize_t got = recvmsg(WIRE, &message, MSG_DONTWAIT);

    for (struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&message) : NULL; c; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            if (!first_packet.tv_sec)
                memcpy(&first_packet, CMSG_DATA(c), sizeof first_packet);
        }
    return got;
}

/* Hands over the packets that have come. Returns false once the wire is gone. */
static bool take_packets(void)
{
    static uint8_t packet[65536];

    for (;;) {
        const ssize_t got = take_packet(packet, sizeof packet);

        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        if (!got)
            return false;
        stack_input(packet, (size_t)got);
        look();
        progress();
    }
}

const char *driver_octets(size_t *length)
{
    static char octets[4096];

    if (!octets[0])
        memset(octets, 'x', sizeof octets);
    if (*length > sizeof octets)
        *length = sizeof octets;
    return octets;
}

/* ---------------------------------------------------------------- commands */

/* Those that make a socket. */
static bool open_command(const char *name, unsigned number, unsigned a, unsigned b)
{
    const bool listens = !strcmp(name, "listen");
    enum outcome outcome;
    struct entry *e;

    if (!listens && strcmp(name, "connect"))
        return false;
    e = add(number);
    if (!e) {
        answer(number, name, FAILED, "too many sockets");
        return true;
    }
    outcome = listens ? stack_listen(&e->socket, (uint16_t)a, (int)b)
                      : stack_connect(&e->socket, (uint16_t)a, (uint16_t)b);
    e->waits[CONNECT] = outcome == WAITS;
    if (outcome == FAILED || outcome == UNABLE)
        e->used = false;
    if (outcome != WAITS)
        answer(number, name, outcome, e->socket.failure);
    return true;
}

/* Those that end a socket. */
static bool close_command(const char *name, struct entry *e)
{
    const bool closes = !strcmp(name, "close");
    enum outcome outcome;

    if (!closes && strcmp(name, "abort"))
        return false;
    outcome = closes ? stack_close(&e->socket) : stack_abort(&e->socket);
    if (outcome != UNABLE)
        forget(e);
    answer(e->socket.number, name, outcome, e->socket.failure);
    return true;
}

static bool is_known(const char *name)
{
    static const char *const names[] = { "listen", "connect", "close", "abort", "shut", "accept", "send", "receive" };

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

static void command(const char *line)
{
    char name[16] = "", first[64] = "0";
    unsigned number, a = 0, b = 0;
    struct entry *e;

    sscanf(line, "%15s %63s", name, first);
    if (!is_known(name) || sscanf(line, "%*s %u %u %u", &number, &a, &b) < 1) {
        printf("unable %s %s unknown\n", first, name);
        return;
    }
    if (open_command(name, number, a, b))
        return;
    e = find(number);
    if (!e) {
        answer(strcmp(name, "accept") ? number : a, name, FAILED, "no such socket");
        return;
    }
    if (close_command(name, e))
        return;
    if (!strcmp(name, "shut")) {
        const enum outcome outcome = stack_shut(&e->socket);

        answer(number, name, outcome, e->socket.failure);
    } else if (!strcmp(name, "accept")) {
        e->accepted = a;
        e->waits[ACCEPT] = true;
    } else if (!strcmp(name, "send")) {
        e->send = e->left = a;
        e->waits[SEND] = true;
    } else {
        e->receive = a;
        e->waits[RECEIVE] = true;
    }
}

/* Carries out the commands that have come. Returns false at the end of the input, or of the wire. */
static bool take_commands(void)
{
    static char text[4096];
    static size_t length;
    const ssize_t got = read(STDIN_FILENO, text + length, sizeof text - 1 - length);
    char *line = text, *end;

    if (got <= 0)
        return got < 0 && (errno == EINTR || errno == EAGAIN);
    length += (size_t)got;
    text[length] = '\0';
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        if (!take_packets()) /* what came before it */
            return false;
        command(line);
        look();
        progress();
        line = end + 1;
    }
    length -= (size_t)(line - text);
    memmove(text, line, length);
    return length < sizeof text - 1;
}

int main(int argc, char **argv)
{
    const char *told;

    if (argc != 3) {
        fprintf(stderr, "usage: %s ADDRESS PEER, for the conformance tests; the wire is descriptor 3\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    own_address = argv[1];
    peer_address = argv[2];
    told = stack_begin(own_address, peer_address);
    if (!told) {
        puts("unable 0 begin not over such addresses");
        return 0;
    }
    printf("stack %s\n", told);
    for (;;) {
        struct pollfd fds[2 + FDS] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = WIRE, .events = POLLIN } };
        int timeout_ms = -1;
        const unsigned more = stack_prepare(fds + 2, FDS, &timeout_ms);

        if (poll(fds, 2 + more, timeout_ms) < 0 && errno != EINTR)
            return 1;
        if (fds[1].revents && !take_packets())
            return 0;
        stack_run(fds + 2, more);
        look();
        progress();
        if (fds[0].revents && !take_commands())
            return 0;
    }
}
