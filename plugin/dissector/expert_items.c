/* expert_items.c
 * The anomalies of a segment as Wireshark's expert information.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "expert_items.h"

#include "anomaly.h"

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

void expert_items_add(packet_info *pinfo, proto_item *item, uint32_t anomalies)
{
    const char *const current = pinfo->current_proto;

    pinfo->current_proto = "TCP State"; /* the protocol that expert information is listed under */
    for (unsigned n = 0; n < array_length(items); n++) {
        if (anomalies & UINT32_C(1) << n)
            expert_add_info(pinfo, item, &items[n]);
    }
    pinfo->current_proto = current;
}
