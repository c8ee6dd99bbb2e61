/* annotation.c
 * What is shown on a segment: the fields, the subtree that they stand in, expert items, the Info column.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "annotation.h"

#include "anomaly.h"
#include "expert_items.h"
#include "local_end.h"
#include "names.h"
#include "numbers.h"

#include <wsutil/str_util.h> /* wmem_strconcat */

#include <stdarg.h>

static int proto_tcpstate;
static const header_field_info *protocol; /* as Wireshark keeps it */
static int ett_tcpstate = -1;
static int ett_end[2] = { -1, -1 };

/* The fields that each of local and remote has. */
struct end_fields {
    hf_register_info state, str, previous, entered, left, event, dwell, since, duration, confirmed;
};

/* The same two states by role and by direction. */
struct role_fields {
    hf_register_info state, str;
};

struct fields {
    struct end_fields local, remote;
    struct role_fields client, server, src, dst;
    hf_register_info local_by, transition, closed_by, midstream;
    hf_register_info reset_cause, reset_cause_str, reset_cause_confirmed;
};

/*
 * Defined at the end of this file. Wireshark keeps no copy of a field, but writes its number and who refers to it
 * into this one: to look here takes no call.
 */
static union registered {
    struct fields by_name;
    hf_register_info all[sizeof(struct fields) / sizeof(hf_register_info)];
} hf;

/* ------------------------------------------------------------------ what is told in words */

#define ARROW " \xe2\x86\x92 "

/* "FIN_WAIT_1 → FIN_WAIT_2", or the state alone if this segment did not change it */
static const char *change_text(wmem_allocator_t *pool, const struct log_end *end)
{
    if (end->state == end->previous)
        return tcp_state_name(end->state);
    return wmem_strconcat(pool, tcp_state_name(end->previous), ARROW, tcp_state_name(end->state), NULL);
}

/* Why a state is called confirmed, or is not. */
static const char *proof_text(wmem_allocator_t *pool, const struct log_end *end, const struct log_view *shown)
{
    char frame[NUMBER_SIZE];

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
        number_write(frame, end->since_frame);
        return wmem_strconcat(pool, "assumed: that frame ", frame, " reached it", NULL);
    case TCP_EV_TIMEOUT_2MSL:
        return "assumed: that its timer is the preference time_wait";
    default:
        return "assumed: what it sent fits other states as well";
    }
}

void annotation_info_column(packet_info *pinfo, const struct pair_view *view)
{
    const struct log_end *local = &view->shown.end[view->local], *remote = &view->shown.end[!view->local];
    const bool local_moves = local->state != local->previous, remote_moves = remote->state != remote->previous;

    if (!local_moves && !remote_moves)
        return;
    col_append_fstr(pinfo->cinfo, COL_INFO, " [%s%s%s%s%s]", local_moves ? "local " : "",
                    local_moves ? change_text(pinfo->pool, local) : "", local_moves && remote_moves ? ", " : "",
                    remote_moves ? "remote " : "", remote_moves ? change_text(pinfo->pool, remote) : "");
}

/* ------------------------------------------------------------------ the subtree */

/* What the subtree tells in words, by index of end. */
struct words {
    char endpoint[2][ENDPOINT_NAME_SIZE]; /* "10.9.0.1:40000" */
    const char *change[2];
};

/* One segment as it is annotated. */
struct annotated {
    tvbuff_t *tvb;
    packet_info *pinfo;
    const struct pair_view *view;
    const struct annotated_segment *segment;
    const struct words *words; /* NULL: nobody reads the tree's texts, its values alone are asked for */
};

/*
 * Only what is referenced is added: in a tree that is not visible, most often a single field. Asked for the
 * fields of every segment: in line, and of a group at once, without a branch for each. Returns 0 or 1.
 */
static inline unsigned is_referenced(const hf_register_info *field)
{
    return field->hfinfo.ref_type != HF_REF_TYPE_NONE;
}

static inline bool is_wanted(const struct annotated *a, const hf_register_info *field)
{
    return a->words || is_referenced(field);
}

static inline unsigned are_steps_wanted(const struct annotated *a, const struct end_fields *f)
{
    return (a->words != NULL) | is_referenced(&f->event) | is_referenced(&f->left) | is_referenced(&f->dwell)
        | is_referenced(&f->entered);
}

static inline bool is_end_wanted(const struct annotated *a, const struct end_fields *f)
{
    return are_steps_wanted(a, f) | is_referenced(&f->state) | is_referenced(&f->str) | is_referenced(&f->previous)
        | is_referenced(&f->since) | is_referenced(&f->duration) | is_referenced(&f->confirmed);
}

