/* fields.h
 * The fields of the protocol "tcpstate": what they are called, and which are registered when.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FIELDS_H
#define FIELDS_H

#include "ws_compat.h"

/* The ends that have fields: by position, by role, and by direction of the segment. Local and remote come first. */
enum field_end { LOCAL_END, REMOTE_END, CLIENT_END, SERVER_END, SRC_END, DST_END, FIELD_ENDS };

/* The fields of one end. */
struct end_fields {
    hf_register_info state, str; /* of local and remote in every visible tree, of client and server the state */
    hf_register_info entered, event, since, duration, confirmed, call; /* of local and remote */
    hf_register_info previous, left, dwell, event_str, call_str, mark; /* where something refers to them, as all of
                                                                          other ends */
};

struct role_fields {
    hf_register_info state, str;
};

struct fields {
    struct end_fields end[FIELD_ENDS];
    struct role_fields client_final, server_final;
    hf_register_info closed_by_str, reset_cause_str, attempt_str;
    hf_register_info local_by, transition, closed_by, midstream, reset_cause, reset_cause_confirmed, attempt, left_open;
};

/* Wireshark keeps no copy of a field, but writes its number and who refers to it into this one: a look is no call. */
extern struct fields hf;

/*
 * Whether fields that repeat what others show are registered: those for columns, filters and outputs that name them.
 * Wireshark asks for them when the first such name is used, so that until then they cost nothing.
 */
extern bool named_fields_are_registered;

/*
 * Registers the others, and how to get at those. Call once.
 *  proto  number of the protocol "tcpstate"
 */
void fields_register(int proto);

#endif
