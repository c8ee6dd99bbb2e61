/* tcpfsm.h
 * The state machine of one TCP connection, seen from outside.
 *
 * A segment goes in, the transitions of both endpoints come out. The machine is pure: it
 * allocates nothing, reads no clock and knows nothing of Wireshark. What a state means, and
 * which are proved, is written in ../README.md.
 *
 * The observer's assumptions:
 *  - segments are given in the order of the capture, each once per time it was captured;
 *  - what an endpoint sends proves the state it was in; where that contradicts what was
 *    assumed of it, the proof wins;
 *  - each segment is assumed to reach its receiver, which obeys RFC 9293 section 3.10.7.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TCPFSM_H
#define TCPFSM_H

#include <stdbool.h>
#include <stdint.h>

enum tcp_state {
#define TCP_STATE(number, name, section, sentence) TCP_##name = number,
#include "tcp_states.def"
#undef TCP_STATE
};

enum tcp_event {
#define TCP_EVENT(number, name, notation, section, sentence) TCP_EV_##name = number,
#include "tcp_events.def"
#undef TCP_EVENT
};

/*
 * Whether the event is evidence that a step before was wrong: not one of RFC 9293 figure 5, nor one that tells that the
 * end is further than was assumed, or in another connection.
 */
static inline bool tcp_event_corrects(uint8_t event)
{
    return event >= TCP_EV_SYN_REPEATED && event != TCP_EV_FIN_ACKNOWLEDGED && event != TCP_EV_FIN_PASSED
        && event != TCP_EV_OTHER_CONNECTION && event != TCP_EV_RCV_ICMP;
}

/* Who ended a connection. */
enum tcp_closer {
    TCP_CLOSER_NONE,            /* nobody so far */
    TCP_CLOSER_CLIENT,          /* its FIN was first */
    TCP_CLOSER_SERVER,
    TCP_CLOSER_SIMULTANEOUS,    /* both FINs left before the other's came (RFC 9293 figure 13) */
    TCP_CLOSER_RESET_BY_CLIENT, /* its RST came before any FIN */
    TCP_CLOSER_RESET_BY_SERVER,
    TCP_CLOSER_REFUSED,         /* the SYN was answered by a RST (RFC 9293 section 3.10.7.1) */
    TCP_CLOSER_ICMP,            /* the SYN was answered by an ICMP error (RFC 9293 section 3.9.2.2) */
};

/* Why a RST was sent. */
enum reset_cause {
    RESET_NONE, /* there was none in this incarnation */
#define RESET_CAUSE(number, name, text, speaks, sentence) RESET_##name = number,
#include "reset_causes.def"
#undef RESET_CAUSE
};

/* Bits of the flags octet of a TCP header, RFC 9293 section 3.1. */
enum { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_ACK = 0x10 };

#define TCPFSM_WSCALE_MAX 14 /* a larger one counts as this, RFC 7323 section 2.3 */
#define TCPFSM_NO_WSCALE 0xff /* the SYN bore no window scale option */

/* One segment as it stands in its header. Valid for the call only. */
struct tcpfsm_segment {
    int64_t  time_us;   /* when it was captured, microseconds since any fixed moment; may go back */
    uint32_t seq;       /* sequence number as sent, not relative */
    uint32_t ack;       /* acknowledgement number; meaningful if flags has TCP_ACK */
    uint32_t len;       /* octets of payload by the IP header's length, whatever was captured */
    uint32_t tsval;     /* timestamp option (RFC 7323) if has_tsval; needed with SYN or FIN only */
    uint16_t window;    /* as sent, not scaled */
    uint16_t mss;       /* maximum segment size option of a SYN, 0: none */
    uint8_t  flags;     /* TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK, others are ignored */
    uint8_t  wscale;    /* window scale option of a SYN, TCPFSM_NO_WSCALE: none */
    uint8_t  hop_limit; /* of the IP header (TTL in IPv4), 0: unknown */
    uint16_t ip_id;     /* identification of the IPv4 header; 0: none, or unknown */
    bool     has_tsval;
    bool     fast_open; /* a SYN with a Fast Open cookie (RFC 7413) */
    bool     length_doubtful; /* the IP header states more octets than the packet has, or may do so */
    bool     options_cut; /* not all options were captured: those not seen are unknown, not absent */
};

