/* run.h
 * A run of segments in order: what they come to, so that in a connection at which nobody looks they need neither wait
 * one by one nor move the machine.
 *
 * A run begins only where it is plain from few rules what the machine would be like: SYN, SYN,ACK and ACK fit, every
 * segment since came in order, and both ends have shown that they are open. From there on data and ACKs in order
 * change no state, only numbers; the machine's are those that stand here. The fuzzer holds that against the machine,
 * octet by octet.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef RUN_H
#define RUN_H

#include "sighting.h"
#include "tcpseq.h"

/* By index of end, where there are two. Valid in the process that made it. */
struct run {
    int64_t  latest_ns;       /* when the latest segment was captured */
    uint32_t next[2];         /* number after all that it sent, and that its peer was sent */
    uint32_t ack[2];          /* its acknowledgement */
    uint32_t edge[2];         /* right edge of the widest window that it offered */
    uint16_t least_window[2]; /* that it offered since the handshake, as sent */
    uint8_t  scale[2];        /* how often its windows are to be doubled */
    uint8_t  latest_sender;
    uint8_t  after;           /* so many segments wait that come before the run */
};

/*
 * Begins a run, if segments that wait allow it.
 *  waiting  `count` of them, the connection's first
 * Returns how many of them come before the run and in it; those before it, run->after of them, are still needed.
 * 0: there is no run.
 */
unsigned run_begin(struct run *run, const struct sighting_packed *waiting, unsigned count, int64_t from_ns);

/* The machine, moved by all segments before the run, moves by the run. */
void run_move(const struct run *run, struct tcpfsm *m);

/*
 * Takes a segment into the run, if it goes on in order: it begins where its sender's last one ended, not beyond any
 * window, acknowledges no less than before and no more than was sent, and is no longer than a packet of common size.
 *  seg  of which no option, nor the time, is looked at
 */
static inline bool run_take(struct run *run, const struct tcpfsm_segment *seg, struct occasion at)
{
    const unsigned s = at.sender & 1, r = !s;

    if ((seg->flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK || seg->len > UINT16_MAX
        || seg->seq != run->next[s]
        || seq_gt(seg->seq, run->edge[r]) || seq_lt(seg->ack, run->ack[s]) || seq_gt(seg->ack, run->next[r]))
        return false;
    run->ack[s] = seg->ack;
    run->edge[s] = seq_max(run->edge[s], seg->ack + ((uint32_t)seg->window << run->scale[s]));
    if (seg->window < run->least_window[s])
        run->least_window[s] = seg->window;
    run->next[s] = seg->seq + seg->len;
    run->latest_ns = at.time_ns;
    run->latest_sender = (uint8_t)s;
    return true;
}

/* The same, of a header. */
static inline bool run_take_header(struct run *run, struct header h, struct occasion at)
{
    const struct tcpfsm_segment seg = header_read_fixed(h.octets + HEADER_SEQ, h.payload);

    return run_take(run, &seg, at);
}

#endif
