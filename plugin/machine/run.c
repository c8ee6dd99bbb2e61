/* run.c
 * Where a run of segments in order begins, and what it comes to.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "run.h"

static uint8_t flags_of(const struct sighting *s)
{
    return s->seg.flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK);
}

/* SYN, and the SYN,ACK that answers it: RFC 9293 figure 6. */
static bool is_opening(const struct sighting *syn, const struct sighting *syn_ack)
{
    return flags_of(syn) == TCP_SYN && flags_of(syn_ack) == (TCP_SYN | TCP_ACK)
        && syn_ack->at.sender != syn->at.sender && syn_ack->seg.ack == syn->seg.seq + 1;
}

/* What is known once the SYN,ACK has been sent. */
static void open(struct run *run, const struct sighting *syn, const struct sighting *syn_ack)
{
    const unsigned client = syn->at.sender, server = syn_ack->at.sender;
    /* Both have the option, or no window is scaled (RFC 7323 section 2.2). */
    const bool scaled = syn->seg.wscale != TCPFSM_NO_WSCALE && syn_ack->seg.wscale != TCPFSM_NO_WSCALE;

    *run = (struct run){ .least_window = { UINT16_MAX, UINT16_MAX } };
    run->next[client] = run->ack[server] = syn->seg.seq + 1;
    run->next[server] = run->ack[client] = run->edge[client] = syn_ack->seg.seq + 1;
    run->edge[server] = syn_ack->seg.ack + syn_ack->seg.window; /* a SYN's own window is not scaled */
    run->scale[client] = scaled ? syn->seg.wscale : 0;
    run->scale[server] = scaled ? syn_ack->seg.wscale : 0;
}

/* Takes a segment that waits into the run, if it goes on in order. It has no options that count. */
static bool take_waiting(struct run *run, const struct sighting_packed *waiting, int64_t from_ns)
{
    const struct tcpfsm_segment seg = header_read_fixed(waiting->fixed, sighting_payload(waiting));
    const struct occasion at = { .time_ns = sighting_time_ns(waiting, from_ns), .sender = sighting_sender(waiting) & 1 };

    return run_take(run, &seg, at);
}

unsigned run_begin(struct run *run, const struct sighting_packed *waiting, unsigned count, int64_t from_ns)
{
    struct sighting syn, syn_ack;
    unsigned taken = 2;

    if (count <= taken)
        return 0;
    sighting_unpack(&waiting[0], from_ns, &syn);
    sighting_unpack(&waiting[1], from_ns, &syn_ack);
    if (!is_opening(&syn, &syn_ack) || sighting_sender(&waiting[2]) != syn.at.sender) /* the handshake's last ACK */
        return 0;
    open(run, &syn, &syn_ack);
    const unsigned server = syn_ack.at.sender;
    const uint32_t sent = run->next[server], acked = run->ack[server];
    while (taken < count && take_waiting(run, &waiting[taken], from_ns)) {
        taken++;
        /* The server too has sent what only an open end sends: data, or the ACK of data. */
        if (run->after == 0 && (run->next[server] != sent || run->ack[server] != acked))
            run->after = (uint8_t)taken;
    }
    return run->after > 0 ? taken : 0;
}

void run_move(const struct run *run, struct tcpfsm *m)
{
    for (unsigned i = 0; i < 2; i++) {
        struct tcpfsm_end *e = &m->end[i];
        e->data_end = e->snd_nxt = run->next[i];
        e->rcv_nxt = run->next[!i];
        e->rcv_acked = e->last_ack = run->ack[i];
        e->rcv_edge = run->edge[i];
        if (seq_holds_back(e, (uint32_t)run->least_window[i] << run->scale[i]))
            m->end[!i].held_back = true;
    }
    m->latest_us = (uint32_t)(run->latest_ns / 1000);
    m->latest_sender = run->latest_sender;
}
