/* annotation.c
 * What is shown on a segment: the fields, and the subtree that they stand in.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "annotation.h"

#include "closer.h"
#include "local_end.h"
#include "names.h"
#include "segment.h"

#include <epan/to_str.h>

static int proto_tcpstate;
static int ett_tcpstate = -1;
static int ett_end[2] = { -1, -1 };

/* The fields that each of local and remote has. */
struct end_fields {
    int state, str, previous, entered, left, event, dwell, confirmed, since, duration;
};
static struct end_fields hf_local = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
static struct end_fields hf_remote = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };

/* The same two states by role and by direction. */
struct role_fields {
    int state, str;
};
static struct role_fields hf_client = { -1, -1 }, hf_server = { -1, -1 };
static struct role_fields hf_src = { -1, -1 }, hf_dst = { -1, -1 };

static int hf_local_by = -1;
static int hf_transition = -1;
static int hf_midstream = -1;
static int hf_closed_by = -1;

/* ------------------------------------------------------------------ the subtree */

/* Only what somebody refers to is added: in a tree that nobody reads, most often a single field. */
static bool is_wanted(proto_tree *tree, int hf)
{
    return proto_field_is_referenced(tree, hf);
}

/* Adds a number, a state, an event or a boolean. Returns NULL where nobody looks. */
static proto_item *add_number(proto_tree *tree, tvbuff_t *tvb, int hf, uint32_t value)
{
    if (!is_wanted(tree, hf))
        return NULL;
    proto_item *item = proto_registrar_get_ftype(hf) == FT_BOOLEAN
        ? proto_tree_add_boolean(tree, hf, tvb, 0, 0, value) : proto_tree_add_uint(tree, hf, tvb, 0, 0, value);
    proto_item_set_generated(item);
    return item;
}

static proto_item *add_state_name(proto_tree *tree, tvbuff_t *tvb, int hf, uint8_t state)
{
    if (!is_wanted(tree, hf))
        return NULL;
    proto_item *item = proto_tree_add_string(tree, hf, tvb, 0, 0, tcp_state_name(state));
    proto_item_set_generated(item);
    return item;
}

static void add_role(proto_tree *tree, tvbuff_t *tvb, const struct role_fields *hf, uint8_t state)
{
    proto_item_set_hidden(add_number(tree, tvb, hf->state, state));
    proto_item_set_hidden(add_state_name(tree, tvb, hf->str, state));
}

static void add_time(proto_tree *tree, tvbuff_t *tvb, int hf, int64_t time_ns)
{
    const nstime_t time = { .secs = (time_t)(time_ns / 1000000000), .nsecs = (int)(time_ns % 1000000000) };

    if (is_wanted(tree, hf))
        proto_item_set_generated(proto_tree_add_time(tree, hf, tvb, 0, 0, &time));
}

/* The transitions of one end on this segment, in order. */
static void add_steps(proto_tree *tree, tvbuff_t *tvb, const struct end_fields *hf, const struct history_view *shown,
                      unsigned end)
{
    struct history_step step;

    for (uint32_t n = 0; n < shown->count; n++) {
        if (!history_step(shown, n, &step) || step.end != end)
            continue;
        add_number(tree, tvb, hf->event, step.event);
        add_number(tree, tvb, hf->left, step.left);
        if (step.has_dwell)
            add_time(tree, tvb, hf->dwell, step.dwell_ns);
        add_number(tree, tvb, hf->entered, step.entered);
    }
}

static void add_end(proto_tree *tree, tvbuff_t *tvb, const struct end_fields *hf, int ett,
                    const struct history_view *shown, unsigned index, int64_t now_ns)
{
    const struct history_end *end = &shown->end[index];
    proto_item *item = add_number(tree, tvb, hf->state, end->state);
    proto_tree *subtree = item ? proto_item_add_subtree(item, ett) : tree;

    if (!end->confirmed)
        proto_item_append_text(item, " [assumed]");
    add_state_name(subtree, tvb, hf->str, end->state);
    add_number(subtree, tvb, hf->previous, end->previous);
    add_steps(subtree, tvb, hf, shown, index);
    add_number(subtree, tvb, hf->confirmed, end->confirmed);
    if (end->since_frame) {
        add_number(subtree, tvb, hf->since, end->since_frame);
        add_time(subtree, tvb, hf->duration, history_elapsed_ns(end->since_ns, now_ns));
    }
}