/* Octets [from, to) that an endpoint was sent ahead of order. */
struct tcpfsm_range {
    uint32_t from, to;
};

/* More than two gaps at once only delay a FIN behind them until its receiver acknowledges it. */
#define TCPFSM_HELD_MAX 2

/*
 * What is known of one endpoint. As in RFC 9293 section 3.3.1, snd_ is what it sends and rcv_
 * what it has been sent. Each number is valid only where the flag beside it is set.
 */
struct tcpfsm_end {
    int64_t  since_us;     /* when the peer's FIN or a RST brought it where it is, or the 2 MSL of TIME_WAIT began */
    /* as a sender */
    union {
        uint32_t iss;      /* knows_iss: initial sequence number */
        uint32_t begun;    /* else, captured: number of the first octet captured, or that before an empty segment */
    };
    uint32_t iss_other;    /* has_other_iss: that of another SYN, not yet acknowledged either */
    uint32_t data_end;     /* knows_data_end: no FIN lies below, as SYN or data was captured up to here */
    uint32_t snd_nxt;      /* knows_snd_nxt: one past the highest number sent, captured or acknowledged */
    uint32_t fin;          /* knows_fin: number of its FIN */
    union {
        uint32_t fin_ack_from; /* fin_ack_provable: the peer's numbers from here on left with an ACK of the FIN */
        uint32_t fin_began;    /* else, fin_over_hole: where the segment with the FIN began */
    };
    uint32_t ctl_tsval;    /* has_ctl_tsval: timestamp of its latest SYN or FIN, tells copy from retransmission */
    uint32_t ctl_us;       /* has_ctl: when that was captured, the low half of its time_us */
    /* as a receiver */
    uint32_t rcv_nxt;      /* knows_rcv_nxt: next number expected, delivery assumed */
    uint32_t rcv_acked;    /* has_acked: highest acknowledgement it sent */
    uint32_t last_ack;     /* has_acked: latest acknowledgement it sent */
    uint32_t rcv_tsval;    /* has_rcv_tsval: time stamp of the peer's FIN: TS.Recent of RFC 7323 section 4.3, or less */
    uint32_t rcv_edge;     /* has_acked: right edge of the widest window it offered */
    struct tcpfsm_range held[TCPFSM_HELD_MAX];
    uint32_t rst_seq;      /* reset_cause is not RESET_NONE: number of its latest RST */
    uint32_t id_us;        /* when the segment with ip_id was captured, the low half of its time_us */
    uint16_t ip_id;        /* latest identification of its IPv4 headers, RSTs and SYNs apart; 0: there was none */
    uint16_t mss;          /* option of its SYN, 0: unknown */

