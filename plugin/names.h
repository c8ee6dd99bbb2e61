/* names.h
 * The one place where states, events and closers get the names that users see.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NAMES_H
#define NAMES_H

#include <stdint.h>

#include "ws_compat.h"

/* By number, each ends with { 0, NULL }: enum tcp_state, enum tcp_event, enum tcp_closer. */
extern const value_string tcp_state_names[];
extern const value_string tcp_event_names[];
extern const value_string tcp_closer_names[];

/* The name of an enum tcp_state, for example "CLOSE_WAIT"; "unknown" of any other number. */
const char *tcp_state_name(uint8_t state);

#endif