static inline bool is_role_referenced(const struct role_fields *f)
{
    return is_referenced(&f->state) | is_referenced(&f->str);
}

/* By role in every visible tree; by direction, hidden too, only where something refers to them, if that is known. */
static inline bool is_role_wanted(const struct annotated *a, const struct role_fields *f)
{
    return a->words || is_role_referenced(f);
}

static inline bool is_direction_wanted(const struct annotated *a, const struct role_fields *f)
{
    return (a->words && !WS_OUTPUT_REFERENCES_FIELDS) || is_role_referenced(f);
}

static proto_item *add_wanted(proto_tree *tree, const struct annotated *a, const hf_register_info *field,
                              uint32_t value)
{
    const int id = field->hfinfo.id;
    proto_item *item;

    if (field->hfinfo.type == FT_STRING)
        item = proto_tree_add_string(tree, id, a->tvb, 0, 0, tcp_state_name((uint8_t)value));
    else if (field->hfinfo.type == FT_BOOLEAN)
        item = proto_tree_add_boolean(tree, id, a->tvb, 0, 0, value);
    else
        item = proto_tree_add_uint(tree, id, a->tvb, 0, 0, value);
    proto_item_set_generated(item);
    return item;
}

/* Adds a number, a state by number or by name, an event or a flag. Returns NULL if it is not referenced. */
static inline proto_item *add(proto_tree *tree, const struct annotated *a, const hf_register_info *field,
                              uint32_t value)
{
    return is_wanted(a, field) ? add_wanted(tree, a, field, value) : NULL;
}

static void add_time(proto_tree *tree, const struct annotated *a, const hf_register_info *field, int64_t time_ns)
{
    const nstime_t time = { .secs = (time_t)(time_ns / 1000000000), .nsecs = (int)(time_ns % 1000000000) };

    if (is_wanted(a, field))
        proto_item_set_generated(proto_tree_add_time(tree, field->hfinfo.id, a->tvb, 0, 0, &time));
}

static void add_role(proto_tree *tree, const struct annotated *a, const struct role_fields *f, uint8_t state)
{
    proto_item_set_hidden(add(tree, a, &f->state, state));
    proto_item_set_hidden(add(tree, a, &f->str, state));
}

/*
 * Lines that say more than their value: of the parts, the last of which is NULL. Put together where Wireshark keeps an
 * item's line: a format would take as many instructions again as to add the item, once for each line of the tree.
 */
static G_GNUC_NULL_TERMINATED void set_line(const struct annotated *a, proto_item *item, ...)
{
    item_label_t *line = wmem_new0(a->pinfo->pool, item_label_t);
    char *to = line->representation, *const end = to + sizeof line->representation - 1;
    va_list parts;

    va_start(parts, item);
    for (const char *part; (part = va_arg(parts, const char *)) != NULL;) {
        const size_t length = MIN(strlen(part), (size_t)(end - to));
        memcpy(to, part, length);
        to += length;
    }
    va_end(parts);
    PITEM_FINFO(item)->rep = line;
}

static void add_event(proto_tree *tree, const struct annotated *a, const hf_register_info *field, uint8_t event)
{
    proto_item *item = add(tree, a, field, event);
    char number[NUMBER_SIZE];

    if (!a->words)
        return;
    number_write(number, event);
    set_line(a, item, "Event: ", val_to_str_const(event, tcp_event_names, ""), " (", number, "): ",
             tcp_event_sentence(event), NULL);
}

static void add_confirmed(proto_tree *tree, const struct annotated *a, const hf_register_info *field,
                          const struct log_end *end)
{
    proto_item *item = add(tree, a, field, end->confirmed);

    if (a->words)
        set_line(a, item, end->confirmed ? "Confirmed: True (" : "Confirmed: False (",
                 proof_text(a->pinfo->pool, end, &a->view->shown), ")", NULL);
}

/* The transitions of one end on this segment, in order. */
static void add_steps(proto_tree *tree, const struct annotated *a, const struct end_fields *f, unsigned end)
{
    const struct log_view *shown = &a->view->shown;
    struct log_step step;

    for (uint32_t n = 0; n < shown->count; n++) {
        if (!log_step(shown, n, &step) || step.end != end)
            continue;
        add_event(tree, a, &f->event, step.event);
        add(tree, a, &f->left, step.left);
        if (step.has_dwell)
            add_time(tree, a, &f->dwell, step.dwell_ns);
        add(tree, a, &f->entered, step.entered);
    }
}

