/* names.c
 * The one place where states, events, closers, endpoints and flags get the names that users see.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "names.h"

#include "call.h"
#include "final.h"
#include "numbers.h"
#include "tcpfsm.h"

#include <epan/to_str.h>

const value_string tcp_state_names[] = {
#define TCP_STATE(number, name, section, sentence) [number] = { number, #name },
#include "tcp_states.def"
#undef TCP_STATE
    /* The spelling of RFC 9293, for filters: of several names of a number the first is shown. */
    { TCP_SYN_SENT, "SYN-SENT" },
    { TCP_SYN_RCVD, "SYN-RECEIVED" },
    { TCP_FIN_WAIT_1, "FIN-WAIT-1" },
    { TCP_FIN_WAIT_2, "FIN-WAIT-2" },
    { TCP_CLOSE_WAIT, "CLOSE-WAIT" },
    { TCP_LAST_ACK, "LAST-ACK" },
    { TCP_TIME_WAIT, "TIME-WAIT" },
    { 0, NULL }
};

const value_string tcp_event_names[] = {
#define TCP_EVENT(number, name, notation, section, sentence) { number, notation },
#include "tcp_events.def"
#undef TCP_EVENT
    { 0, NULL }
};

const value_string tcp_closer_names[] = {
    { TCP_CLOSER_CLIENT, "client" },
    { TCP_CLOSER_SERVER, "server" },
    { TCP_CLOSER_SIMULTANEOUS, "simultaneous" },
    { TCP_CLOSER_RESET_BY_CLIENT, "reset by client" },
    { TCP_CLOSER_RESET_BY_SERVER, "reset by server" },
    { TCP_CLOSER_REFUSED, "refused" },
    { TCP_CLOSER_ICMP, "refused by ICMP" },
    { 0, NULL }
};

const value_string reset_cause_names[] = {
#define RESET_CAUSE(number, name, text, speaks, sentence) { number, text },
#include "reset_causes.def"
#undef RESET_CAUSE
    { 0, NULL }
};

const char *reset_cause_sentence(uint8_t cause)
{
    static const char *const sentences[] = {
#define RESET_CAUSE(number, name, text, speaks, sentence) [number] = sentence,
#include "reset_causes.def"
#undef RESET_CAUSE
    };

    return cause != RESET_NONE && cause < array_length(sentences) ? sentences[cause] : "";
}

const value_string attempt_names[] = {
#define ATTEMPT(number, name, text, sentence) { number, text },
#include "attempts.def"
#undef ATTEMPT
    { 0, NULL }
};

const value_string tcp_call_names[] = {
#define TCP_CALL(number, name, text, section) { number, text },
#include "tcp_calls.def"
#undef TCP_CALL
    { 0, NULL }
};

#define HOST_SIZE 46 /* as long as an IPv6 address gets, with its end */

const char *endpoint_name(const address *a, uint32_t port, char name[ENDPOINT_NAME_SIZE])
{
    const bool brackets = a->type == AT_IPv6;
    char *to = name;

    if (brackets)
        *to++ = '[';
    address_to_str_buf(a, to, HOST_SIZE);
    to += strlen(to);
    number_write(g_stpcpy(to, brackets ? "]:" : ":"), port);
    return name;
}

const char *tcp_state_name(uint8_t state)
{
    return state <= TCP_TIME_WAIT ? tcp_state_names[state].strptr : "unknown";
}

const char *tcp_state_text(uint8_t state, bool confirmed)
{
    static const char *const assumed[] = {
#define TCP_STATE(number, name, section, sentence) [number] = #name ASSUMED_MARK,
#include "tcp_states.def"
#undef TCP_STATE
    };

    return confirmed || state >= array_length(assumed) ? tcp_state_name(state) : assumed[state];
}

const char *tcp_event_text(uint8_t event)
{
    switch ((enum tcp_event)event) {
    case TCP_EV_SND_SYN:
        return "OPEN / snd SYN";
    case TCP_EV_SND_FIN:
        return "CLOSE / snd FIN";
    default:
        return tcp_event_name(event);
    }
}

const char *tcp_event_name(uint8_t event)
{
    return val_to_str_const(event, tcp_event_names, "");
}

const char *tcp_closer_name(uint8_t closer)
{
    return val_to_str_const(closer, tcp_closer_names, "");
}

const char *reset_cause_name(uint8_t cause)
{
    return val_to_str_const(cause, reset_cause_names, "");
}

const char *reset_cause_text(uint8_t cause, bool confirmed)
{
    static const char *const assumed[] = {
#define RESET_CAUSE(number, name, text, speaks, sentence) [number] = text ASSUMED_MARK,
#include "reset_causes.def"
#undef RESET_CAUSE
    };

    if (confirmed || cause == RESET_NONE || cause >= array_length(assumed))
        return reset_cause_name(cause);
    return assumed[cause];
}

const char *attempt_name(uint8_t attempt)
{
    return val_to_str_const(attempt, attempt_names, "");
}

const char *final_why(const struct final_view *final)
{
    if (final->attempt == ATTEMPT_NONE || final->attempt == ATTEMPT_REFUSED)
        return reset_cause_text(final->reset_cause, final->reset_confirmed);
    return attempt_name(final->attempt);
}

const char *attempt_sentence(uint8_t attempt)
{
    static const char *const sentences[] = {
#define ATTEMPT(number, name, text, sentence) [number] = sentence,
#include "attempts.def"
#undef ATTEMPT
    };

    return attempt != 0 && attempt < array_length(sentences) ? sentences[attempt] : "";
}

const char *tcp_call_name(uint8_t call)
{
    return val_to_str_const(call, tcp_call_names, "");
}

const char *tcp_event_sentence(uint8_t event)
{
    static const char *const sentences[] = {
#define TCP_EVENT(number, name, notation, section, sentence) [number] = sentence,
#include "tcp_events.def"
#undef TCP_EVENT
    };

    return event < array_length(sentences) ? sentences[event] : "";
}

static const struct {
    const char *word, *severity;
} anomalies[] = {
#define CHAT "chat"
#define NOTE "note"
#define WARN "warning"
#define TCP_ANOMALY(number, name, word, severity, summary) [number] = { word, severity },
#include "tcp_anomalies.def"
#undef TCP_ANOMALY
};

const char *tcp_anomaly_word(unsigned anomaly)
{
    return anomaly < array_length(anomalies) ? anomalies[anomaly].word : "";
}

const char *tcp_anomaly_severity(unsigned anomaly)
{
    return anomaly < array_length(anomalies) ? anomalies[anomaly].severity : "";
}

const char *tcp_flags_text(uint8_t flags, char text[FLAGS_TEXT_SIZE])
{
    static const char *const names[] = { "FIN", "SYN", "RST", "PSH", "ACK", "URG" };
    char *to = text;

    *to = '\0';
    for (unsigned bit = 0; bit < array_length(names); bit++) {
        if (flags >> bit & 1)
            to = g_stpcpy(to == text ? to : g_stpcpy(to, ","), names[bit]);
    }
    return text;
}
