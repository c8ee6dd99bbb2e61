/* ws_compat.h
 * The one place that asks for a version of Wireshark: 4.0, 4.4 and 4.6 are supported. What each series changed is a
 * table in plugin/README.md, "A series of Wireshark".
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WS_COMPAT_H
#define WS_COMPAT_H

#include <stdlib.h>

#include <wireshark.h>

#include <epan/packet.h>
#include <epan/prefs.h>
#include <epan/proto.h>
#include <epan/stat_tap_ui.h>
#include <epan/tap.h>
#include <wiretap/wtap.h>

#define WS_AT_LEAST(major, minor) \
    (WIRESHARK_VERSION_MAJOR > (major) || (WIRESHARK_VERSION_MAJOR == (major) && WIRESHARK_VERSION_MINOR >= (minor)))

#if WS_AT_LEAST(4, 4)
#include <wsutil/plugins.h>
#define WS_PLUGIN_IS_DISSECTOR WS_PLUGIN_DESC_DISSECTOR /* what plugin_describe returns */
typedef bool ws_bool; /* what Wireshark's own declarations use */
#else
typedef gboolean ws_bool;
#define WS_PLUGIN_IS_DISSECTOR 0 /* never asked */
#define tvb_get_uint8 tvb_get_guint8
#endif

#if WS_AT_LEAST(4, 4)
#define WS_MENU_SEPARATOR "//" /* in the name of a statistics tree */
#else
#define WS_MENU_SEPARATOR "/"
#endif

/* Whether somebody reads the tree's texts, rather than its values alone. */
#define ws_tree_is_visible(tree) (PTREE_DATA(tree)->visible)

/* Whether the text of this field alone is read, in a tree that is not visible: so by -T fields of newer series. */
static inline bool ws_is_printed(const header_field_info *field)
{
#if WS_AT_LEAST(4, 4)
    return field->ref_type == HF_REF_TYPE_PRINT;
#else
    (void)field;
    return false;
#endif
}

/*
 * Whether a field that an output such as -T fields names is marked as referenced. Wireshark 4.0 does not: its tshark
 * makes a visible tree of all fields, and picks those.
 */
#define WS_OUTPUT_REFERENCES_FIELDS WS_AT_LEAST(4, 4)

/*
 * WS_STAT_TAP_INIT(init, start) defines what register_stat_tap_ui calls, init, by
 * bool start(const char *argument, void *userdata).
 * Where Wireshark cannot be told of a failure, it ends here, as it does for statistics of its own.
 */
#if WS_AT_LEAST(4, 6)
#define WS_STAT_TAP_INIT(init, start) \
    static bool init(const char *argument, void *userdata) \
    { \
        return start(argument, userdata); \
    }
#else
#define WS_STAT_TAP_INIT(init, start) \
    static void init(const char *argument, void *userdata) \
    { \
        if (!start(argument, userdata)) \
            exit(1); \
    }
#endif

/*
 * Flow graphs: epan/sequence_analysis.h is in no package of development files. These are the first members of
 * what Wireshark allocates, as far as they are the same in all series; never make one here. Nothing else in the plugin
 * mirrors what no header declares. flow_graph.c holds them against the running library before it uses them.
 */
struct ws_flow_item {
    uint32_t frame;
    address  src;       /* these and the texts are freed by Wireshark, with g_free */
    uint16_t srcport;
    address  dst;
    uint16_t destport;
    char    *label;     /* above the arrow */
    char    *time;      /* set by Wireshark */
    char    *comment;   /* at the right of the graph */
    uint16_t conversation;
    unsigned foreground, background; /* 0xRRGGBB, used with has_colour */
    ws_bool  has_colour, display;
    unsigned src_node, dst_node;
    uint16_t line_style; /* width of the arrow, pixels */
};

struct ws_flow {
    const char *name;
    ws_bool  any_address;
    int      conversations;
    GQueue  *items;
};

WS_DLL_PUBLIC void register_seq_analysis(const char *name, const char *title, const int proto, const char *tap,
                                         unsigned tap_flags, tap_packet_cb packet);