    uint8_t  state : 4;    /* enum tcp_state */
    uint8_t  live : 4;     /* last state before one that was only assumed to end it; CLOSED: none */
    uint8_t  held_count : 2;
    bool confirmed : 1;        /* its own latest segment proves the state */
    bool captured : 1;         /* at least one segment of it was captured in this incarnation */
    bool knows_iss : 1, has_other_iss : 1, knows_data_end : 1, knows_snd_nxt : 1;
    bool knows_fin : 1, has_ctl : 1, has_ctl_tsval : 1, knows_rcv_nxt : 1, has_acked : 1;
    bool has_rcv_tsval : 1;
    bool sent_syn_ack : 1;     /* in this incarnation */
    bool passive : 1;          /* it opened by receiving a SYN: a RST returns it to LISTEN */
    bool synchronized : 1;     /* it sent a segment that only a synchronized state sends */
    bool syn_pending : 1;      /* iss_other is of a SYN that its peer, synchronized, has not taken */
    bool fin_inferred : 1;     /* its FIN was never captured, only acknowledged */
    bool fin_lost : 1;         /* its first FIN was not captured: whether it had the peer's is a guess */
    bool fin_guess : 1;        /* one-sided capture: the last acknowledgement may have covered its FIN */
    bool fin_over_hole : 1;    /* when its FIN was captured, numbers before it had not been: it may be forged */
    bool fin_disputed : 1;     /* it has several numbers, data came after it, it is in between, or of doubtful length */
    bool fin_uncovered : 1;    /* its FIN left before it had the peer's */
    bool fin_repeated : 1;     /* it has sent its FIN again */
    bool lacks_octets : 1;     /* its peer acknowledged octets of it that were not captured */
    bool fin_acked : 1;        /* the peer sent an acknowledgement of its FIN */
    bool fin_ack_provable : 1;
    bool fin_ack_dropped : 1;  /* an acknowledgement of its FIN came with a number for which it is to be dropped */
    bool peer_fin_arrived : 1; /* it was sent the peer's FIN, perhaps ahead of order, and did not drop it */
    bool covered_peer_fin : 1; /* it has acknowledged the peer's FIN */
    bool close_wait_proved : 1;
    bool held_back : 1;        /* it has repeated something, or was offered less than a segment: may hold back a FIN */
    bool idle_at_peer_fin : 1; /* before the peer's FIN left, all it had sent was acknowledged, nothing held back */
    bool by_rst : 1;           /* CLOSED by a RST it received */
    bool by_icmp : 1;          /* CLOSED by an ICMP error that quotes its SYN */
    bool sent_rst : 1;         /* CLOSED by a RST it sent */
    bool fin_asks : 1;         /* the peer has sent a FIN since: a closed end answers that with a RST */
    bool wscale_known : 1;     /* its SYN was captured */
    bool hop_varies : 1;       /* its segments, RSTs apart, had several hop limits */
    bool hop_settled : 1;      /* two of them at least had the same */
    bool id_varies : 1;        /* identifications are not those of a counter */
    uint8_t id_steps : 3;      /* how often ip_id was the next of a counter, counted up to ID_STEPS_SETTLED */
    bool reset_confirmed : 1;  /* the capture proves reset_cause */
    uint8_t  reset_cause : 4;  /* enum reset_cause, of its latest RST */
    uint8_t  hop_limit;    /* of its segments, RSTs apart; 0: unknown */
    uint8_t  wscale;       /* option of its SYN, TCPFSM_NO_WSCALE: none */
    uint8_t  shift_least;  /* calm: how often a window that it offers is doubled, by RFC 7323: at least, and at most */
    uint8_t  shift_most;   /* where options are unknown */
};

/* What the latest segment of a connection was. */
enum tcpfsm_latest_kind {
    TCPFSM_LATEST_OTHER,
    TCPFSM_LATEST_EMPTY,      /* an ACK alone */
    TCPFSM_LATEST_NEW_DATA,   /* with data beyond all that was captured of its sender before */
    TCPFSM_LATEST_KEEP_ALIVE, /* one number below its sender's next, with an octet of data or none */
};

struct tcpfsm_latest {
    int64_t  time_us; /* when it was captured */
    int64_t  gap_us; /* since the segment before it; before the first of several with new data of one end */
    uint32_t end;    /* one past its last sequence number */
    uint8_t  sender; /* index of the end that sent it */
    uint8_t  kind;   /* enum tcpfsm_latest_kind */
};

/* A close of an idle connection; see race.h. */
struct tcpfsm_race {
    int64_t idle_us; /* how long nothing had been captured before the FIN, or before data that crossed it; 0: none */
    bool closer : 1; /* index of the end that closed */
    bool crossed : 1; /* data of the other had left before it knew */
};

