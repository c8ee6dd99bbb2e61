/* endpoint.h
 * A plain TCP endpoint by RFC 9293 section 3.10, as far as states go: it keeps nothing ahead of order,
 * has no congestion control, and retransmits when told.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "tcpfsm.h"

/* A segment on its way, and the state that its sender was in once it had left. */
struct sent {
    struct tcpfsm_segment seg;
    uint8_t state;
    bool closing;    /* its FIN had been sent by then */
    uint32_t iss;    /* of that time */
    uint32_t moment; /* for the caller's use */
};

struct endpoint {
    uint8_t  state;
    bool     listens;   /* returns to LISTEN, rather than CLOSED */
    bool     opened_actively;
    bool     closing;   /* its FIN has been sent */
    uint32_t iss, snd_una, snd_nxt;
    uint32_t fin;       /* number of its FIN, if closing */
    uint32_t rcv_nxt;
    uint32_t tsval;
};

/* Where an endpoint puts what it sends. */
struct outbox {
    struct sent *to; /* room for two */
    unsigned count;
};

void endpoint_open(struct endpoint *e, uint32_t iss, struct outbox *out);
void endpoint_send(struct endpoint *e, uint32_t len, struct outbox *out);
void endpoint_acknowledge(struct endpoint *e, struct outbox *out);
void endpoint_close(struct endpoint *e, struct outbox *out);
void endpoint_abort(struct endpoint *e, struct outbox *out);
void endpoint_retransmit(struct endpoint *e, struct outbox *out);
void endpoint_expire(struct endpoint *e); /* 2 MSL have passed */

/* A segment arrives. */
void endpoint_receive(struct endpoint *e, const struct tcpfsm_segment *seg, struct outbox *out);

#endif
