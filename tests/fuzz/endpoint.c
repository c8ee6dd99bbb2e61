/* endpoint.c
 * A plain TCP endpoint by RFC 9293 section 3.10.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "endpoint.h"

#include "tcpseq.h"

#define WINDOW 65535
#define MSS 1460

static void put(struct endpoint *e, struct outbox *out, uint8_t flags, uint32_t seq, uint32_t len)
{
    struct sent *s = &out->to[out->count++];
    const bool syn = flags & TCP_SYN;

    *s = (struct sent){
        .seg = { .seq = seq, .ack = flags & TCP_ACK ? e->rcv_nxt : 0, .len = len, .flags = flags, .window = WINDOW,
                 .tsval = ++e->tsval, .has_tsval = true, .mss = syn ? MSS : 0, .wscale = TCPFSM_NO_WSCALE },
        .state = e->state, .closing = e->closing, .iss = e->iss,
    };
}

static bool is_open(const struct endpoint *e)
{
    return e->state >= TCP_ESTABLISHED;
}

void endpoint_open(struct endpoint *e, uint32_t iss, struct outbox *out)
{
    if (e->state != TCP_CLOSED && e->state != TCP_LISTEN)
        return;
    e->state = TCP_SYN_SENT;
    e->opened_actively = true;
    e->closing = false;
    e->iss = e->snd_una = iss;
    e->snd_nxt = iss + 1;
    put(e, out, TCP_SYN, iss, 0);
}

void endpoint_send(struct endpoint *e, uint32_t len, struct outbox *out)
{
    if (e->state != TCP_ESTABLISHED && e->state != TCP_CLOSE_WAIT)
        return;
    put(e, out, TCP_ACK, e->snd_nxt, len);
    e->snd_nxt += len;
}

void endpoint_acknowledge(struct endpoint *e, struct outbox *out)
{
    if (is_open(e))
        put(e, out, TCP_ACK, e->snd_nxt, 0);
}

void endpoint_close(struct endpoint *e, struct outbox *out)
{
    if (e->state == TCP_ESTABLISHED) /* in SYN_RCVD it waits, as with real stacks */
        e->state = TCP_FIN_WAIT_1;
    else if (e->state == TCP_CLOSE_WAIT)
        e->state = TCP_LAST_ACK;
    else
        return;
    e->closing = true;
    e->fin = e->snd_nxt;
    put(e, out, TCP_FIN | TCP_ACK, e->snd_nxt++, 0);
}

static void end(struct endpoint *e)
{
    e->state = e->listens ? TCP_LISTEN : TCP_CLOSED;
    e->closing = false;
}

void endpoint_abort(struct endpoint *e, struct outbox *out)
{
    if (!is_open(e) && e->state != TCP_SYN_RCVD)
        return;
    e->state = TCP_CLOSED;
    put(e, out, TCP_RST | TCP_ACK, e->snd_nxt, 0);
    end(e);
}

void endpoint_retransmit(struct endpoint *e, struct outbox *out)
{
    const uint32_t una = e->snd_una;

    if (e->state == TCP_CLOSED || e->state == TCP_LISTEN || una == e->snd_nxt)
        return;
    if (e->state == TCP_SYN_SENT)
        put(e, out, TCP_SYN, e->iss, 0);
    else if (una == e->iss)
        put(e, out, TCP_SYN | TCP_ACK, e->iss, 0);
    else if (e->closing && una == e->fin)
        put(e, out, TCP_FIN | TCP_ACK, e->fin, 0);
    else
        put(e, out, TCP_ACK, una, (e->closing ? e->fin : e->snd_nxt) - una);
}

void endpoint_expire(struct endpoint *e)
{
    if (e->state == TCP_TIME_WAIT)
        end(e);
}

static void refuse(struct endpoint *e, const struct tcpfsm_segment *seg, struct outbox *out)
{
    const uint32_t rcv_nxt = e->rcv_nxt;

    if (seg->flags & TCP_ACK) {
        put(e, out, TCP_RST, seg->ack, 0);
    } else {
        e->rcv_nxt = seq_end(seg);
        put(e, out, TCP_RST | TCP_ACK, 0, 0);
        e->rcv_nxt = rcv_nxt;
    }
}

static void accept_syn(struct endpoint *e, const struct tcpfsm_segment *seg, struct outbox *out)
{
    e->state = TCP_SYN_RCVD;
    e->opened_actively = e->closing = false;
    e->iss = e->snd_una = seg->seq * 7 + 12345; /* any number */
    e->snd_nxt = e->iss + 1;
    e->rcv_nxt = seg->seq + 1;
    put(e, out, TCP_SYN | TCP_ACK, e->iss, 0);
}

