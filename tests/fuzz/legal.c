/* legal.c
 * Which transitions there may be, and which states a segment can prove.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "legal.h"

#include <stddef.h>

#define ANY 0x7ff
#define S(name) (1u << TCP_##name)
#define SYNCHRONIZED (S(ESTABLISHED) | S(FIN_WAIT_1) | S(FIN_WAIT_2) | S(CLOSE_WAIT) | S(CLOSING) | S(LAST_ACK) | \
                      S(TIME_WAIT))

/* From any of some states, with an event, to any of some others. */
struct arc {
    uint8_t event;
    uint16_t left, entered;
};

static const struct arc arcs[] = {
    /* RFC 9293 figure 5. An end may open a new connection in any state of the last one. */
    { TCP_EV_SND_SYN, ANY, S(SYN_SENT) },
    { TCP_EV_RCV_SYN, S(LISTEN) | S(SYN_SENT), S(SYN_RCVD) },
    { TCP_EV_RCV_SYN, S(CLOSED) | S(TIME_WAIT), S(SYN_RCVD) }, /* its LISTEN was not seen; RFC 6191 */
    { TCP_EV_SND_SYN_ACK, ANY, S(SYN_RCVD) },                  /* which proves that it received a SYN */
    { TCP_EV_RCV_SYN_ACK, S(SYN_SENT), S(ESTABLISHED) },
    { TCP_EV_RCV_ACK_OF_SYN, S(SYN_RCVD), S(ESTABLISHED) },
    { TCP_EV_SND_FIN, S(SYN_RCVD) | S(ESTABLISHED), S(FIN_WAIT_1) },
    { TCP_EV_SND_FIN, S(CLOSE_WAIT), S(LAST_ACK) },
    { TCP_EV_RCV_FIN, S(SYN_RCVD) | S(ESTABLISHED), S(CLOSE_WAIT) }, /* SYN_RCVD: delivered on the way */
    { TCP_EV_RCV_FIN, S(FIN_WAIT_1), S(CLOSING) },
    { TCP_EV_RCV_FIN, S(FIN_WAIT_2), S(TIME_WAIT) },
    { TCP_EV_RCV_ACK_OF_FIN, S(FIN_WAIT_1), S(FIN_WAIT_2) },
    { TCP_EV_RCV_ACK_OF_FIN, S(CLOSING), S(TIME_WAIT) },
    { TCP_EV_RCV_ACK_OF_FIN, S(LAST_ACK), S(CLOSED) },
    { TCP_EV_RCV_FIN_ACK, S(FIN_WAIT_1), S(TIME_WAIT) },
    { TCP_EV_SND_RST, (uint16_t)(ANY & ~(S(CLOSED) | S(LISTEN))), S(CLOSED) },
    { TCP_EV_RCV_RST, (uint16_t)(ANY & ~(S(CLOSED) | S(LISTEN))), S(CLOSED) },
    { TCP_EV_RCV_RST, S(SYN_RCVD), S(LISTEN) },
    { TCP_EV_TIMEOUT_2MSL, S(TIME_WAIT), S(CLOSED) },
    /* Back to where the end had been all the time. */
    { TCP_EV_SYN_REPEATED, ANY, S(SYN_SENT) },
    { TCP_EV_SYN_ACK_REPEATED, ANY, S(SYN_RCVD) },
    { TCP_EV_SYN_BEFORE_PEERS, S(SYN_RCVD), S(SYN_SENT) },
    { TCP_EV_SYN_ACK_BEFORE_ACK, S(ESTABLISHED), S(SYN_RCVD) },
    { TCP_EV_FIN_REPEATED, S(FIN_WAIT_2) | S(CLOSING) | S(TIME_WAIT), S(FIN_WAIT_1) },
    { TCP_EV_FIN_REPEATED, S(TIME_WAIT), S(CLOSING) },
    { TCP_EV_FIN_REPEATED, S(CLOSED), SYNCHRONIZED }, /* to where it was; then its FIN counts */
    { TCP_EV_FIN_BEFORE_PEERS, S(CLOSE_WAIT) | S(LAST_ACK), S(FIN_WAIT_1) },
    { TCP_EV_ALIVE_AFTER_RST, S(CLOSED), SYNCHRONIZED | S(SYN_SENT) | S(SYN_RCVD) },
    { TCP_EV_ALIVE_AFTER_RST, S(LISTEN), S(SYN_RCVD) },
    { TCP_EV_ALIVE_AFTER_OWN_RST, S(CLOSED), SYNCHRONIZED | S(SYN_SENT) | S(SYN_RCVD) },
    { TCP_EV_ALIVE_AFTER_CLOSE, S(CLOSED), SYNCHRONIZED },
    { TCP_EV_OLD_CONNECTION, S(LISTEN) | S(SYN_SENT) | S(SYN_RCVD) | SYNCHRONIZED, SYNCHRONIZED | S(SYN_RCVD) },
    { TCP_EV_FIN_ACKNOWLEDGED, S(SYN_RCVD) | S(ESTABLISHED), S(FIN_WAIT_1) },
    { TCP_EV_FIN_ACKNOWLEDGED, S(CLOSE_WAIT), S(LAST_ACK) },
    { TCP_EV_FIN_PASSED, S(SYN_RCVD) | S(ESTABLISHED) | S(CLOSE_WAIT), S(FIN_WAIT_1) | S(LAST_ACK) },
    { TCP_EV_NOT_A_FIN, S(FIN_WAIT_1) | S(FIN_WAIT_2), S(ESTABLISHED) },
    { TCP_EV_NOT_A_FIN, S(CLOSING) | S(LAST_ACK) | S(TIME_WAIT), S(CLOSE_WAIT) },
    { TCP_EV_NOT_A_FIN, S(CLOSE_WAIT), S(ESTABLISHED) }, /* and its peer */
    { TCP_EV_NOT_A_FIN, S(CLOSING) | S(LAST_ACK), S(FIN_WAIT_1) },
    { TCP_EV_NOT_A_FIN, S(TIME_WAIT), S(FIN_WAIT_2) },
    { TCP_EV_FIN_NOT_COVERED, S(CLOSE_WAIT), S(ESTABLISHED) },
    { TCP_EV_OTHER_CONNECTION, ANY, S(ESTABLISHED) | S(SYN_RCVD) },
};

