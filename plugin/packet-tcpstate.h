/* packet-tcpstate.h
 * The protocol "tcpstate": fields, preferences, the hook behind the TCP dissector.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PACKET_TCPSTATE_H
#define PACKET_TCPSTATE_H

/* Called by Wireshark, once each, in this order. */
void proto_register_tcpstate(void);
void proto_reg_handoff_tcpstate(void);

#endif
