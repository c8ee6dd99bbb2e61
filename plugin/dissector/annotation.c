/* annotation.c
 * What is shown on a segment: the subtree and its fields, expert items, the Info column.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "annotation.h"

#include "anomaly.h"
#include "call.h"
#include "expert_items.h"
#include "fields.h"
#include "names.h"
#include "numbers.h"

#include <wsutil/str_util.h> /* wmem_strconcat */

#include <stdarg.h>

static int proto_tcpstate;
static const header_field_info *protocol; /* as Wireshark keeps it */
static int ett_tcpstate = -1;
static int ett_end[2] = { -1, -1 };

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
        return "Proved by its own segments";
    switch ((enum tcp_event)end->event) {
    case TCP_EV_NONE:
        return shown->midstream ? "Assumed: the capture began later" : "Assumed: it has sent nothing yet";
    case TCP_EV_RCV_SYN:
    case TCP_EV_RCV_SYN_ACK:
    case TCP_EV_RCV_ACK_OF_SYN:
    case TCP_EV_RCV_FIN:
    case TCP_EV_RCV_ACK_OF_FIN:
    case TCP_EV_RCV_FIN_ACK:
    case TCP_EV_RCV_RST:
        number_write(frame, end->since_frame);
        return wmem_strconcat(pool, "Assumed: nothing shows that frame ", frame, " arrived", NULL);
    case TCP_EV_TIMEOUT_2MSL:
        return "Assumed: its timer is taken to be the preference time_wait";
    default:
        return "Assumed: what it sent fits other states as well";
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
    const struct final_view *final; /* NULL: the capture has not been read, or nothing refers to its end */
    const struct words *words; /* NULL: nothing refers to the tree's texts, but to values of fields */
    bool named;                /* fields that repeat others are made, whether something refers to them or not */
};

/* Returns 0 or 1: asked for the fields of every segment, in line and without a branch for each. */
static inline unsigned is_referenced(const hf_register_info *field)
{
    return field->hfinfo.ref_type != HF_REF_TYPE_NONE;
}

/* Where an item goes, and which fields are made there. */
struct place {
    const struct annotated *a;
    proto_tree *tree;
    bool always; /* all fields in a visible tree; else those that something refers to */
    bool hidden; /* for filters, columns and outputs only */
};

static inline bool is_wanted(const struct place *at, const hf_register_info *field)
{
    return (at->always ? at->a->words != NULL : at->a->named) || is_referenced(field);
}

static proto_item *finish(const struct place *at, proto_item *item)
{
    proto_item_set_generated(item);
    if (at->hidden)
        proto_item_set_hidden(item);
    return item;
}

/* Adds a number or a flag. Each of these returns NULL if the field is not wanted. */
static proto_item *add_number(const struct place *at, const hf_register_info *field, uint32_t value)
{
    if (!is_wanted(at, field))
        return NULL;
    return finish(at, field->hfinfo.type == FT_BOOLEAN
        ? proto_tree_add_boolean(at->tree, field->hfinfo.id, at->a->tvb, 0, 0, value)
        : proto_tree_add_uint(at->tree, field->hfinfo.id, at->a->tvb, 0, 0, value));
}

static proto_item *add_text(const struct place *at, const hf_register_info *field, const char *text)
{
    if (!is_wanted(at, field))
        return NULL;
    return finish(at, proto_tree_add_string(at->tree, field->hfinfo.id, at->a->tvb, 0, 0, text));
}

static proto_item *add_time(const struct place *at, const hf_register_info *field, int64_t time_ns)
{
    const nstime_t time = { .secs = (time_t)(time_ns / 1000000000), .nsecs = (int)(time_ns % 1000000000) };

    if (!is_wanted(at, field))
        return NULL;
    return finish(at, proto_tree_add_time(at->tree, field->hfinfo.id, at->a->tvb, 0, 0, &time));
}

/* The place beside for fields that repeat others. */
static struct place named_at(const struct place *at)
{
    return (struct place){ .a = at->a, .tree = at->tree, .always = false, .hidden = true };
}

/* An item that is not in the tree, or hidden, has no line. */
static bool has_line(const struct place *at, const proto_item *item)
{
    return item && at->a->words && !at->hidden;
}