/* "10.9.0.1:40000 FIN_WAIT_1 → FIN_WAIT_2" */
static const char *end_sentence(wmem_allocator_t *pool, const address *a, uint32_t port, const struct history_end *end)
{
    const char *host = address_to_str(pool, a);
    const bool brackets = a->type == AT_IPv6;
    const bool moves = end->state != end->previous;

    return wmem_strdup_printf(pool, "%s%s%s:%u %s%s%s", brackets ? "[" : "", host, brackets ? "]" : "", port,
                              moves ? tcp_state_name(end->previous) : "", moves ? " \xe2\x86\x92 " : "",
                              tcp_state_name(end->state));
}

static bool has_transition(const struct history_view *shown)
{
    struct history_step step;

    for (uint32_t n = 0; n < shown->count; n++) {
        if (history_step(shown, n, &step))
            return true;
    }
    return false;
}

bool annotation_is_wanted(proto_tree *tree)
{
    return tree && proto_field_is_referenced(tree, proto_tcpstate);
}

/* The line that all else stands under; where only fields are wanted, which need none, the tree itself. */
static proto_tree *add_heading(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo, const struct connection_view *view)
{
    const struct history_view *shown = &view->shown;
    const bool visible = ws_tree_is_visible(tree);

    if (!visible && proto_registrar_get_nth(proto_tcpstate)->ref_type != HF_REF_TYPE_DIRECT)
        return tree;
    proto_item *item = proto_tree_add_item(tree, proto_tcpstate, tvb, 0, 0, ENC_NA);
    proto_item_set_generated(item);
    if (visible) {
        const bool src_is_local = view->src == view->local;
        const char *src = end_sentence(pinfo->pool, &pinfo->src, pinfo->srcport, &shown->end[view->src]);
        const char *dst = end_sentence(pinfo->pool, &pinfo->dst, pinfo->destport, &shown->end[!view->src]);
        proto_item_set_text(item, "TCP State: %s, %s", src_is_local ? src : dst, src_is_local ? dst : src);
    }
    return proto_item_add_subtree(item, ett_tcpstate);
}

void annotation_add(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo, const struct connection_view *view)
{
    const struct history_view *shown = &view->shown;
    const int64_t now_ns = segment_time_ns(pinfo);
    proto_tree *subtree = add_heading(tree, tvb, pinfo, view);

    add_end(subtree, tvb, &hf_local, ett_end[0], shown, view->local, now_ns);
    add_end(subtree, tvb, &hf_remote, ett_end[1], shown, !view->local, now_ns);
    add_role(subtree, tvb, &hf_client, shown->end[shown->client].state);
    add_role(subtree, tvb, &hf_server, shown->end[!shown->client].state);
    add_role(subtree, tvb, &hf_src, shown->end[view->src].state);
    add_role(subtree, tvb, &hf_dst, shown->end[!view->src].state);
    add_number(subtree, tvb, hf_local_by, shown->local_by);
    if (has_transition(shown))
        add_number(subtree, tvb, hf_transition, true);
    if (shown->closed_by != TCP_CLOSER_NONE)
        add_number(subtree, tvb, hf_closed_by, shown->closed_by);
    if (shown->midstream)
        add_number(subtree, tvb, hf_midstream, true);
}

/* ------------------------------------------------------------------ registration */

#define STATE_FIELD(hf, name, abbrev, blurb) \
    { &(hf), { name, abbrev, FT_UINT8, BASE_DEC, VALS(tcp_state_names), 0x0, blurb, HFILL } }
#define STRING_FIELD(hf, name, abbrev, blurb) \
    { &(hf), { name, abbrev, FT_STRING, BASE_NONE, NULL, 0x0, blurb, HFILL } }
#define FLAG_FIELD(hf, name, abbrev, blurb) \
    { &(hf), { name, abbrev, FT_BOOLEAN, BASE_NONE, NULL, 0x0, blurb, HFILL } }

