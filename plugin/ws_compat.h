/* ws_compat.h
 * The one place that asks for a version of Wireshark: 4.0, 4.4 and 4.6 are supported.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WS_COMPAT_H
#define WS_COMPAT_H

#include <wireshark.h>

#include <epan/conversation.h>
#include <epan/packet.h>
#include <epan/proto.h>

#define WS_AT_LEAST(major, minor) \
    (WIRESHARK_VERSION_MAJOR > (major) || (WIRESHARK_VERSION_MAJOR == (major) && WIRESHARK_VERSION_MINOR >= (minor)))

#if WS_AT_LEAST(4, 4)
#include <wsutil/plugins.h>
#define WS_PLUGIN_IS_DISSECTOR WS_PLUGIN_DESC_DISSECTOR /* what plugin_describe returns */
#else
#define WS_PLUGIN_IS_DISSECTOR 0 /* never asked */
#define tvb_get_uint8 tvb_get_guint8
#endif

/* Whether somebody reads the tree's texts, rather than its values alone. */
#define ws_tree_is_visible(tree) (PTREE_DATA(tree)->visible)

/*
 * The conversation in which the TCP dissector put a segment between pinfo's addresses and ports,
 * or NULL. Newer series can keep apart what other interfaces and VLANs carry.
 */
static inline conversation_t *ws_find_tcp_conversation(packet_info *pinfo)
{
#if WS_AT_LEAST(4, 6)
    return find_conversation_strat(pinfo, CONVERSATION_TCP, 0, false);
#elif WS_AT_LEAST(4, 4)
    return find_conversation_strat(pinfo, CONVERSATION_TCP, 0);
#else
    return find_conversation(pinfo->num, &pinfo->src, &pinfo->dst, CONVERSATION_TCP,
                             pinfo->srcport, pinfo->destport, 0);
#endif
}

#endif
