/* names.h
 * The one place where states, events, closers, endpoints and flags get the names that users see.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NAMES_H
#define NAMES_H

#include <stdint.h>

#include "ws_compat.h"

/* By number, each ends with { 0, NULL }: enum tcp_state, enum tcp_event, enum tcp_closer, enum tcp_call,
 * enum reset_cause, enum attempt. */
extern const value_string tcp_state_names[];
extern const value_string tcp_event_names[];
extern const value_string tcp_closer_names[];
extern const value_string tcp_call_names[];
extern const value_string reset_cause_names[];
extern const value_string attempt_names[];

/* The name in each; "" of any other number. Static. */
const char *tcp_event_name(uint8_t event);
const char *tcp_closer_name(uint8_t closer);
const char *tcp_call_name(uint8_t call);
const char *reset_cause_name(uint8_t cause);
const char *attempt_name(uint8_t attempt);

/* An event with the user call that it shows, as figure 5 of RFC 9293 writes it: "CLOSE / snd FIN". */
const char *tcp_event_text(uint8_t event);

/* Octets of the longest name of an endpoint, with its end: "[", an IPv6 address, "]:65535". */
#define ENDPOINT_NAME_SIZE 60

/* "10.9.0.1:40000", "[fd00:9::1]:40000"; returns name. */
const char *endpoint_name(const address *a, uint32_t port, char name[ENDPOINT_NAME_SIZE]);

/* The name of an enum tcp_state, for example "CLOSE_WAIT"; "unknown" of any other number. */
const char *tcp_state_name(uint8_t state);

/* Stands behind a state that is assumed: the end's own segments do not prove it. */
#define ASSUMED_MARK "?"

/* The same, marked if it is assumed: "CLOSE_WAIT?". */
const char *tcp_state_text(uint8_t state, bool confirmed);

/* What happened to an end, by enum tcp_event: a sentence of tcp_events.def; "" of any other number. */
const char *tcp_event_sentence(uint8_t event);

/* Of an enum reset_cause: its name, marked if it is assumed; "" of none. Static. */
const char *reset_cause_text(uint8_t cause, bool confirmed);

/* What an enum attempt means; "" of any other number. */
const char *attempt_sentence(uint8_t attempt);

/* What happened to the end that sent a RST, by enum reset_cause; "" of any other number. */
const char *reset_cause_sentence(uint8_t cause);

/* Of an enum tcp_anomaly: the word that its filter ends with, and its severity: "chat", "note", "warning". Static. */
const char *tcp_anomaly_word(unsigned anomaly);
const char *tcp_anomaly_severity(unsigned anomaly);

struct final_view;

/* Why a connection was reset, or how the attempt failed where that tells more; "" of others. Static. */
const char *final_why(const struct final_view *final);

/* Octets of the longest text of flags, with its end. */
#define FLAGS_TEXT_SIZE 32

/* "FIN,ACK": the flags of a segment; returns text. */
const char *tcp_flags_text(uint8_t flags, char text[FLAGS_TEXT_SIZE]);

#endif