/* The latest keep-alive. */
struct tcpfsm_keep_alive {
    uint32_t us;     /* when it was captured: the low half of its time_us */
    uint32_t gap_us; /* since the same end's one before it; UINT32_MAX: it is the first; 0: there is none */
    uint32_t next;   /* its sender's next number */
    uint8_t  sender; /* index of the end that sent it */
};

/* One connection, all incarnations of its pair of sockets. Fill with zeros before the first segment. */
struct tcpfsm {
    struct tcpfsm_end end[2];
    int64_t  syn_us;        /* when the latest first SYN was captured */
    uint32_t rtt_us;        /* time from SYN to the handshake's last ACK, 0: unknown */
    struct tcpfsm_latest latest; /* segment */
    struct tcpfsm_keep_alive keep_alive;
    struct tcpfsm_race race;
    int64_t  race_idle_us;  /* the latest segment is a RST that answers a request which raced a close: how long the
                               connection had been idle; else 0 */
    bool     started : 1;
    bool     midstream : 1; /* the capture lacks the SYN that began this incarnation */
    bool     client : 1;    /* index of the end that opened, or is taken to have opened */
    bool     fast_open : 1; /* the SYN asked for Fast Open or bore data, not refused so far */
    bool     fast_open_data : 1; /* it bore data */
    bool     calm : 1;      /* both ends are open, all numbers known, and no FIN was seen, nor anything out of order:
                               of each end data_end and snd_nxt are the peer's rcv_nxt */
    uint8_t  closed_by : 3; /* enum tcp_closer: who ended the present incarnation, as far as its segments so far tell */
    uint8_t  reset_cause : 4; /* enum reset_cause, of the incarnation's latest RST */
    bool     reset_confirmed : 1; /* the capture proves that */
};

/* As many transitions as one end can make on one segment. */
#define TCPFSM_STEPS_MAX 6

/* What one segment did to one end. */
struct tcpfsm_change {
    uint8_t previous;                   /* enum tcp_state before the segment */
    uint8_t count;                      /* of steps, 0: no transition */
    uint8_t state[TCPFSM_STEPS_MAX];    /* entered, in order; the last is the state shown */
    uint8_t event[TCPFSM_STEPS_MAX];    /* enum tcp_event, why */
};

struct tcpfsm_outcome {
    struct tcpfsm_change end[2];
    bool opened;   /* the segment's SYN began an incarnation */
    bool in_between; /* it is a RST or a FIN, and seems to come from someone in between, in its sender's name */
    bool tries_on; /* its SYN is that on which the sender was waiting already, and finds another peer: figure 9 */
};

/*
 * Moves the machine by one segment.
 *  sender       index of the end that sent it, 0 or 1
 *  client_hint  index of the client, used where the first segment ever does not tell
 *  time_wait_us how long TIME_WAIT lasts, microseconds, >= 0 (2 MSL, RFC 9293 section 3.4.2)
 *  out          overwritten with the transitions of both ends
 * Returns whether anything that is shown changed: a state, whether it is confirmed, client, mid-stream, who closed,
 * why a RST was sent;
 * always with the first segment and with one that begins an incarnation.
 * There are no errors: any sequence of segments has a defined result.
 */
bool tcpfsm_segment(struct tcpfsm *m, unsigned sender, unsigned client_hint,
                    const struct tcpfsm_segment *seg, int64_t time_wait_us,
                    struct tcpfsm_outcome *out);

/*
 * Moves the machine by an ICMP error that ends an attempt to connect: it quotes a SYN (RFC 9293 section 3.9.2.2).
 *  sender   index of the end that sent what is quoted
 *  seq      sequence number that is quoted
 *  time_us  when the error was captured, as in struct tcpfsm_segment
 *  out      overwritten with the transitions of both ends
 * Returns whether anything that is shown changed: not unless the end waits for the answer to that SYN.
 */
bool tcpfsm_icmp_error(struct tcpfsm *m, unsigned sender, uint32_t seq, int64_t time_us, struct tcpfsm_outcome *out);

#endif
