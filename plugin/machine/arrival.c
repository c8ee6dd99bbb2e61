/* arrival.c
 * Inside the machine: the transitions that evidence.c and effect.c have in common.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "arrival.h"

void enter(const struct arrival *a, struct tcpfsm_end *e, enum tcp_state state, enum tcp_event event)
{
    struct tcpfsm_change *change = &a->out->end[e - a->m->end];

    if (e->state == state)
        return;
    if (change->count == TCPFSM_STEPS_MAX) /* cannot be reached; the last step must stay the truth */
        change->count--;
    change->state[change->count] = (uint8_t)state;
    change->event[change->count++] = (uint8_t)event;
    if (state == TCP_CLOSE_WAIT || state == TCP_CLOSING || state == TCP_TIME_WAIT || event == TCP_EV_RCV_RST
        || event == TCP_EV_SND_RST)
        e->since_us = a->seg->time_us;
    e->state = (uint8_t)state;
    e->confirmed = false;
}

void enter_closed(const struct arrival *a, struct tcpfsm_end *e, enum tcp_state state, enum tcp_event event)
{
    if (!e->syn_pending) /* else that of the old connection stays */
        e->live = e->state;
    e->by_rst = event == TCP_EV_RCV_RST;
    e->sent_rst = event == TCP_EV_SND_RST;
    e->by_icmp = event == TCP_EV_RCV_ICMP;
    enter(a, e, state, event);
}

void choose_iss(struct tcpfsm_end *e, uint32_t iss)
{
    if (!e->has_other_iss || iss != e->iss_other || iss == e->iss)
        return;
    e->iss_other = e->iss;
    e->iss = iss;
    e->data_end = e->snd_nxt = iss + 1;
}

void take_pending_syn(struct tcpfsm_end *e)
{
    const struct tcpfsm_segment syn = {
        .seq = e->iss_other, .flags = TCP_SYN, .mss = e->mss, .wscale = e->wscale, .options_cut = !e->wscale_known
    };

    seq_begin(e, &syn);
    e->captured = true;
    e->live = TCP_CLOSED;
}

void take_peer_fin(const struct arrival *a, struct tcpfsm_end *e, const struct tcpfsm_end *peer)
{
    if (peer->knows_fin) /* else the peer opened anew since: only the end's own FIN tells that it had it */
        seq_advance_received(e, peer->fin + 1);
    switch (e->state) {
    case TCP_SYN_RCVD:
    case TCP_ESTABLISHED:
        enter(a, e, TCP_CLOSE_WAIT, TCP_EV_RCV_FIN);
        break;
    case TCP_FIN_WAIT_1:
        enter(a, e, TCP_CLOSING, TCP_EV_RCV_FIN);
        break;
    case TCP_FIN_WAIT_2:
        enter(a, e, TCP_TIME_WAIT, TCP_EV_RCV_FIN);
        break;
    default:
        break;
    }
}

void count_early_fin(const struct arrival *a, struct tcpfsm_end *e)
{
    if (!e->knows_fin)
        return;
    if (e->state == TCP_ESTABLISHED) {
        e->fin_uncovered = true;
        e->fin_lost |= e->covered_peer_fin; /* with this FIN, or later: a guess */
        enter(a, e, TCP_FIN_WAIT_1, TCP_EV_SND_FIN);
    } else if (e->state == TCP_CLOSE_WAIT) {
        enter(a, e, TCP_LAST_ACK, TCP_EV_SND_FIN);
    }
}

void infer_fin(const struct arrival *a, struct tcpfsm_end *e, uint32_t fin)
{
    e->fin = fin;
    e->knows_fin = e->fin_inferred = e->fin_lost = true;
    e->snd_nxt = fin + 1;
    e->knows_snd_nxt = true;
    if (e->state == TCP_ESTABLISHED) {
        e->fin_uncovered = true;
        enter(a, e, TCP_FIN_WAIT_1, TCP_EV_FIN_ACKNOWLEDGED);
    } else if (e->state == TCP_CLOSE_WAIT) {
        enter(a, e, TCP_LAST_ACK, TCP_EV_FIN_ACKNOWLEDGED);
    }
}