/* Why the segment, a RST, was sent. */
static void add_reset_cause(proto_tree *tree, const struct annotated *a)
{
    const struct fields *f = &hf.by_name;
    const uint8_t cause = a->view->shown.reset_cause;
    const char *name = val_to_str_const(cause, reset_cause_names, "");
    const bool confirmed = a->view->shown.reset_confirmed;

    proto_item *item = add(tree, a, &f->reset_cause, cause);
    if (a->words)
        set_line(a, item, "Reset because: ", name, confirmed ? ", confirmed: " : ", assumed: ",
                 reset_cause_sentence(cause), NULL);
    if (is_wanted(a, &f->reset_cause_str))
        proto_item_set_generated(proto_tree_add_string(tree, f->reset_cause_str.hfinfo.id, a->tvb, 0, 0, name));
    add(tree, a, &f->reset_cause_confirmed, confirmed);
}

/* "Local end: 10.9.0.1:40000, the client, FIN_WAIT_1 → FIN_WAIT_2, assumed". Returns where its fields go. */
static proto_tree *add_end_line(proto_tree *tree, const struct annotated *a, const struct end_fields *f,
                                const char *name, int ett, unsigned index)
{
    const struct log_view *shown = &a->view->shown;
    const uint8_t state = shown->end[index].state;

    proto_item *item = add(tree, a, &f->state, state);

    if (!a->words)
        return tree;
    set_line(a, item, name, " end: ", a->words->endpoint[index],
             index == shown->client ? ", the client, " : ", the server, ", a->words->change[index],
             shown->end[index].confirmed ? ", confirmed" : ", assumed", NULL);
    return proto_item_add_subtree(item, ett);
}

static void add_end(proto_tree *tree, const struct annotated *a, const struct end_fields *f, const char *name, int ett,
                    unsigned index)
{
    const struct log_end *end = &a->view->shown.end[index];
    proto_tree *subtree = add_end_line(tree, a, f, name, ett, index);

    add(subtree, a, &f->str, end->state);
    add(subtree, a, &f->previous, end->previous);
    if (are_steps_wanted(a, f))
        add_steps(subtree, a, f, index);
    add_confirmed(subtree, a, &f->confirmed, end);
    if (end->since_frame) {
        add(subtree, a, &f->since, end->since_frame);
        if (is_wanted(a, &f->duration))
            add_time(subtree, a, &f->duration,
                     log_elapsed_ns(end->since_ns, time_ns(&a->pinfo->abs_ts)));
    }
}

/* "TCP State: 10.9.0.1:40000 FIN_WAIT_1 → FIN_WAIT_2, 10.9.0.2:5000 CLOSE_WAIT", the local end first */
static const char *headline(const struct annotated *a, const struct words *w)
{
    const unsigned local = a->view->local;

    return wmem_strconcat(a->pinfo->pool, "TCP State: ", w->endpoint[local], " ", w->change[local], ", ",
                          w->endpoint[!local], " ", w->change[!local], NULL);
}

static bool has_transition(const struct log_view *shown)
{
    struct log_step step;

    for (uint32_t n = 0; n < shown->count; n++) {
        if (log_step(shown, n, &step))
            return true;
    }
    return false;
}

static void find_words(struct words *words, const struct annotated *a)
{
    const struct log_end *end = a->view->shown.end;
    const struct annotated_segment *s = a->segment;

    endpoint_name(&s->src, s->srcport, words->endpoint[a->view->src]);
    endpoint_name(&s->dst, s->destport, words->endpoint[!a->view->src]);
    words->change[0] = change_text(a->pinfo->pool, &end[0]);
    words->change[1] = change_text(a->pinfo->pool, &end[1]);
}

/* The line that all else stands under. */
static proto_item *add_heading(proto_tree *tree, const struct annotated *a)
{
    const struct words *words = a->words;
    struct words own;

    if (!words && ws_is_printed(protocol)) {
        find_words(&own, a);
        words = &own;
    }
    proto_item *item = words
        ? proto_tree_add_protocol_format(tree, proto_tcpstate, a->tvb, 0, 0, "%s", headline(a, words))
        : proto_tree_add_item(tree, proto_tcpstate, a->tvb, 0, 0, ENC_NA);
    proto_item_set_generated(item);
    return item;
}

