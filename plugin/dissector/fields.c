/* fields.c
 * The fields of the protocol "tcpstate": what they are called, and which are registered when.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "fields.h"

#include "local_end.h"
#include "names.h"

bool named_fields_are_registered;

static int protocol;

/* ------------------------------------------------------------------ what they are called */

#define FIELD(f, name, abbrev, type, display, strings, blurb) \
    { &(f).hfinfo.id, { name, abbrev, type, display, strings, 0x0, blurb, HFILL } }
#define NAMED_FIELD(f, name, abbrev, names, blurb) FIELD(f, name, abbrev, FT_UINT8, BASE_DEC, VALS(names), blurb)
#define STATE_FIELD(f, name, abbrev, blurb) NAMED_FIELD(f, name, abbrev, tcp_state_names, blurb)
#define STRING_FIELD(f, name, abbrev, blurb) FIELD(f, name, abbrev, FT_STRING, BASE_NONE, NULL, blurb)
#define FLAG_FIELD(f, name, abbrev, blurb) FIELD(f, name, abbrev, FT_BOOLEAN, BASE_NONE, NULL, blurb)
#define TIME_FIELD(f, name, abbrev, blurb) FIELD(f, name, abbrev, FT_RELATIVE_TIME, BASE_NONE, NULL, blurb)

/*
 * whose  stands before the name: in menus and over columns each name says whose it is
 * end    the same within a sentence
 */
#define END_FIELDS(f, abbrev, whose, end) { \
    .state = STATE_FIELD((f).state, whose ": state", abbrev, \
        "State of the " end " after this segment (RFC 9293 section 3.3.2), by the names and numbers of TCPSTATE."), \
    .str = STRING_FIELD((f).str, whose ": name of the state", abbrev ".str", \
        "Name of the state of the " end " after this segment, for outputs that print numbers otherwise."), \
    .entered = STATE_FIELD((f).entered, whose ": state entered", abbrev ".entered", \
        "State that this segment made the " end " enter; present only on a segment that changes it."), \
    .event = NAMED_FIELD((f).event, whose ": event", abbrev ".event", tcp_event_names, \
        "Why this segment changed the state of the " end ", in the notation of RFC 9293 figure 5; " \
        "present only on a segment that changes it."), \
    .since = FIELD((f).since, whose ": since frame", abbrev ".since", FT_FRAMENUM, BASE_NONE, NULL, \
        "Frame in which the " end " entered its state; absent if that is older than the capture."), \
    .duration = TIME_FIELD((f).duration, whose ": duration", abbrev ".duration", \
        "How long the " end " has been in its state at this segment, in seconds; absent without a since."), \
    .confirmed = FLAG_FIELD((f).confirmed, whose ": confirmed", abbrev ".confirmed", \
        "Whether segments of the " end " itself prove its state; otherwise it is assumed that each segment " \
        "arrived."), \
    .call = NAMED_FIELD((f).call, whose ": user call", abbrev ".call", tcp_call_names, \
        "The user call (RFC 9293 section 3.9.1) that this segment shows of the " end ", its sender; present only " \
        "where it shows one."), \
    .previous = STATE_FIELD((f).previous, whose ": previous state", abbrev ".previous", \
        "State of the " end " before this segment."), \
    .left = STATE_FIELD((f).left, whose ": state left", abbrev ".left", \
        "State that this segment made the " end " leave; present only on a segment that changes it."), \
    .dwell = TIME_FIELD((f).dwell, whose ": time in the state left", abbrev ".dwell", \
        "How long the state that the " end " left had lasted, in seconds; present only on a segment that " \
        "changes it, and not of a state older than the capture."), \
    .event_str = STRING_FIELD((f).event_str, whose ": name of the event", abbrev ".event.str", \
        "Name of the event that changed the state of the " end ", for outputs that print numbers otherwise."), \
    .call_str = STRING_FIELD((f).call_str, whose ": name of the user call", abbrev ".call.str", \
        "Name of the user call that this segment shows of the " end ", for outputs that print numbers otherwise."), \
    .mark = STRING_FIELD((f).mark, whose ": state, marked", abbrev ".mark", \
        "Name of the state of the " end " after this segment, with a question mark where it is assumed."), \
}

#define FINAL_FIELDS(f, abbrev, whose, end) { \
    .state = STATE_FIELD((f).state, whose ": final state", abbrev ".final", \
        "State of the " end " at the end of the capture, TIME_WAIT expired; present once the capture has been read."), \
    .str = STRING_FIELD((f).str, whose ": name of the final state", abbrev ".final.str", \
        "Name of the state of the " end " at the end of the capture, for outputs that print numbers otherwise."), \
}

