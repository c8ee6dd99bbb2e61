/* race.c
 * The race at the end of keep-alive.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "race.h"

#define IDLE_LEAST_US 1000000

/* The first FIN of an open connection: how long it had been idle, and whether the peer's data crossed it already. */
static void note_close(struct tcpfsm *m, unsigned sender, const struct tcpfsm_segment *seg)
{
    const struct tcpfsm_end *peer = &m->end[!sender];
    const bool crossed = m->latest.kind == TCPFSM_LATEST_NEW_DATA && m->latest.sender != sender
        && peer->knows_snd_nxt && seq_lt(seg->ack, peer->snd_nxt);

    m->race.closer = sender != 0;
    m->race.crossed = crossed;
    m->race.idle_us = crossed ? m->latest.gap_us : seg->time_us - m->latest.time_us;
}

void race_note(struct tcpfsm *m, unsigned sender, const struct tcpfsm_segment *seg)
{
    const struct tcpfsm_end *s = &m->end[sender], *peer = &m->end[!sender];

    m->race_idle_us = 0;
    if (!has(seg, TCP_ACK) || (seg->flags & (TCP_SYN | TCP_RST)))
        return;
    if (has(seg, TCP_FIN)) {
        if (peer->state == TCP_ESTABLISHED && !s->knows_fin)
            note_close(m, sender, seg);
    } else if (seg->len > 0 && m->race.idle_us > 0 && m->race.closer != sender && peer->knows_fin
               && !s->covered_peer_fin && !acks_fin_of(peer, seg->ack)) {
        m->race.crossed = true; /* it left before its sender knew */
    }
}

void race_decide(const struct arrival *a)
{
    const struct tcpfsm *m = a->m;
    const int64_t least_us = m->rtt_us ? m->rtt_us : IDLE_LEAST_US;

    if (m->race.crossed && m->race.closer == (a->snd != m->end) && a->snd->reset_cause == RESET_DATA_AFTER_CLOSE
        && m->race.idle_us >= least_us)
        a->m->race_idle_us = m->race.idle_us;
    a->m->race.crossed = false; /* told once */
}
