/* annotation.c
 * What is shown on a segment: the fields, the subtree that they stand in, expert items, the Info column.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "annotation.h"

#include "anomaly.h"
#include "closer.h"
#include "expert_items.h"
#include "local_end.h"
#include "names.h"
#include "segment.h"


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

/* ------------------------------------------------------------------ what is told in words */

#define ARROW " \xe2\x86\x92 "

unsigned annotation_stuck_after_s = 60;

/* "FIN_WAIT_1 → FIN_WAIT_2", or the state alone if this segment did not change it */
static const char *change_text(wmem_allocator_t *pool, const struct history_end *end)
{
    if (end->state == end->previous)
        return tcp_state_name(end->state);
    return wmem_strdup_printf(pool, "%s" ARROW "%s", tcp_state_name(end->previous), tcp_state_name(end->state));
}

/* Why a state is called confirmed, or is not. */
static const char *proof_text(wmem_allocator_t *pool, const struct history_end *end, const struct history_view *shown)
{
    if (end->confirmed)
        return "its own segments prove it";
    switch ((enum tcp_event)end->event) {
    case TCP_EV_NONE:
        return shown->midstream ? "assumed: the capture began later" : "assumed: it has sent nothing yet";
    case TCP_EV_RCV_SYN:
    case TCP_EV_RCV_SYN_ACK:
    case TCP_EV_RCV_ACK_OF_SYN:
    case TCP_EV_RCV_FIN:
    case TCP_EV_RCV_ACK_OF_FIN:
    case TCP_EV_RCV_FIN_ACK:
    case TCP_EV_RCV_RST:
        return wmem_strdup_printf(pool, "assumed: that frame %u reached it", end->since_frame);
    case TCP_EV_TIMEOUT_2MSL:
        return "assumed: that its timer is the preference time_wait";
    default:
        return "assumed: what it sent fits other states as well";
    }
}

void annotation_info_column(packet_info *pinfo, const struct connection_view *view)
{
    const struct history_end *local = &view->shown.end[view->local], *remote = &view->shown.end[!view->local];
    const bool local_moves = local->state != local->previous, remote_moves = remote->state != remote->previous;

    if (!local_moves && !remote_moves)
        return;
    col_append_fstr(pinfo->cinfo, COL_INFO, " [%s%s%s%s%s]", local_moves ? "local " : "",
                    local_moves ? change_text(pinfo->pool, local) : "", local_moves && remote_moves ? ", " : "",
                    remote_moves ? "remote " : "", remote_moves ? change_text(pinfo->pool, remote) : "");
}

/* ------------------------------------------------------------------ the subtree */

/*
 * Only what somebody refers to is added: in a tree that nobody reads, most often a single field. Asked for every
 * field of every segment, and so in line.
 */
static inline bool is_wanted(proto_tree *tree, int hf)
{
    return tree && (ws_tree_is_visible(tree) || proto_registrar_get_nth((unsigned)hf)->ref_type != HF_REF_TYPE_NONE);
}

static proto_item *add_wanted_number(proto_tree *tree, tvbuff_t *tvb, int hf, uint32_t value)
{
    proto_item *item = proto_registrar_get_ftype(hf) == FT_BOOLEAN
        ? proto_tree_add_boolean(tree, hf, tvb, 0, 0, value) : proto_tree_add_uint(tree, hf, tvb, 0, 0, value);

    proto_item_set_generated(item);
    return item;
}

