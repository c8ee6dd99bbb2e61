/* driver.h
 * What the drivers in C have in common: a driver holds one TCP stack, one host of the laboratory's wire. driver.c has
 * its main(): it speaks the laboratory's protocol (README.md) and calls the functions below, which each stack's file
 * defines. One thread, no call blocks.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef DRIVER_H
#define DRIVER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A socket of the laboratory, until it is closed or aborted. */
struct lab_socket {
    unsigned number;     /* the laboratory's */
    void *own;           /* the stack's */
    const char *failure; /* why the latest call failed, or is unable; free text, static */
};

/* What a call came to. WAITS: driver.c asks again after each event. */
enum outcome { DONE, WAITS, FAILED, UNABLE };

/* ---- driver.c has these */

/* Sends an IP packet. Where the wire is full it is lost. */
void driver_output(const void *packet, size_t length);

/* Called from stack_states() for each connection there is, all between the two addresses of stack_begin(). state: RFC
 * 9293's name with underscores, static. */
void driver_state(uint16_t port, uint16_t peer_port, const char *state);

/* The next x's of a program, at most this many: *length of them. */
const char *driver_octets(size_t *length);

/* ---- a stack's file has these; ports in the order of the machine */

/* Begins the stack. own, peer: addresses as text, both IPv4 with prefix 24, or IPv6 with prefix 64. Returns its name
 * and version, static; NULL: the driver does not speak with such. */
const char *stack_begin(const char *own, const char *peer);

/* An IP packet arrives. */
void stack_input(const uint8_t *packet, size_t length);

/* Before poll(): what else to wait for, at most room, and for how long (ms; lowers *timeout_ms). Returns how many. */
unsigned stack_prepare(struct pollfd *fds, unsigned room, int *timeout_ms);

/* After poll(): what it waited for, and its timers. */
void stack_run(const struct pollfd *fds, unsigned count);

/* Calls driver_state() for each connection, listening sockets apart. */
void stack_states(void);

enum outcome stack_listen(struct lab_socket *s, uint16_t port, int backlog);

/* The listener's next connection becomes s; tells the port of its other end. Never FAILED. */
enum outcome stack_accept(struct lab_socket *listener, struct lab_socket *s, uint16_t *peer_port);

/* Begins an active open; stack_connected() is asked from then on, if it WAITS. */
enum outcome stack_connect(struct lab_socket *s, uint16_t port, uint16_t peer_port);
enum outcome stack_connected(struct lab_socket *s);

/* Takes what it can of *left octets, and lowers *left. DONE at 0. */
enum outcome stack_send(struct lab_socket *s, unsigned *left);

/* DONE: *got octets at most, or 0 for the peer's FIN. */
enum outcome stack_receive(struct lab_socket *s, unsigned most, unsigned *got);

enum outcome stack_shut(struct lab_socket *s);

/* The last calls for a socket, a listening one too: what it owns is freed, unless UNABLE. */
enum outcome stack_close(struct lab_socket *s);
enum outcome stack_abort(struct lab_socket *s);

#endif
