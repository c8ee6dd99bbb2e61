/* names.c
 * The one place where states, events and closers get the names that users see.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "names.h"

#include "closer.h"

#include <epan/to_str.h>

const value_string tcp_state_names[] = {
#define TCP_STATE(number, name, section, sentence) { number, #name },
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
    { 0, NULL }
};

const char *endpoint_name(const address *a, uint32_t port, char name[ENDPOINT_NAME_SIZE])
{
    char host[46]; /* as long as an IPv6 address gets */
    const bool brackets = a->type == AT_IPv6;

    address_to_str_buf(a, host, sizeof host);
    snprintf(name, ENDPOINT_NAME_SIZE, "%s%s%s:%u", brackets ? "[" : "", host, brackets ? "]" : "", port);
    return name;
}

const char *tcp_state_name(uint8_t state)
{
    return val_to_str_const(state, tcp_state_names, "unknown");
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