WS_DLL_PUBLIC struct ws_flow_item *sequence_analysis_create_sai_with_addresses(packet_info *pinfo,
                                                                               struct ws_flow *flow);
WS_DLL_PUBLIC struct ws_flow *sequence_analysis_info_new(void);
WS_DLL_PUBLIC void sequence_analysis_info_free(struct ws_flow *flow); /* with its items */
WS_DLL_PUBLIC int sequence_analysis_get_nodes(struct ws_flow *flow); /* sets src_node, dst_node of what is displayed */

/*
 * Whether addresses and ports alone tell connections apart. In newer series a preference may add interface, MAC
 * addresses and VLAN.
 */
static inline bool ws_conversations_by_address(void)
{
#if WS_AT_LEAST(4, 4)
    return prefs.conversation_deinterlacing_key == 0;
#else
    return true;
#endif
}

#define WS_APART_WORDS 3 /* that ws_kept_apart_by() writes at most: interface and VLAN, two MAC addresses */

/*
 * Writes what that preference keeps the packet's connection apart by, the same for both directions. Returns the number
 * of words.
 *  swapped  the receiver's address stands first
 */
static inline unsigned ws_kept_apart_by(const packet_info *pinfo, bool swapped, uint64_t *to)
{
#if WS_AT_LEAST(4, 4)
    const int by = prefs.conversation_deinterlacing_key;
    const address *first = swapped ? &pinfo->dl_dst : &pinfo->dl_src;
    const address *other = swapped ? &pinfo->dl_src : &pinfo->dl_dst;

    memset(to, 0, WS_APART_WORDS * sizeof *to);
    if ((by & CONV_DEINT_KEY_INTERFACE) && (pinfo->rec->presence_flags & WTAP_HAS_INTERFACE_ID))
        to[0] = pinfo->rec->rec_header.packet_header.interface_id + 1;
    if (by & CONV_DEINT_KEY_VLAN)
        to[0] |= (uint64_t)pinfo->vlan_id << 32;
    if ((by & CONV_DEINT_KEY_MAC) && first->len == 6 && other->len == 6) {
        memcpy(to + 1, first->data, 6);
        memcpy(to + 2, other->data, 6);
    }
    return WS_APART_WORDS;
#else
    (void)pinfo;
    (void)swapped;
    (void)to;
    return 0;
#endif
}

/*
 * A record of a capture file, and its octets, as libwiretap reads and writes them. Those that return false set err and
 * err_info, as wtap_read() and wtap_dump() do.
 */
struct ws_record {
    wtap_rec rec;
#if !WS_AT_LEAST(4, 6)
    Buffer data;
#endif
};

static inline void ws_record_init(struct ws_record *record)
{
#if WS_AT_LEAST(4, 6)
    wtap_rec_init(&record->rec, 2048);
#else
    wtap_rec_init(&record->rec);
    ws_buffer_init(&record->data, 2048);
#endif
}

static inline void ws_record_cleanup(struct ws_record *record)
{
#if !WS_AT_LEAST(4, 6)
    ws_buffer_free(&record->data);
#endif
    wtap_rec_cleanup(&record->rec);
}

static inline Buffer *ws_record_buffer(struct ws_record *record)
{
#if WS_AT_LEAST(4, 6)
    return &record->rec.data;
#else
    return &record->data;
#endif
}

static inline bool ws_record_read(wtap *file, struct ws_record *record, int *err, char **err_info)
{
    int64_t offset;

#if WS_AT_LEAST(4, 6)
    return wtap_read(file, &record->rec, err, err_info, &offset);
#else
    return wtap_read(file, &record->rec, &record->data, err, err_info, &offset);
#endif
}

static inline bool ws_record_write(wtap_dumper *file, struct ws_record *record, int *err, char **err_info)
{
#if WS_AT_LEAST(4, 6)
    return wtap_dump(file, &record->rec, err, err_info);
#else
    return wtap_dump(file, &record->rec, ws_buffer_start_ptr(&record->data), err, err_info);
#endif
}

#endif
