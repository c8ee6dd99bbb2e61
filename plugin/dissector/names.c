/* names.c
 * The one place where states, events, closers, endpoints and flags get the names that users see.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "names.h"

#include "numbers.h"
#include "tcpfsm.h"

#include <epan/to_str.h>

const value_string tcp_state_names[] = {
#define TCP_STATE(number, name, section, sentence) [number] = { number, #name },
#include "tcp_states.def"
#undef TCP_STATE
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
    return state < array_length(tcp_state_names) - 1 ? tcp_state_names[state].strptr : "unknown";
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

const char *tcp_event_sentence(uint8_t event)
{
    static const char *const sentences[] = {
#define TCP_EVENT(number, name, notation, section, sentence) [number] = sentence,
#include "tcp_events.def"
#undef TCP_EVENT
    };

    return event < array_length(sentences) ? sentences[event] : "";
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
