/* plugin.c
 * What Wireshark's loader looks for; and the order in which the dissector and the views register.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "packet-tcpstate.h"
#include "views.h"
#include "ws_compat.h"

WS_DLL_PUBLIC_DEF const char plugin_version[] = TCPSTATE_VERSION;
WS_DLL_PUBLIC_DEF const int plugin_want_major = WIRESHARK_VERSION_MAJOR;
WS_DLL_PUBLIC_DEF const int plugin_want_minor = WIRESHARK_VERSION_MINOR;

WS_DLL_PUBLIC void plugin_register(void);
WS_DLL_PUBLIC uint32_t plugin_describe(void);

uint32_t plugin_describe(void)
{
    return WS_PLUGIN_IS_DISSECTOR;
}

static void register_protocol(void)
{
    views_register(proto_register_tcpstate());
}

void plugin_register(void)
{
    static proto_plugin plugin = {
        .register_protoinfo = register_protocol,
        .register_handoff = proto_reg_handoff_tcpstate,
    };
    proto_register_plugin(&plugin);
}