static void add_fields(proto_tree *tree, const struct annotated *a)
{
    const struct fields *f = &hf.by_name;
    const struct log_view *shown = &a->view->shown;
    const unsigned src = a->view->src, local = a->view->local;

    if (is_end_wanted(a, &f->local))
        add_end(tree, a, &f->local, "Local", ett_end[0], local);
    if (is_end_wanted(a, &f->remote))
        add_end(tree, a, &f->remote, "Remote", ett_end[1], !local);
    if (is_role_wanted(a, &f->client))
        add_role(tree, a, &f->client, shown->end[shown->client].state);
    if (is_role_wanted(a, &f->server))
        add_role(tree, a, &f->server, shown->end[!shown->client].state);
    if (is_direction_wanted(a, &f->src))
        add_role(tree, a, &f->src, shown->end[src].state);
    if (is_direction_wanted(a, &f->dst))
        add_role(tree, a, &f->dst, shown->end[!src].state);
    add(tree, a, &f->local_by, shown->local_by);
    if (is_wanted(a, &f->transition) && has_transition(shown))
        add(tree, a, &f->transition, true);
    if (shown->closed_by != TCP_CLOSER_NONE)
        add(tree, a, &f->closed_by, shown->closed_by);
    if (shown->midstream)
        add(tree, a, &f->midstream, true);
    if ((a->segment->seg.flags & TCP_RST) && shown->reset_cause != RESET_NONE)
        add_reset_cause(tree, a);
}

bool annotation_is_referenced(proto_tree *tree)
{
    if (tree && protocol->ref_type != HF_REF_TYPE_NONE) /* most often; what follows takes calls */
        return true;
    return (tree && proto_field_is_referenced(tree, proto_tcpstate)) || expert_items_are_referenced(tree);
}

/* Returns the item that expert information is about, or NULL. */
static proto_item *add_to_tree(proto_tree *tree, const struct annotated *a, bool has_anomalies)
{
    proto_item *item = NULL;

    /* Fields of which only the values are wanted need no line above them. */
    if (a->words || has_anomalies || protocol->ref_type == HF_REF_TYPE_DIRECT || ws_is_printed(protocol))
        item = add_heading(tree, a);
    add_fields(item ? proto_item_add_subtree(item, ett_tcpstate) : tree, a);
    return item;
}

static uint32_t find_anomalies(const struct pair_view *view, const struct tcpfsm_segment *seg)
{
    if (!anomalies_are_possible(&view->shown, view->src, seg))
        return 0;
    return anomalies_of(&view->shown, view->src, seg, pair_stuck_after_ns());
}

void annotation_add(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo, const struct pair_view *view,
                    const struct annotated_segment *segment)
{
    const uint32_t anomalies = find_anomalies(view, &segment->seg);
    struct words words;
    struct annotated a = { .tvb = tvb, .pinfo = pinfo, .view = view, .segment = segment };

    if (tree && ws_tree_is_visible(tree)) {
        find_words(&words, &a);
        a.words = &words;
    }
    proto_item *item = tree ? add_to_tree(tree, &a, anomalies != 0) : NULL;
    if (anomalies)
        expert_items_add(pinfo, item, anomalies);
}

/* ------------------------------------------------------------------ registration */

#define FIELD(f, name, abbrev, type, display, strings, blurb) \
    { &(f).hfinfo.id, { name, abbrev, type, display, strings, 0x0, blurb, HFILL } }
#define STATE_FIELD(f, name, abbrev, blurb) NAMED_FIELD(f, name, abbrev, tcp_state_names, blurb)
#define NAMED_FIELD(f, name, abbrev, names, blurb) FIELD(f, name, abbrev, FT_UINT8, BASE_DEC, VALS(names), blurb)
#define STRING_FIELD(f, name, abbrev, blurb) FIELD(f, name, abbrev, FT_STRING, BASE_NONE, NULL, blurb)
#define FLAG_FIELD(f, name, abbrev, blurb) FIELD(f, name, abbrev, FT_BOOLEAN, BASE_NONE, NULL, blurb)
#define TIME_FIELD(f, name, abbrev, blurb) FIELD(f, name, abbrev, FT_RELATIVE_TIME, BASE_NONE, NULL, blurb)