/*
 * Lines that say more than their value: of the parts, the last of which is NULL. Put together where Wireshark keeps an
 * item's line: a format would take as many instructions again as to add the item, once for each line of the tree.
 */
static G_GNUC_NULL_TERMINATED void set_line(const struct place *at, proto_item *item, ...)
{
    if (!has_line(at, item))
        return;

    item_label_t *line = wmem_new0(at->a->pinfo->pool, item_label_t);
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

/* "Event: CLOSE / snd FIN (6). It sent its first FIN: its application has closed." */
static void add_event(const struct place *at, const struct end_fields *f, uint8_t event)
{
    static const char evidence[] = "evidence: ";
    const struct place named = named_at(at);
    proto_item *item = add_number(at, &f->event, event);

    add_text(&named, &f->event_str, tcp_event_name(event));
    if (!has_line(at, item))
        return;
    const char *text = tcp_event_text(event);
    const bool corrects = g_str_has_prefix(text, evidence);
    char number[NUMBER_SIZE];
    number_write(number, event);
    set_line(at, item, corrects ? "Corrected: " : "Event: ", corrects ? text + sizeof evidence - 1 : text, " (", number,
             "). ", tcp_event_sentence(event), NULL);
}

/* "ESTABLISHED → FIN_WAIT_1 after 0.17 s", and why. */
static void add_step(const struct place *at, const struct end_fields *f, const struct log_step *step)
{
    const struct place named = named_at(at);
    char lasted[NUMBER_SIZE] = "";

    add_event(at, f, step->event);
    add_number(&named, &f->left, step->left);
    if (step->has_dwell)
        add_time(&named, &f->dwell, step->dwell_ns);
    proto_item *item = add_number(at, &f->entered, step->entered);
    if (!has_line(at, item))
        return;
    if (step->has_dwell)
        number_duration(lasted, step->dwell_ns);
    set_line(at, item, tcp_state_name(step->left), ARROW, tcp_state_name(step->entered),
             step->has_dwell ? " after " : "", lasted, NULL);
}

static unsigned are_steps_wanted(const struct place *at, const struct end_fields *f)
{
    return is_wanted(at, &f->event) | is_referenced(&f->left) | is_referenced(&f->dwell) | is_referenced(&f->entered)
        | is_referenced(&f->event_str);
}

/* The transitions of one end on this segment, in order. */
static void add_steps(const struct place *at, const struct end_fields *f, unsigned end)
{
    const struct log_view *shown = &at->a->view->shown;
    struct log_step step;

    for (uint32_t n = 0; n < shown->count; n++) {
        if (log_step(shown, n, &step) && step.end == end)
            add_step(at, f, &step);
    }
}

static void add_calls(const struct place *at, const struct end_fields *f)
{
    const struct pair_view *view = at->a->view;
    const unsigned calls = calls_of(&view->shown, view->src, &at->a->segment->seg);
    const struct place named = named_at(at);

    for (uint8_t call = 1; calls >> call; call++) {
        if (!(calls >> call & 1))
            continue;
        set_line(at, add_number(at, &f->call, call), "User call: ", tcp_call_name(call), NULL);
        add_text(&named, &f->call_str, tcp_call_name(call));
    }
}

/* What is told of an end besides its state. */
static void add_details(const struct place *at, const struct end_fields *f, unsigned index)
{
    const struct annotated *a = at->a;
    const struct log_end *end = &a->view->shown.end[index];
    const struct place named = named_at(at);

    add_number(&named, &f->previous, end->previous);
    if (a->view->shown.count > 0 && are_steps_wanted(at, f))
        add_steps(at, f, index);
    if (index == a->view->src && (is_wanted(at, &f->call) || is_wanted(&named, &f->call_str)))
        add_calls(at, f);
    set_line(at, add_number(at, &f->confirmed, end->confirmed),
             a->words ? proof_text(a->pinfo->pool, end, &a->view->shown) : "", NULL);
    if (end->since_frame) {
        add_number(at, &f->since, end->since_frame);
        add_time(at, &f->duration, log_elapsed_ns(end->since_ns, time_ns(&a->pinfo->abs_ts)));
    }
    add_text(&named, &f->mark, tcp_state_text(end->state, end->confirmed));
}

/* Of so many fields of an end, one after another: with a constant number, without a branch for each. */
static inline unsigned is_any_referenced(const hf_register_info *from, unsigned count)
{
    unsigned referenced = 0;

    for (unsigned n = 0; n < count; n++)
        referenced |= is_referenced(&from[n]);
    return referenced;
}

static inline bool is_state_referenced(const struct end_fields *f)
{
    return is_any_referenced(&f->state, offsetof(struct end_fields, entered) / sizeof f->state);
}

static inline bool is_detail_referenced(const struct end_fields *f)
{
    enum {
        STATES = offsetof(struct end_fields, entered) / sizeof f->state,
        SHOWN = offsetof(struct end_fields, previous) / sizeof f->state,
        ALL = sizeof *f / sizeof f->state,
    };

    return is_any_referenced(&f->entered, SHOWN - STATES)
        || (named_fields_are_registered && is_any_referenced(&f->previous, ALL - SHOWN));
}

/* "Local end: 10.9.0.1:40000, the client, FIN_WAIT_1 → FIN_WAIT_2, assumed", and its fields below. */
static void add_shown_end(proto_tree *tree, const struct annotated *a, enum field_end end, const char *name,
                          unsigned index)
{
    const struct end_fields *f = &hf.end[end];
    const struct log_view *shown = &a->view->shown;
    struct place at = { .a = a, .tree = tree, .always = true };

    if (a->words || is_state_referenced(f)) {
        proto_item *item = add_number(&at, &f->state, shown->end[index].state);
        if (a->words) {
            set_line(&at, item, name, " end: ", a->words->endpoint[index],
                     index == shown->client ? ", the client, " : ", the server, ", a->words->change[index],
                     shown->end[index].confirmed ? ", confirmed" : ", assumed", NULL);
            at.tree = proto_item_add_subtree(item, ett_end[end]);
        }
        struct place hidden = at;
        hidden.hidden = true; /* its name is in the line above */
        add_text(&hidden, &f->str, tcp_state_name(shown->end[index].state));
    }
    if (a->words || is_detail_referenced(f))
        add_details(&at, f, index);
}

/* The same of an end by role or by direction, of which nothing is shown. */
static void add_hidden_end(proto_tree *tree, const struct annotated *a, enum field_end end, unsigned index)
{
    const struct end_fields *f = &hf.end[end];
    const uint8_t state = a->view->shown.end[index].state;
    const bool by_role = end <= SERVER_END;
    const struct place states = { .a = a, .tree = tree, .always = by_role, .hidden = true };
    const struct place named = named_at(&states);

    if ((by_role && a->words) || a->named || is_state_referenced(f)) {
        add_number(&states, &f->state, state);
        add_text(&named, &f->str, tcp_state_name(state));
    }
    if (named_fields_are_registered && (a->named || is_detail_referenced(f)))
        add_details(&named, f, index);
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

/* "Left open: 10.9.0.2:5000 in CLOSE_WAIT for 586 s" */
static void add_left_open(const struct place *at)
{
    const struct annotated *a = at->a;
    proto_item *item = add_number(at, &hf.left_open, true);
    const char *line = "";

    if (!item || !a->words)
        return;
    for (unsigned i = 0; i < 2; i++) {
        const struct final_end *end = &a->final->end[i];
        char age[NUMBER_SIZE];
        if (end->left_open)
            line = wmem_strconcat(a->pinfo->pool, line, *line ? ", " : "", a->words->endpoint[i], " in ",
                                  tcp_state_text(end->state, end->confirmed), " for ",
                                  number_duration(age, end->age_ns), NULL);
    }
    set_line(at, item, "Left open: ", line, NULL);
}

/* How the connection stands at the end of the capture. */
static void add_final(const struct place *at)
{
    const struct final_view *final = at->a->final;
    const struct place named = named_at(at);

    if (final->left_open)
        add_left_open(at);
    if (final->attempt) {
        set_line(at, add_number(at, &hf.attempt, final->attempt), "Attempt failed: ", attempt_name(final->attempt),
                 ". ", attempt_sentence(final->attempt), NULL);
        add_text(&named, &hf.attempt_str, attempt_name(final->attempt));
    }
    if (!named_fields_are_registered)
        return;
    for (unsigned role = 0; role < 2; role++) {
        const struct role_fields *f = role ? &hf.server_final : &hf.client_final;
        const uint8_t state = final->end[role ? !final->client : final->client].state;
        add_number(&named, &f->state, state);
        add_text(&named, &f->str, tcp_state_name(state));
    }
}

/* "Reset because: data after close, confirmed. It had closed for good, and data came that nobody will read." */
static void add_reset_cause(const struct place *at)
{
    const struct log_view *shown = &at->a->view->shown;
    const struct place named = named_at(at);
    const char *name = reset_cause_name(shown->reset_cause);

    set_line(at, add_number(at, &hf.reset_cause, shown->reset_cause), "Reset because: ", name,
             shown->reset_confirmed ? ", confirmed. " : ", assumed. ", reset_cause_sentence(shown->reset_cause), NULL);
    add_text(&named, &hf.reset_cause_str, name);
    add_number(at, &hf.reset_cause_confirmed, shown->reset_confirmed);
}

static void add_fields(proto_tree *tree, const struct annotated *a)
{
    const struct log_view *shown = &a->view->shown;
    const unsigned src = a->view->src, local = a->view->local;
    const struct place at = { .a = a, .tree = tree, .always = true }, named = named_at(&at);

    add_shown_end(tree, a, LOCAL_END, "Local", local);
    add_shown_end(tree, a, REMOTE_END, "Remote", !local);
    add_hidden_end(tree, a, CLIENT_END, shown->client);
    add_hidden_end(tree, a, SERVER_END, !shown->client);
    if (named_fields_are_registered) {
        add_hidden_end(tree, a, SRC_END, src);
        add_hidden_end(tree, a, DST_END, !src);
    }
    add_number(&at, &hf.local_by, shown->local_by);
    if (is_wanted(&at, &hf.transition) && has_transition(shown))
        add_number(&at, &hf.transition, true);
    if (shown->closed_by != TCP_CLOSER_NONE) {
        add_number(&at, &hf.closed_by, shown->closed_by);
        add_text(&named, &hf.closed_by_str, tcp_closer_name(shown->closed_by));
    }
    if (shown->midstream)
        set_line(&at, add_number(&at, &hf.midstream, true), "Handshake not captured", NULL);
    if (a->segment->seg.flags & TCP_RST)
        add_reset_cause(&at);
    if (a->final)
        add_final(&at);
}

/* Whether fields refer to the end of the capture. */
static bool is_final_referenced(const struct annotated *a)
{
    return a->words || is_referenced(&hf.left_open) || is_referenced(&hf.attempt)
        || (named_fields_are_registered
            && (is_referenced(&hf.attempt_str) | is_referenced(&hf.client_final.state)
                | is_referenced(&hf.client_final.str) | is_referenced(&hf.server_final.state)
                | is_referenced(&hf.server_final.str)));
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
    const bool was_read = pinfo->fd->visited; /* the first pass does not know how the connection will stand */
    const uint32_t anomalies = find_anomalies(view, &segment->seg);
    unsigned left_open = 0;
    struct final_view final;
    struct words words;
    struct annotated a = {
        .tvb = tvb, .pinfo = pinfo, .view = view, .segment = segment,
    };

    if (tree && ws_tree_is_visible(tree)) {
        find_words(&words, &a);
        a.words = &words;
        a.named = !WS_OUTPUT_REFERENCES_FIELDS && named_fields_are_registered;
    }
    if (was_read && (view->shown.count > 0 || is_final_referenced(&a))) {
        pair_final(view, &final);
        a.final = &final;
        left_open = ends_left_open(&view->shown, &final);
    }
    const bool has_items = anomalies || left_open;
    proto_item *item = tree ? add_to_tree(tree, &a, has_items) : NULL;
    if (has_items)
        expert_items_add(pinfo, item, anomalies, &view->shown, view->src, a.final, left_open);
}

/* ------------------------------------------------------------------ registration */

void annotation_register(int proto)
{
    static int *ett[] = { &ett_tcpstate, &ett_end[0], &ett_end[1] };

    proto_tcpstate = proto;
    protocol = proto_registrar_get_nth((unsigned)proto);
    fields_register(proto);
    proto_register_subtree_array(ett, array_length(ett));
    expert_items_register(proto);
}
