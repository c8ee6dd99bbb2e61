/* in_between.c
 * By what a segment is seen to come from someone in between, in its end's name. Firewalls and load balancers reset;
 * boxes of providers and censors send a FIN too, with a page of their own (Nakibly and others, Website-Targeted False
 * Content Injection by Network Operators, 2016; Yadav and others, Where The Light Gets In, 2018).
 *
 * Each sign is one that no known stack shows by itself. No signs, for stacks differ in them, or one stack in its own
 * RSTs:
 *  - the window: Linux aborts with its present one, answers with 0, Windows always with 0;
 *  - options: Linux aborts with time stamps and answers without any, BSD and Windows send none. Injectors send none
 *    either;
 *  - an identification of 0: Linux answers so, and aborts with the next of its counter;
 *  - the acknowledgement: Windows acknowledges what it answers, be that old;
 *  - no ACK: a RST without ACK may answer what the capture lacks.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "in_between.h"

/* How many routers a segment has passed, by the nearest number that stacks begin with. */
static unsigned hops_passed(uint8_t hop_limit)
{
    return (hop_limit <= 64 ? 64 : hop_limit <= 128 ? 128 : 255) - hop_limit;
}

bool comes_as_others(const struct arrival *a)
{
    const struct tcpfsm_end *s = a->snd;

    return s->hop_limit != 0 && !s->hop_varies && a->seg->hop_limit == s->hop_limit;
}

#define HOPS_MOST 30 /* that a path has: traceroute looks no further. More: the program chose the number, as BGP's 1 */

/*
 * It passed another number of routers than all the end's other segments, two at least. A stack may begin with another
 * hop limit for a RST than for a socket, and paths that share the load differ by their length: then the end's other
 * segments differ, too.
 */
static bool comes_from_elsewhere(const struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    return seg->hop_limit != s->hop_limit && s->hop_settled && !s->hop_varies && s->hop_limit != 0
        && seg->hop_limit != 0 && hops_passed(s->hop_limit) <= HOPS_MOST
        && hops_passed(seg->hop_limit) != hops_passed(s->hop_limit);
}

#define ID_DISORDER_MOST 64    /* segments by which another is overtaken */
#define ID_FAR 8192            /* no counter goes as far in the time below */
#define ID_FRESH_US 1000000

/*
 * IPv4's identification (RFC 6864): of many stacks the next of a counter, for each connection as of Linux, or for each
 * peer. Others send random ones, or 0: of those it tells nothing. Linux answers with 0 out of no socket, and a SYN,ACK.
 */
static void note_identification(struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    const uint16_t step = (uint16_t)(seg->ip_id - s->ip_id);

    if (seg->ip_id == 0 || s->id_varies || has(seg, TCP_SYN))
        return;
    if (s->ip_id != 0 && (uint16_t)-step <= ID_DISORDER_MOST)
        return; /* a copy, or overtaken */
    if (s->ip_id != 0 && step > ID_STEP_MOST)
        s->id_varies = true;
    else if (s->ip_id != 0 && s->id_steps < ID_STEPS_SETTLED)
        s->id_steps++;
    s->ip_id = seg->ip_id;
    s->id_us = (uint32_t)seg->time_us;
}

void in_between_note(struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    if (s->hop_limit == seg->hop_limit) {
        s->hop_settled = true;
    } else {
        s->hop_varies |= s->hop_limit != 0;
        s->hop_limit = seg->hop_limit;
    }
    note_identification(s, seg);
}

/* An identification whose lower octet comes first, as old Windows writes it. */
static uint16_t turned(uint16_t id)
{
    return (uint16_t)(id << 8 | id >> 8);
}

/*
 * Its identification lies far from the counter that numbered the end's segments up to a moment ago. Not so what has no
 * ACK: what answers without a socket may be numbered by another counter than a socket's.
 */
static bool leaves_counter(const struct tcpfsm_end *s, const struct tcpfsm_segment *seg)
{
    const uint16_t step = (uint16_t)(seg->ip_id - s->ip_id);

    return step > ID_FAR && (uint16_t)-step > ID_FAR && s->id_steps == ID_STEPS_SETTLED && !s->id_varies
        && seg->ip_id != 0 && has(seg, TCP_ACK) && (uint16_t)(turned(seg->ip_id) - turned(s->ip_id)) > ID_STEP_MOST
        && (uint32_t)seg->time_us - s->id_us < ID_FRESH_US;
}

/*
 * A RST after an abort, with another number, beyond all that the end has sent and the peer acknowledged. An end aborts
 * once; its answers, which may overtake that, have numbers that the peer acknowledged. Those who reset in another's
 * name guess how far it has come.
 */
static bool guesses_number(const struct tcpfsm_end *s, const struct tcpfsm_end *peer, uint32_t seq)
{
    const bool aborted = s->sent_rst && (s->reset_cause == RESET_ABORTED || s->reset_cause == RESET_TIMEOUT);
    const bool guessed = s->sent_rst && s->reset_cause == RESET_IN_BETWEEN; /* the same again: a copy of that */

    return (guessed || (aborted && s->rst_seq != seq)) && seq != 0 && s->knows_snd_nxt
        && seq_gt(seq, s->snd_nxt) && !is_beyond_any_window(s, seq) && peer->has_acked && seq_gt(seq, peer->rcv_acked);
}

bool is_in_between(const struct tcpfsm_end *s, const struct tcpfsm_end *peer, const struct tcpfsm_segment *seg)
{
    return comes_from_elsewhere(s, seg) || leaves_counter(s, seg)
        || (has(seg, TCP_RST) && guesses_number(s, peer, seg->seq));
}

void in_between_note_belied(const struct arrival *a)
{
    /* Far numbers are those of a connection whose handshake the capture lacks. */
    if (a->m->reset_cause == RESET_NONE || a->seg->seq - a->snd->snd_nxt + UINT16_MAX > 2 * UINT16_MAX)
        return;
    a->snd->reset_cause = a->m->reset_cause = RESET_IN_BETWEEN;
    a->snd->reset_confirmed = a->m->reset_confirmed = false;
}
