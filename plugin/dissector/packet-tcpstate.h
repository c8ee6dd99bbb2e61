/* packet-tcpstate.h
 * The protocol "tcpstate": preferences, the hook behind the TCP dissector, and the tap "tcpstate".
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PACKET_TCPSTATE_H
#define PACKET_TCPSTATE_H

#include "ws_compat.h"
#include "annotation.h"

/*
 * What listeners of the tap "tcpstate" are given, once for each annotated segment, in order of the
 * capture. Valid during the listener's call.
 */
struct tcpstate_tap {
    struct pair_view view;
    struct annotated_segment segment;
};

/* A preference: the page shows documentation addresses in place of those captured. */
extern ws_bool tcpstate_hide_addresses;

/* Each is called once, in this order. The first returns the number of the protocol. */
int proto_register_tcpstate(void);
void proto_reg_handoff_tcpstate(void);

#endif