struct fields hf = {
    .end = {
        [LOCAL_END] = END_FIELDS(hf.end[LOCAL_END], "tcpstate.local", "Local", "local end"),
        [REMOTE_END] = END_FIELDS(hf.end[REMOTE_END], "tcpstate.remote", "Remote", "remote end"),
        [CLIENT_END] = END_FIELDS(hf.end[CLIENT_END], "tcpstate.client", "Client", "client"),
        [SERVER_END] = END_FIELDS(hf.end[SERVER_END], "tcpstate.server", "Server", "server"),
        [SRC_END] = END_FIELDS(hf.end[SRC_END], "tcpstate.src", "Source", "end that sent this segment"),
        [DST_END] = END_FIELDS(hf.end[DST_END], "tcpstate.dst", "Destination", "end that this segment is sent to"),
    },
    .client_final = FINAL_FIELDS(hf.client_final, "tcpstate.client", "Client", "client"),
    .server_final = FINAL_FIELDS(hf.server_final, "tcpstate.server", "Server", "server"),
    .closed_by_str = STRING_FIELD(hf.closed_by_str, "Connection: name of who closed it", "tcpstate.closed_by.str",
        "Name of who ended the connection, for outputs that print numbers otherwise."),
    .reset_cause_str = STRING_FIELD(hf.reset_cause_str, "Reset: name of the cause", "tcpstate.reset_cause.str",
        "Name of the cause for which this RST was sent, for outputs that print numbers otherwise."),
    .attempt_str = STRING_FIELD(hf.attempt_str, "Connection: name of the failed attempt", "tcpstate.attempt.str",
        "Name of how the attempt to connect failed, for outputs that print numbers otherwise."),
    .local_by = NAMED_FIELD(hf.local_by, "Local: told by", "tcpstate.local.by", local_by_names,
        "How the local and the remote end were told apart."),
    .transition = FLAG_FIELD(hf.transition, "Transition", "tcpstate.transition",
        "This segment changed the state of an end; present only then."),
    .closed_by = NAMED_FIELD(hf.closed_by, "Connection: closed by", "tcpstate.closed_by", tcp_closer_names,
        "Who ended the connection: the end whose FIN was first, else the end that reset it; present once known."),
    .midstream = FLAG_FIELD(hf.midstream, "Connection: handshake not captured", "tcpstate.midstream",
        "The capture has no handshake of this connection; present only then."),
    .reset_cause = NAMED_FIELD(hf.reset_cause, "Reset: cause", "tcpstate.reset_cause", reset_cause_names,
        "Why this RST was sent: the cause that fits best its form and what both ends had sent before; present only on "
        "a RST."),
    .reset_cause_confirmed = FLAG_FIELD(hf.reset_cause_confirmed, "Reset: cause confirmed",
        "tcpstate.reset_cause.confirmed",
        "Whether the capture proves the cause for which this RST was sent; otherwise it only fits best."),
    .attempt = NAMED_FIELD(hf.attempt, "Connection: failed attempt", "tcpstate.attempt", attempt_names,
        "How the attempt to connect failed; present only of one that did, and once the capture has been read."),
    .left_open = FLAG_FIELD(hf.left_open, "Connection: left open", "tcpstate.left_open",
        "An end was left in SYN_RCVD, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING or LAST_ACK at the end of the "
        "capture, for longer than stuck_after; present only then, once the capture has been read."),
};

/* ------------------------------------------------------------------ registration */

/* Registers the fields from one on, up to the end before another. */
static void register_range(hf_register_info *from, const hf_register_info *to)
{
    proto_register_field_array(protocol, from, (int)(to - from));
}

/* Those of an end, that is all from there on. */
static void register_rest(struct end_fields *f, hf_register_info *from)
{
    register_range(from, &f->mark + 1);
}

static void register_named(const char *name _U_)
{
    if (named_fields_are_registered)
        return;
    named_fields_are_registered = true;
    register_rest(&hf.end[LOCAL_END], &hf.end[LOCAL_END].previous);
    register_rest(&hf.end[REMOTE_END], &hf.end[REMOTE_END].previous);
    register_rest(&hf.end[CLIENT_END], &hf.end[CLIENT_END].str);
    register_rest(&hf.end[SERVER_END], &hf.end[SERVER_END].str);
    register_rest(&hf.end[SRC_END], &hf.end[SRC_END].state);
    register_rest(&hf.end[DST_END], &hf.end[DST_END].state);
    register_range(&hf.client_final.state, &hf.local_by);
}

void fields_register(int proto)
{
    protocol = proto;
    register_range(&hf.end[LOCAL_END].state, &hf.end[LOCAL_END].previous);
    register_range(&hf.end[REMOTE_END].state, &hf.end[REMOTE_END].previous);
    register_range(&hf.end[CLIENT_END].state, &hf.end[CLIENT_END].str);
    register_range(&hf.end[SERVER_END].state, &hf.end[SERVER_END].str);
    register_range(&hf.local_by, &hf.left_open + 1);
    proto_register_prefix("tcpstate", register_named);
}