#define NAMED_FIELD(hf, name, abbrev, names, blurb) \
    { &(hf), { name, abbrev, FT_UINT8, BASE_DEC, VALS(names), 0x0, blurb, HFILL } }
#define TIME_FIELD(hf, name, abbrev, blurb) \
    { &(hf), { name, abbrev, FT_RELATIVE_TIME, BASE_NONE, NULL, 0x0, blurb, HFILL } }

#define END_FIELDS(hf, abbrev, end) \
    STATE_FIELD((hf).state, "State of the " end " end", abbrev, \
        "State of the " end " end after this segment (RFC 9293 section 3.3.2), by the names and numbers of TCPSTATE.") \
    , STRING_FIELD((hf).str, "Name", abbrev ".str", \
        "Name of the state of the " end " end after this segment, for outputs that print numbers otherwise.") \
    , STATE_FIELD((hf).previous, "Previous state", abbrev ".previous", \
        "State of the " end " end before this segment.") \
    , STATE_FIELD((hf).entered, "Entered", abbrev ".entered", \
        "State that this segment made the " end " end enter; present only on a segment that changes it.") \
    , STATE_FIELD((hf).left, "Left", abbrev ".left", \
        "State that this segment made the " end " end leave; present only on a segment that changes it.") \
    , NAMED_FIELD((hf).event, "Event", abbrev ".event", tcp_event_names, \
        "Why this segment changed the state of the " end " end, in the notation of RFC 9293 figure 5; " \
        "present only on a segment that changes it.") \
    , TIME_FIELD((hf).dwell, "Time in the state left", abbrev ".dwell", \
        "How long the state that the " end " end left had lasted, in seconds; present only on a segment that " \
        "changes it, and not of a state older than the capture.") \
    , { &(hf).since, { "Since frame", abbrev ".since", FT_FRAMENUM, BASE_NONE, NULL, 0x0, \
        "Frame in which the " end " end entered its state; absent if that is older than the capture.", HFILL } } \
    , TIME_FIELD((hf).duration, "Duration", abbrev ".duration", \
        "How long the " end " end has been in its state at this segment, in seconds; absent without a since.") \
    , FLAG_FIELD((hf).confirmed, "Confirmed", abbrev ".confirmed", \
        "Whether segments of the " end " end itself prove its state; otherwise it is assumed that each segment arrived.")

#define ROLE_FIELDS(hf, abbrev, end) \
    STATE_FIELD((hf).state, "State of the " end, abbrev, "State of the " end " after this segment.") \
    , STRING_FIELD((hf).str, "Name of the state of the " end, abbrev ".str", \
        "Name of the state of the " end " after this segment.")

void annotation_register(int proto)
{
    static hf_register_info hf[] = {
        END_FIELDS(hf_local, "tcpstate.local", "local"),
        END_FIELDS(hf_remote, "tcpstate.remote", "remote"),
        ROLE_FIELDS(hf_client, "tcpstate.client", "client"),
        ROLE_FIELDS(hf_server, "tcpstate.server", "server"),
        ROLE_FIELDS(hf_src, "tcpstate.src", "sender of this segment"),
        ROLE_FIELDS(hf_dst, "tcpstate.dst", "receiver of this segment"),
        { &hf_local_by, { "Local end told by", "tcpstate.local.by", FT_UINT8, BASE_DEC, VALS(local_by_names), 0x0,
            "How the local and the remote end were told apart.", HFILL } },
        FLAG_FIELD(hf_transition, "Transition", "tcpstate.transition",
            "This segment changed the state of an end; present only then."),
        NAMED_FIELD(hf_closed_by, "Closed by", "tcpstate.closed_by", tcp_closer_names,
            "Who ended the connection: the end whose FIN was first, else the end that reset it; present once known."),
        FLAG_FIELD(hf_midstream, "Mid-stream", "tcpstate.midstream",
            "The capture has no handshake of this connection; present only then."),
    };
    static int *ett[] = { &ett_tcpstate, &ett_end[0], &ett_end[1] };

    proto_tcpstate = proto;
    proto_register_field_array(proto, hf, array_length(hf));
    proto_register_subtree_array(ett, array_length(ett));
}