/* Adds a number, a state, an event or a boolean. Returns NULL where nobody looks. */
static inline proto_item *add_number(proto_tree *tree, tvbuff_t *tvb, int hf, uint32_t value)
{
    return is_wanted(tree, hf) ? add_wanted_number(tree, tvb, hf, value) : NULL;
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

/* One segment as it is annotated. */
struct annotated {
    tvbuff_t *tvb;
    packet_info *pinfo;
    const struct connection_view *view;
    int64_t now_ns;
    bool in_words; /* somebody reads the tree's texts */
};

/* "10.9.0.1:40000"; returns name */
static const char *endpoint_of(const struct annotated *a, unsigned end, char name[ENDPOINT_NAME_SIZE])
{
    const packet_info *pinfo = a->pinfo;

    return end == a->view->src ? endpoint_name(&pinfo->src, pinfo->srcport, name)
                               : endpoint_name(&pinfo->dst, pinfo->destport, name);
}

static bool wants_steps(proto_tree *tree, const struct end_fields *hf)
{
    return is_wanted(tree, hf->event) || is_wanted(tree, hf->left) || is_wanted(tree, hf->dwell)
        || is_wanted(tree, hf->entered);
}

/* The transitions of one end on this segment, in order. */
static void add_steps(proto_tree *tree, const struct annotated *a, const struct end_fields *hf, unsigned end)
{
    const struct history_view *shown = &a->view->shown;
    struct history_step step;

    for (uint32_t n = 0; n < shown->count; n++) {
        if (!history_step(shown, n, &step) || step.end != end)
            continue;
        proto_item *event = add_number(tree, a->tvb, hf->event, step.event);
        if (a->in_words)
            proto_item_append_text(event, ": %s", tcp_event_sentence(step.event));
        add_number(tree, a->tvb, hf->left, step.left);
        if (step.has_dwell)
            add_time(tree, a->tvb, hf->dwell, step.dwell_ns);
        add_number(tree, a->tvb, hf->entered, step.entered);
    }
}

/* "Local end: 10.9.0.1:40000, the client, FIN_WAIT_1 → FIN_WAIT_2, assumed" */
static void set_end_text(proto_item *item, const struct annotated *a, const char *name, unsigned index)
{
    const struct history_view *shown = &a->view->shown;
    const struct history_end *end = &shown->end[index];
    char endpoint[ENDPOINT_NAME_SIZE];

    proto_item_set_text(item, "%s end: %s, the %s, %s, %s", name, endpoint_of(a, index, endpoint),
                        index == shown->client ? "client" : "server", change_text(a->pinfo->pool, end),
                        end->confirmed ? "confirmed" : "assumed");
}

static void add_end(proto_tree *tree, const struct annotated *a, const struct end_fields *hf, const char *name, int ett,
                    unsigned index)
{
    const struct history_end *end = &a->view->shown.end[index];
    tvbuff_t *tvb = a->tvb;
    proto_item *item = add_number(tree, tvb, hf->state, end->state);
    proto_tree *subtree = item ? proto_item_add_subtree(item, ett) : tree;

    add_state_name(subtree, tvb, hf->str, end->state);
    add_number(subtree, tvb, hf->previous, end->previous);
    if (wants_steps(subtree, hf))
        add_steps(subtree, a, hf, index);
    proto_item *confirmed = add_number(subtree, tvb, hf->confirmed, end->confirmed);
    if (end->since_frame) {
        add_number(subtree, tvb, hf->since, end->since_frame);
        add_time(subtree, tvb, hf->duration, history_elapsed_ns(end->since_ns, a->now_ns));
    }
    if (a->in_words) {
        set_end_text(item, a, name, index);
        proto_item_append_text(confirmed, " (%s)", proof_text(a->pinfo->pool, end, &a->view->shown));
    }
}

/* "TCP State: 10.9.0.1:40000 FIN_WAIT_1 → FIN_WAIT_2, 10.9.0.2:5000 CLOSE_WAIT", the local end first */
static void set_headline(proto_item *item, const struct annotated *a)
{
    const struct history_end *end = a->view->shown.end;
    const unsigned local = a->view->local;
    char near[ENDPOINT_NAME_SIZE], far[ENDPOINT_NAME_SIZE];

    proto_item_set_text(item, "TCP State: %s %s, %s %s",
                        endpoint_of(a, local, near), change_text(a->pinfo->pool, &end[local]),
                        endpoint_of(a, !local, far), change_text(a->pinfo->pool, &end[!local]));
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

/* The line that all else stands under. */
static proto_item *add_heading(proto_tree *tree, const struct annotated *a)
{
    proto_item *item = proto_tree_add_item(tree, proto_tcpstate, a->tvb, 0, 0, ENC_NA);

    proto_item_set_generated(item);
    if (a->in_words)
        set_headline(item, a);
    return item;
}

static void add_fields(proto_tree *subtree, const struct annotated *a)
{
    const struct history_view *shown = &a->view->shown;
    const unsigned src = a->view->src;
    tvbuff_t *tvb = a->tvb;

    add_end(subtree, a, &hf_local, "Local", ett_end[0], a->view->local);
    add_end(subtree, a, &hf_remote, "Remote", ett_end[1], !a->view->local);
    add_role(subtree, tvb, &hf_client, shown->end[shown->client].state);
    add_role(subtree, tvb, &hf_server, shown->end[!shown->client].state);
    add_role(subtree, tvb, &hf_src, shown->end[src].state);
    add_role(subtree, tvb, &hf_dst, shown->end[!src].state);
    add_number(subtree, tvb, hf_local_by, shown->local_by);
    if (is_wanted(subtree, hf_transition) && has_transition(shown))
        add_number(subtree, tvb, hf_transition, true);
    if (shown->closed_by != TCP_CLOSER_NONE)
        add_number(subtree, tvb, hf_closed_by, shown->closed_by);
    if (shown->midstream)
        add_number(subtree, tvb, hf_midstream, true);
}

bool annotation_is_wanted(proto_tree *tree)
{
    return (tree && proto_field_is_referenced(tree, proto_tcpstate)) || expert_items_are_wanted(tree);
}

void annotation_add(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo, const struct connection_view *view,
                    const struct tcpfsm_segment *seg)
{
    const struct annotated a = {
        .tvb = tvb, .pinfo = pinfo, .view = view, .now_ns = segment_time_ns(&pinfo->abs_ts),
        .in_words = tree && ws_tree_is_visible(tree),
    };
    const int64_t stuck_ns = (int64_t)annotation_stuck_after_s * 1000000000;
    const uint32_t anomalies = anomalies_of(&view->shown, view->src, seg, a.now_ns, stuck_ns);
    proto_item *item = NULL;

    if (tree) {
        /* Fields of which only the values are wanted need no line above them. */
        if (a.in_words || anomalies || proto_registrar_get_nth(proto_tcpstate)->ref_type == HF_REF_TYPE_DIRECT)
            item = add_heading(tree, &a);
        add_fields(item ? proto_item_add_subtree(item, ett_tcpstate) : tree, &a);
    }
    expert_items_add(pinfo, item, anomalies);
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
    expert_items_register(proto);
}
