/* expert_items.c
 * The anomalies of a segment as Wireshark's expert information.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "expert_items.h"

#include "anomaly.h"
#include "names.h"
#include "numbers.h"

#include <epan/expert.h>
#include <epan/tap.h>

#define TCP_ANOMALY(number, name, word, severity, summary) [number] = EI_INIT,
static expert_field items[] = {
#include "tcp_anomalies.def"
};
#undef TCP_ANOMALY

void expert_items_register(int proto)
{
    static ei_register_info registered[] = {
#define TCP_ANOMALY(number, name, word, severity, summary) \
        { &items[number], { "tcpstate.expert." word, PI_SEQUENCE, PI_##severity, summary, EXPFILL } },
#include "tcp_anomalies.def"
#undef TCP_ANOMALY
    };

    expert_register_field_array(expert_register_protocol(proto), registered, array_length(registered));
}

bool expert_items_are_referenced(const proto_tree *tree)
{
    static int tap_expert;
    static const header_field_info *expert_info;

    if (!expert_info) { /* the tap is there with the first file, not before */
        tap_expert = find_tap_id("expert");
        expert_info = proto_registrar_get_byname("_ws.expert");
    }
    return (tree && expert_info->ref_type != HF_REF_TYPE_NONE) || have_tap_listener(tap_expert);
}

/* "FIN_WAIT_1 and CLOSE_WAIT? never left until the end of the capture, 586 s": entered on one segment, as long ago. */
static void add_left_open(packet_info *pinfo, proto_item *item, const struct final_view *final, unsigned ends)
{
    const char *states[2];
    unsigned count = 0;
    char age[NUMBER_SIZE];

    for (unsigned role = 0; role < 2; role++) {
        const unsigned index = role ? !final->client : final->client;
        const struct final_end *end = &final->end[index];
        if (!(ends >> index & 1))
            continue;
        states[count++] = tcp_state_text(end->state, end->confirmed);
        number_duration(age, end->age_ns);
    }
    expert_add_info_format(pinfo, item, &items[anomaly_of_left_open(final, ends)],
                           "%s%s%s never left until the end of the capture, %s", states[0], count > 1 ? " and " : "",
                           count > 1 ? states[1] : "", age);
}

/* The end that closed an idle connection has the shorter idle timeout; requests are safe if their sender's is. */
static void add_close_race(packet_info *pinfo, proto_item *item, const struct log_view *shown, unsigned src)
{
    char idle[NUMBER_SIZE];

    expert_add_info_format(pinfo, item, &items[TCP_ANOMALY_CLOSE_RACE],
                           "A request crossed the close of a connection that had been idle for %s, and was answered by "
                           "a RST: the %s has the shorter idle timeout",
                           number_duration(idle, log_race_idle_ns(shown)), src == shown->client ? "client" : "server");
}

void expert_items_add(packet_info *pinfo, proto_item *item, uint32_t anomalies, const struct log_view *shown,
                      unsigned src, const struct final_view *final, unsigned left_open)
{
    const char *const current = pinfo->current_proto;

    pinfo->current_proto = "TCP State"; /* the protocol that expert information is listed under */
    for (unsigned n = 0; n < array_length(items); n++) {
        if (!(anomalies & UINT32_C(1) << n))
            continue;
        if (n == TCP_ANOMALY_CLOSE_RACE)
            add_close_race(pinfo, item, shown, src);
        else
            expert_add_info(pinfo, item, &items[n]);
    }
    if (left_open)
        add_left_open(pinfo, item, final, left_open);
    pinfo->current_proto = current;
}
