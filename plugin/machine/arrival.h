/* arrival.h
 * Inside the machine: one segment that has arrived, and the transitions that evidence.c and effect.c have in
 * common. Not for its users.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ARRIVAL_H
#define ARRIVAL_H

#include "tcpseq.h"

/* One segment that has arrived: first for what it proves of its sender, then for what it does to its receiver. */
struct arrival {
    struct tcpfsm *m;
    struct tcpfsm_end *snd, *rcv; /* who sent the segment, and who is to receive it */
    const struct tcpfsm_segment *seg;
    uint32_t data_end, end; /* one past its last octet of data, and past its last number: seq_data_end(), seq_end() */
    struct tcpfsm_outcome *out;
    bool may_copy_latest; /* it ends where the latest ended, of the same sender, too soon for a retransmission */
    bool in_between; /* a RST or FIN that is unlike what its sender sends otherwise */
    struct tcpfsm_latest latest; /* the segment before */
};

static inline bool has(const struct tcpfsm_segment *seg, unsigned flags)
{
    return (seg->flags & flags) == flags;
}

static inline bool is_synchronized(enum tcp_state state)
{
    return state >= TCP_ESTABLISHED;
}

/* The end waits for the answer to this very SYN already. */
static inline bool awaits_answer_to(const struct tcpfsm_end *s, const struct tcpfsm_segment *syn)
{
    return s->state == TCP_SYN_SENT && (s->syn_pending ? syn->seq == s->iss_other : s->knows_iss && syn->seq == s->iss);
}

/* Every transition is made here; a state entered is assumed until the caller confirms it. */
void enter(const struct arrival *a, struct tcpfsm_end *e, enum tcp_state state, enum tcp_event event);

/* The end is assumed to have ended its connection (CLOSED or LISTEN); should it speak again, that was wrong. */
void enter_closed(const struct arrival *a, struct tcpfsm_end *e, enum tcp_state state, enum tcp_event event);

/* If the end sent a second SYN, with the number iss, that is the one that turns out to count. */
void choose_iss(struct tcpfsm_end *e, uint32_t iss);

/* The end's SYN amid a connection was answered, so it opened anew. */
void take_pending_syn(struct tcpfsm_end *e);

/* The end has the peer's FIN (RFC 9293 section 3.10.7.4, eighth check). */
void take_peer_fin(const struct arrival *a, struct tcpfsm_end *e, const struct tcpfsm_end *peer);

/*
 * The end's FIN left while that could not count: with the SYN,ACK, before the handshake was complete (RFC 9293
 * section 3.10.7.4, fifth check), or when the end was taken to be closed. Now it counts.
 */
void count_early_fin(const struct arrival *a, struct tcpfsm_end *e);

/* The end's FIN was never captured; what the peer acknowledged shows that it left, with number fin. */
void infer_fin(const struct arrival *a, struct tcpfsm_end *e, uint32_t fin);

/* The segment is of a newer connection, whose handshake the capture lacks. */
void begin_not_captured(const struct arrival *a);

/* ACK or data after a pending SYN: out of the new connection, or of the old one that the SYN was a stray to. */
void decide_pending_syn(const struct arrival *a);

/* The end was assumed to take a new SYN, but does not acknowledge it: the connection it was in lives. */
bool keeps_old_connection(const struct arrival *a);

/* What ACK or data proves of the handshake. Returns whether its sender is synchronized. */
bool evidence_of_opening(const struct arrival *a);

/* What ACK, data or FIN proves of the sender, synchronized, in ESTABLISHED and after. */
void evidence_of_closing(const struct arrival *a);

/* What sending the segment proves of its sender. */
void evidence_of_rst(const struct arrival *a);
bool evidence_of_syn(const struct arrival *a); /* false: a copy, nothing new to its receiver either */
void evidence_of_syn_ack(const struct arrival *a);
void evidence_of_ack(const struct arrival *a); /* ACK, data or FIN */

/* What receiving the segment does, by RFC 9293 section 3.10.7, to its receiver. */
void effect_of_rst(const struct arrival *a);
void effect_of_syn(const struct arrival *a);
void effect_of_syn_ack(const struct arrival *a);
void effect_of_ack(const struct arrival *a); /* ACK, data or FIN */

#endif
