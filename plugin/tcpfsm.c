/* tcpfsm.c
 * The state machine of one TCP connection, seen from outside: one segment, and what evidence.c and
 * effect.c, which decide the transitions, have in common.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "judgement.h"

#include <string.h>

void enter(const struct judgement *j, struct tcpfsm_end *e, enum tcp_state state, enum tcp_event event)
{
    struct tcpfsm_change *change = &j->out->end[e - j->m->end];

    if (e->state == state)
        return;
    if (change->count == TCPFSM_STEPS_MAX) /* cannot be reached; the last step must stay the truth */
        change->count--;
    change->state[change->count] = (uint8_t)state;
    change->event[change->count++] = (uint8_t)event;
    if (state == TCP_CLOSING || state == TCP_TIME_WAIT || event == TCP_EV_RCV_RST || event == TCP_EV_SND_RST)
        e->since_us = j->seg->time_us;
    e->state = (uint8_t)state;
    e->confirmed = false;
}

void enter_closed(const struct judgement *j, struct tcpfsm_end *e, enum tcp_state state, enum tcp_event event)
{
    if (e->state != TCP_CLOSED && e->state != TCP_LISTEN && !e->syn_pending) /* else that of the old connection stays */
        e->live = e->state;
    e->by_rst = event == TCP_EV_RCV_RST;
    enter(j, e, state, event);
}

void choose_iss(struct tcpfsm_end *e, uint32_t iss)
{
    if (!e->has_other_iss || iss == e->iss || iss != e->iss_other)
        return;
    e->iss_other = e->iss;
    e->iss = iss;
    e->data_end = e->snd_nxt = iss + 1;
}

void take_pending_syn(struct tcpfsm_end *e)
{
    const struct tcpfsm_segment syn = {
        .seq = e->iss_other, .flags = TCP_SYN, .mss = e->mss, .wscale = e->wscale
    };

    seq_begin(e, &syn);
    e->captured = true;
    e->has_other_iss = false;
    e->live = TCP_CLOSED;
}

void take_peer_fin(const struct judgement *j, struct tcpfsm_end *e, const struct tcpfsm_end *peer)
{
    if (peer->knows_fin) /* else it is only known that the end has it */
        seq_advance_received(e, peer->fin + 1);
    switch (e->state) {
    case TCP_SYN_RCVD:
    case TCP_ESTABLISHED:
        enter(j, e, TCP_CLOSE_WAIT, TCP_EV_RCV_FIN);
        break;
    case TCP_FIN_WAIT_1:
        enter(j, e, TCP_CLOSING, TCP_EV_RCV_FIN);
        break;
    case TCP_FIN_WAIT_2:
        enter(j, e, TCP_TIME_WAIT, TCP_EV_RCV_FIN);
        break;
    default:
        break;
    }
}

void count_early_fin(const struct judgement *j, struct tcpfsm_end *e)
{
    if (!e->knows_fin)
        return;
    if (e->state == TCP_ESTABLISHED || (e->state == TCP_SYN_RCVD && e->synchronized)) {
        e->fin_uncovered = true;
        enter(j, e, TCP_FIN_WAIT_1, TCP_EV_SND_FIN);
    } else if (e->state == TCP_CLOSE_WAIT) {
        enter(j, e, TCP_LAST_ACK, TCP_EV_SND_FIN);
    }
}

void infer_fin(const struct judgement *j, struct tcpfsm_end *e, uint32_t fin)
{
    e->fin = fin;
    e->knows_fin = e->fin_inferred = e->fin_lost = true;
    e->snd_nxt = fin + 1;
    e->knows_snd_nxt = true;
    if (e->state == TCP_ESTABLISHED || e->state == TCP_SYN_RCVD) {
        e->fin_uncovered = true;
        enter(j, e, TCP_FIN_WAIT_1, TCP_EV_FIN_ACKNOWLEDGED);
    } else if (e->state == TCP_CLOSE_WAIT) {
        enter(j, e, TCP_LAST_ACK, TCP_EV_FIN_ACKNOWLEDGED);
    }
}

