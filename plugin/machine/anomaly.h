/* anomaly.h
 * What deserves a reader's eye on one segment.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ANOMALY_H
#define ANOMALY_H

#include "final.h"
#include "log.h"

enum tcp_anomaly {
#define TCP_ANOMALY(number, name, word, severity, summary) TCP_ANOMALY_##name = number,
#include "tcp_anomalies.def"
#undef TCP_ANOMALY
};

/* Whether a segment can have any: not so most, which this tells at a glance. Arguments as below. */
static inline bool anomalies_are_possible(const struct log_view *shown, unsigned src,
                                          const struct tcpfsm_segment *seg)
{
    return shown->count > 0 || (seg->flags & (TCP_SYN | TCP_RST)) != 0
        || shown->end[!src].state == TCP_CLOSED;
}

/*
 * The anomalies of a segment, a set of bits 1 << enum tcp_anomaly. Told from what is shown on it
 * alone, so the same on every look at it.
 *  shown     what is shown on the segment
 *  src       index of the end that sent it
 *  stuck_ns  how long CLOSE_WAIT may last unnoticed, nanoseconds, >= 0: as the log was written with
 */
uint32_t anomalies_of(const struct log_view *shown, unsigned src, const struct tcpfsm_segment *seg,
                      int64_t stuck_ns);

/*
 * Which ends entered with this segment a state in which they were left open, a set of bits 1 << index of end.
 *  final  how the connection stands at the end of the capture
 */
unsigned ends_left_open(const struct log_view *shown, const struct final_view *final);

/*
 * Which anomaly it is that these ends were left open, one for both: an accusation only where one is a proved leak.
 *  ends  not 0
 */
enum tcp_anomaly anomaly_of_left_open(const struct final_view *final, unsigned ends);

#endif