#define END_FIELDS(f, abbrev, end) { \
    .state = STATE_FIELD((f).state, "State of the " end " end", abbrev, \
        "State of the " end " end after this segment (RFC 9293 section 3.3.2), by the names and numbers of " \
        "TCPSTATE."), \
    .str = STRING_FIELD((f).str, "Name", abbrev ".str", \
        "Name of the state of the " end " end after this segment, for outputs that print numbers otherwise."), \
    .previous = STATE_FIELD((f).previous, "Previous state", abbrev ".previous", \
        "State of the " end " end before this segment."), \
    .entered = STATE_FIELD((f).entered, "Entered", abbrev ".entered", \
        "State that this segment made the " end " end enter; present only on a segment that changes it."), \
    .left = STATE_FIELD((f).left, "Left", abbrev ".left", \
        "State that this segment made the " end " end leave; present only on a segment that changes it."), \
    .event = NAMED_FIELD((f).event, "Event", abbrev ".event", tcp_event_names, \
        "Why this segment changed the state of the " end " end, in the notation of RFC 9293 figure 5; " \
        "present only on a segment that changes it."), \
    .dwell = TIME_FIELD((f).dwell, "Time in the state left", abbrev ".dwell", \
        "How long the state that the " end " end left had lasted, in seconds; present only on a segment that " \
        "changes it, and not of a state older than the capture."), \
    .since = FIELD((f).since, "Since frame", abbrev ".since", FT_FRAMENUM, BASE_NONE, NULL, \
        "Frame in which the " end " end entered its state; absent if that is older than the capture."), \
    .duration = TIME_FIELD((f).duration, "Duration", abbrev ".duration", \
        "How long the " end " end has been in its state at this segment, in seconds; absent without a since."), \
    .confirmed = FLAG_FIELD((f).confirmed, "Confirmed", abbrev ".confirmed", \
        "Whether segments of the " end " end itself prove its state; otherwise it is assumed that each segment " \
        "arrived."), \
}

#define ROLE_FIELDS(f, abbrev, end) { \
    .state = STATE_FIELD((f).state, "State of the " end, abbrev, "State of the " end " after this segment."), \
    .str = STRING_FIELD((f).str, "Name of the state of the " end, abbrev ".str", \
        "Name of the state of the " end " after this segment."), \
}

static union registered hf = { .by_name = {
    .local = END_FIELDS(hf.by_name.local, "tcpstate.local", "local"),
    .remote = END_FIELDS(hf.by_name.remote, "tcpstate.remote", "remote"),
    .client = ROLE_FIELDS(hf.by_name.client, "tcpstate.client", "client"),
    .server = ROLE_FIELDS(hf.by_name.server, "tcpstate.server", "server"),
    .src = ROLE_FIELDS(hf.by_name.src, "tcpstate.src", "sender of this segment"),
    .dst = ROLE_FIELDS(hf.by_name.dst, "tcpstate.dst", "receiver of this segment"),
    .local_by = NAMED_FIELD(hf.by_name.local_by, "Local end told by", "tcpstate.local.by", local_by_names,
        "How the local and the remote end were told apart."),
    .transition = FLAG_FIELD(hf.by_name.transition, "Transition", "tcpstate.transition",
        "This segment changed the state of an end; present only then."),
    .closed_by = NAMED_FIELD(hf.by_name.closed_by, "Closed by", "tcpstate.closed_by", tcp_closer_names,
        "Who ended the connection: the end whose FIN was first, else the end that reset it; present once known."),
    .midstream = FLAG_FIELD(hf.by_name.midstream, "Mid-stream", "tcpstate.midstream",
        "The capture has no handshake of this connection; present only then."),
    .reset_cause = NAMED_FIELD(hf.by_name.reset_cause, "Reset because", "tcpstate.reset_cause", reset_cause_names,
        "Why this RST was sent: the cause that fits best, by its form and what both ends had sent before; present only "
        "on a RST."),
    .reset_cause_str = STRING_FIELD(hf.by_name.reset_cause_str, "Name of the cause", "tcpstate.reset_cause.str",
        "Name of the cause for which this RST was sent, for outputs that print numbers otherwise."),
    .reset_cause_confirmed = FLAG_FIELD(hf.by_name.reset_cause_confirmed, "Cause confirmed",
        "tcpstate.reset_cause.confirmed",
        "Whether the capture proves the cause for which this RST was sent; otherwise it only fits best."),
} };

void annotation_register(int proto)
{
    static int *ett[] = { &ett_tcpstate, &ett_end[0], &ett_end[1] };

    proto_tcpstate = proto;
    protocol = proto_registrar_get_nth((unsigned)proto);
    proto_register_field_array(proto, hf.all, array_length(hf.all));
    proto_register_subtree_array(ett, array_length(ett));
    expert_items_register(proto);
}