/* TIME_WAIT lasts 2 MSL (RFC 9293 section 3.10.8). */
static void expire_time_wait(const struct judgement *j, struct tcpfsm_end *e, int64_t time_wait_us)
{
    if (e->state == TCP_TIME_WAIT && j->seg->time_us - e->since_us >= time_wait_us)
        enter_closed(j, e, TCP_CLOSED, TCP_EV_TIMEOUT_2MSL);
}

/* The first segment ever: who is the client, and what both were before. */
static void start(struct tcpfsm *m, unsigned sender, unsigned client_hint, const struct tcpfsm_segment *seg)
{
    struct tcpfsm_end *s = &m->end[sender], *r = &m->end[!sender];

    m->started = true;
    m->midstream = true;
    s->wscale = r->wscale = TCPFSM_NO_WSCALE;
    m->client = client_hint & 1;
    if (!(seg->flags & TCP_SYN)) {
        s->state = r->state = TCP_ESTABLISHED;
    } else if (!(seg->flags & TCP_ACK)) {
        m->client = sender;
        r->state = TCP_LISTEN;
    } else {
        m->client = !sender;
        s->state = TCP_LISTEN;
        r->state = TCP_SYN_SENT;
    }
}

/* No stack repeats a segment sooner than this, nor sooner than a round trip (RFC 6298 section 2.4). */
#define REPEATS_AFTER_US 1000

/* Whether the segment comes from the sender of the one before, too soon to be a repetition of it. */
static bool follows_at_once(struct tcpfsm *m, unsigned sender, const struct tcpfsm_segment *seg)
{
    const uint32_t now_us = (uint32_t)seg->time_us, elapsed_us = now_us - m->latest_us;
    const bool same_sender = m->latest_sender == sender;

    m->latest_us = now_us;
    m->latest_sender = sender;
    return same_sender && elapsed_us < (m->rtt_us > REPEATS_AFTER_US ? m->rtt_us : REPEATS_AFTER_US);
}

void tcpfsm_segment(struct tcpfsm *m, unsigned sender, unsigned client_hint,
                    const struct tcpfsm_segment *seg, int64_t time_wait_us,
                    struct tcpfsm_outcome *out)
{
    struct tcpfsm_segment plain = *seg;
    struct judgement j = {
        .m = m, .snd = &m->end[sender & 1], .rcv = &m->end[!(sender & 1)], .seg = &plain, .out = out,
        .follows_at_once = follows_at_once(m, sender & 1, seg),
    };

    if (!m->started)
        start(m, sender & 1, client_hint, seg);
    if (has(&plain, TCP_SYN) && !has(&plain, TCP_ACK)) /* no stack opens and closes at once, nor obeys such a segment */
        plain.flags &= (uint8_t)~TCP_FIN;
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < 2; i++) {
        out->end[i].previous = m->end[i].state;
        expire_time_wait(&j, &m->end[i], time_wait_us);
    }

    if (has(&plain, TCP_RST)) {
        evidence_of_rst(&j);
        effect_of_rst(&j);
        return;
    }
    if (has(&plain, TCP_SYN | TCP_ACK))
        evidence_of_syn_ack(&j);
    else if (has(&plain, TCP_SYN))
        evidence_of_syn(&j);
    else if (has(&plain, TCP_ACK))
        evidence_of_ack(&j);
    else
        return; /* RFC 9293 section 3.10.7.4: without ACK it is dropped */

    if (!(has(&plain, TCP_SYN) && j.snd->syn_pending)) /* else its numbers are not those of the connection */
        seq_note_sent(j.snd, j.rcv, &plain, j.follows_at_once);

    if (has(&plain, TCP_SYN | TCP_ACK))
        effect_of_syn_ack(&j);
    else if (has(&plain, TCP_SYN))
        effect_of_syn(&j);
    else
        effect_of_ack(&j);
}