/* Section 3.10.7.3. */
static void receive_in_syn_sent(struct endpoint *e, const struct tcpfsm_segment *seg, struct outbox *out)
{
    const bool ack = seg->flags & TCP_ACK, good = ack && seg->ack == e->snd_nxt;

    if (ack && !good) {
        if (!(seg->flags & TCP_RST))
            refuse(e, seg, out);
        return;
    }
    if (seg->flags & TCP_RST) {
        if (good)
            end(e);
        return;
    }
    if (!(seg->flags & TCP_SYN))
        return;
    e->rcv_nxt = seg->seq + 1;
    if (good) {
        e->snd_una = seg->ack;
        e->state = TCP_ESTABLISHED;
        put(e, out, TCP_ACK, e->snd_nxt, 0);
    } else { /* simultaneous open */
        e->state = TCP_SYN_RCVD;
        put(e, out, TCP_SYN | TCP_ACK, e->iss, 0);
    }
}

static void take_ack(struct endpoint *e, uint32_t ack)
{
    if (seq_gt(ack, e->snd_una))
        e->snd_una = ack;
    if (!e->closing || !seq_gt(e->snd_una, e->fin))
        return;
    if (e->state == TCP_FIN_WAIT_1)
        e->state = TCP_FIN_WAIT_2;
    else if (e->state == TCP_CLOSING)
        e->state = TCP_TIME_WAIT;
    else if (e->state == TCP_LAST_ACK)
        end(e);
}

static void take_fin(struct endpoint *e)
{
    if (e->state == TCP_ESTABLISHED)
        e->state = TCP_CLOSE_WAIT;
    else if (e->state == TCP_FIN_WAIT_1)
        e->state = TCP_CLOSING;
    else if (e->state == TCP_FIN_WAIT_2)
        e->state = TCP_TIME_WAIT;
}

/* Section 3.10.7.4. */
static void receive_synchronized(struct endpoint *e, const struct tcpfsm_segment *seg, struct outbox *out)
{
    const uint32_t last = seq_end(seg);
    const bool in_window = seq_ge(last, e->rcv_nxt) && seq_lt(seg->seq, e->rcv_nxt + WINDOW);

    if (seg->flags & TCP_RST) {
        if (seg->seq == e->rcv_nxt)
            end(e);
        else if (in_window)
            put(e, out, TCP_ACK, e->snd_nxt, 0);
        return;
    }
    if (e->state == TCP_TIME_WAIT && e->listens && (seg->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN
        && seq_gt(seg->seq, e->rcv_nxt)) {
        accept_syn(e, seg, out); /* RFC 6191 */
        return;
    }
    if (!in_window || (seg->flags & TCP_SYN)) {
        if (e->state == TCP_SYN_RCVD && e->opened_actively && (seg->flags & TCP_SYN) && (seg->flags & TCP_ACK)
            && seg->ack == e->snd_nxt) { /* figure 7, last row */
            e->snd_una = seg->ack;
            e->state = TCP_ESTABLISHED;
            return;
        }
        put(e, out, TCP_ACK, e->snd_nxt, 0); /* a challenge */
        return;
    }
    if (!(seg->flags & TCP_ACK))
        return;
    if (e->state == TCP_SYN_RCVD) {
        if (!seq_gt(seg->ack, e->snd_una) || seq_gt(seg->ack, e->snd_nxt)) {
            refuse(e, seg, out);
            return;
        }
        e->state = TCP_ESTABLISHED;
    }
    if (seq_gt(seg->ack, e->snd_nxt)) {
        put(e, out, TCP_ACK, e->snd_nxt, 0);
        return;
    }
    take_ack(e, seg->ack);
    if (!is_open(e) || last == seg->seq)
        return;
    if (seq_le(seg->seq, e->rcv_nxt) && seq_gt(last, e->rcv_nxt)) { /* else dropped: nothing is kept ahead of order */
        e->rcv_nxt = last;
        if (seg->flags & TCP_FIN)
            take_fin(e);
    }
    put(e, out, TCP_ACK, e->snd_nxt, 0);
}

void endpoint_receive(struct endpoint *e, const struct tcpfsm_segment *seg, struct outbox *out)
{
    switch (e->state) {
    case TCP_LISTEN:
        if (seg->flags & TCP_RST)
            return;
        if ((seg->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
            accept_syn(e, seg, out);
        else
            refuse(e, seg, out);
        return;
    case TCP_CLOSED:
        if (!(seg->flags & TCP_RST))
            refuse(e, seg, out);
        return;
    case TCP_SYN_SENT:
        receive_in_syn_sent(e, seg, out);
        return;
    default:
        receive_synchronized(e, seg, out);
    }
}