bool legal_transition(uint8_t left, uint8_t event, uint8_t entered)
{
    if (left > TCP_TIME_WAIT || entered > TCP_TIME_WAIT || left == entered)
        return false;
    for (size_t i = 0; i < sizeof arcs / sizeof *arcs; i++) {
        if (arcs[i].event == event && (arcs[i].left >> left & 1) && (arcs[i].entered >> entered & 1))
            return true;
    }
    return false;
}

void legal_note(struct legal_end *sender, const struct tcpfsm_segment *seg, uint8_t state)
{
    if ((seg->flags & TCP_SYN) && (seg->fast_open || seg->len > 0))
        sender->fast_open = true;
    if ((seg->flags & TCP_SYN) && !(seg->flags & TCP_RST)) /* it may begin a new connection, or not */
        sender->surely_from = sender->fins;
    if (!(seg->flags & TCP_FIN) || !(seg->flags & TCP_ACK) || (seg->flags & TCP_RST))
        return; /* a FIN without ACK is dropped (RFC 9293 section 3.10.7.4) */
    if (sender->fins < LEGAL_FINS)
        sender->fin[sender->fins] = seg->seq + seg->len + ((seg->flags & TCP_SYN) ? 1 : 0);
    sender->fins++;
    if ((seg->flags & TCP_SYN) || state < TCP_ESTABLISHED) /* an old duplicate's counts for nothing */
        sender->surely_from = sender->fins;
}

/* The number may lie behind a FIN of the end. */
static bool may_cover(const struct legal_end *e, uint32_t ack)
{
    if (e->fins > LEGAL_FINS)
        return true;
    for (unsigned i = 0; i < e->fins; i++) {
        if ((int32_t)(e->fin[i] - ack) < 0)
            return true;
    }
    return false;
}

/* The number may lie before a FIN of the end, or there is none. */
static bool may_miss(const struct legal_end *e, uint32_t ack)
{
    if (e->fins == e->surely_from || e->fins > LEGAL_FINS)
        return true;
    for (unsigned i = e->surely_from; i < e->fins; i++) {
        if ((int32_t)(ack - e->fin[i]) <= 0)
            return true;
    }
    return false;
}

/* The states that a segment of that end can prove: plugin/README.md, "When a state is confirmed". */
bool legal_proof(const struct legal_end *sender, const struct legal_end *peer, const struct tcpfsm_segment *seg,
                 uint8_t state)
{
    const bool ack = seg->flags & TCP_ACK, fin = seg->flags & TCP_FIN;
    const bool covers = ack && may_cover(peer, seg->ack), misses = ack && may_miss(peer, seg->ack);

    if (seg->flags & TCP_RST)
        return state == TCP_CLOSED;
    if (seg->flags & TCP_SYN)
        return state == (ack ? TCP_SYN_RCVD : TCP_SYN_SENT);
    switch (state) {
    case TCP_SYN_RCVD: /* Fast Open lets it send data */
        return ack && !fin && seg->len > 0 && (peer->fast_open || sender->fast_open);
    case TCP_ESTABLISHED:
        return misses && !fin;
    case TCP_CLOSE_WAIT:
        return covers && !fin;
    case TCP_FIN_WAIT_1:
        return misses && (fin || sender->fins > 0);
    case TCP_FIN_WAIT_2:
        return misses && !fin && sender->fins > 0;
    case TCP_LAST_ACK:
        return (covers || fin) && (fin || sender->fins > 0); /* fin: of an end whose CLOSE_WAIT was proved */
    case TCP_CLOSING:
        return covers && (fin || sender->fins > 0);
    case TCP_TIME_WAIT:
        return covers && sender->fins > 0;
    default:
        return false;
    }
}
