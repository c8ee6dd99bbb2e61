/* json.c
 * tshark -z tcpstate,json[,filter]: one JSON object a line for each connection, for programs. What is in it is told by
 * connection.schema.json. The filter chooses connections, each of which is printed whole.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "json.h"
#include "views.h"

#include "anomaly.h"
#include "local_end.h"
#include "names.h"

/* ------------------------------------------------------------------ what is kept */

/* The expert information of one segment. */
struct json_remark {
    struct json_remark *next;
    uint32_t frame;
    uint32_t anomalies; /* as anomalies_of() */
};

static void remark(struct json_connection *c, wmem_allocator_t *pool, uint32_t frame, uint32_t anomalies)
{
    struct json_remark *r = wmem_new0(pool, struct json_remark);

    r->frame = frame;
    r->anomalies = anomalies;
    if (c->last)
        c->last->next = r;
    else
        c->first = r;
    c->last = r;
}

/* A TCP stream of Wireshark that began amid the connection. */
struct json_stream {
    struct json_stream *next;
    uint32_t number;
    uint32_t frame; /* with which it began */
};

/* Wireshark may begin one on a SYN of another number, 4.4 and later on a SYN,ACK too, though it opens nothing here. */
static void note_stream(struct json_connection *c, wmem_allocator_t *pool, packet_info *pinfo,
                        const struct annotated_segment *segment)
{
    struct json_stream *last = c->last_stream;
    uint32_t number;

    if (!(segment->seg.flags & TCP_SYN) || pinfo->num == c->base.first_frame
        || !stream_of(pinfo, segment, &number) || number <= (last ? last->number : c->base.stream))
        return;
    struct json_stream *s = wmem_new0(pool, struct json_stream);
    s->number = number;
    s->frame = pinfo->num;
    if (last)
        last->next = s;
    else
        c->streams = s;
    c->last_stream = s;
}

void json_note(struct json_connection *c, wmem_allocator_t *pool, packet_info *pinfo,
               const struct tcpstate_tap *tap)
{
    const struct tcpfsm_segment *seg = &tap->segment.seg;
    const unsigned src = tap->view.src;
    const uint32_t anomalies = anomalies_of(&tap->view.shown, src, seg, pair_stuck_after_ns());

    c->segments[src]++;
    c->octets[src] += seg->len;
    c->last_ns = time_ns(&pinfo->abs_ts);
    zeek_segment(&c->zeek, src, seg);
    note_stream(c, pool, pinfo, &tap->segment);
    if (anomalies)
        remark(c, pool, pinfo->num, anomalies);
}

static tap_packet_status packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_, const void *tapped,
                                tap_flags_t flags _U_)
{
    struct view *view = (struct view *)data;
    const struct tcpstate_tap *tap = (const struct tcpstate_tap *)tapped;
    struct json_connection *c = (struct json_connection *)incarnations_note(&view->connections, pinfo, tap);

    json_note(c, view->connections.pool, pinfo, tap);
    return TAP_PACKET_REDRAW;
}

/* ------------------------------------------------------------------ values */

static void put_text(json_dumper *json, const char *name, const char *text)
{
    json_dumper_set_member_name(json, name);
    if (text && *text)
        json_dumper_value_string(json, text);
    else
        json_dumper_value_anyf(json, "null");
}

/* As it stands; digits, true, false, null. */
static void put_literal(json_dumper *json, const char *name, const char *literal)
{
    json_dumper_set_member_name(json, name);
    json_dumper_value_anyf(json, "%s", literal);
}

static void put_number(json_dumper *json, const char *name, uint64_t number)
{
    char text[NUMBER_SIZE];

    number_write(text, number);
    put_literal(json, name, text);
}

static const char *flag(bool is_set)
{
    return is_set ? "true" : "false";
}

static void put_flag(json_dumper *json, const char *name, bool is_set)
{
    put_literal(json, name, flag(is_set));
}

/* Frames are counted from 1; 0 is none. Returns text, or "null". */
static const char *frame_number(char text[NUMBER_SIZE], uint32_t frame)
{
    if (!frame)
        return "null";
    number_write(text, frame);
    return text;
}

static void put_seconds(json_dumper *json, const char *name, int64_t time_ns)
{
    char text[NUMBER_SIZE];

    put_literal(json, name, number_exact_seconds(text, time_ns));
}

/* ------------------------------------------------------------------ one connection */

static void put_end(json_dumper *json, const char *name, const struct json_connection *c, const struct log_end *end,
                    const struct final_end *final, unsigned index, struct hosts *hosts)
{
    char host[HOST_NAME_SIZE], since[NUMBER_SIZE], age[NUMBER_SIZE];

    json_dumper_set_member_name(json, name);
    json_dumper_begin_object(json);
    put_text(json, "address", host_name(hosts, &c->base.address[index], host));
    json_dumper_set_member_name(json, "port"); /* and, as those of a transition, all members that follow, at once */
    json_dumper_value_anyf(json, "%u,\"state\":\"%s\",\"confirmed\":%s,\"since_frame\":%s,\"final\":\"%s\","
                           "\"final_confirmed\":%s,\"final_age\":%s,\"left_open\":%s,\"segments\":%" PRIu64
                           ",\"bytes\":%" PRIu64, c->base.port[index], tcp_state_name(end->state),
                           flag(end->confirmed), frame_number(since, end->since_frame), tcp_state_name(final->state),
                           flag(final->confirmed), number_exact_seconds(age, final->age_ns), flag(final->left_open),
                           c->segments[index], c->octets[index]);
    json_dumper_end_object(json);
}

static const char *role_of(const struct final_view *final, unsigned end)
{
    return end == final->client ? "client" : "server";
}

static void put_streams(json_dumper *json, const struct json_connection *c)
{
    json_dumper_set_member_name(json, "later_streams");
    json_dumper_begin_array(json);
    for (const struct json_stream *s = c->streams; s; s = s->next) {
        json_dumper_begin_object(json);
        put_number(json, "stream", s->number);
        put_number(json, "frame", s->frame);
        json_dumper_end_object(json);
    }
    json_dumper_end_array(json);
}

/*
 * Most of what is printed, so the members are written at once: json_dumper takes as many instructions for each name as
 * the format does for all. All that is between quotes is ours: names without anything to be escaped.
 */
static void put_transition(json_dumper *json, const struct log *log, uint32_t index, const struct final_view *final)
{
    const struct log_view view = { .log = log, .first = index, .count = 1 };
    const struct log_entry *e = &log->entry[index];
    char time[NUMBER_SIZE];
    struct log_step step;

    if (!log_step(&view, 0, &step))
        return;
    json_dumper_value_anyf(json, "{\"frame\":%u,\"time\":%s,\"end\":\"%s\",\"from\":\"%s\",\"to\":\"%s\","
                           "\"event\":\"%s\",\"confirmed\":%s}", e->frame, number_exact_seconds(time, e->time_ns),
                           role_of(final, step.end), tcp_state_name(step.left), tcp_state_name(step.entered),
                           tcp_event_name(step.event),
                           flag(step.end ? e->facts.confirmed1 : e->facts.confirmed0));
}

static void put_transitions(json_dumper *json, const struct json_connection *c, uint32_t end, uint32_t last_frame,
                            const struct final_view *final)
{
    json_dumper_set_member_name(json, "transitions");
    json_dumper_begin_array(json);
    for (uint32_t n = c->base.opening; n < end && c->base.log->entry[n].frame <= last_frame; n++)
        put_transition(json, c->base.log, n, final);
    json_dumper_end_array(json);
}

static void put_item(json_dumper *json, uint32_t frame, unsigned anomaly)
{
    json_dumper_begin_object(json);
    put_number(json, "frame", frame);
    put_text(json, "item", tcp_anomaly_word(anomaly));
    put_text(json, "severity", tcp_anomaly_severity(anomaly));
    json_dumper_end_object(json);
}

/* One for each frame in which ends entered the state that they never left, as expert information has it. */
static void put_left_open(json_dumper *json, const struct json_choice *choice, const struct final_view *final)
{
    uint32_t before = 0;

    for (unsigned i = 0; i < 2; i++) {
        const struct final_end *end = &final->end[i], *other = &final->end[!i];
        const uint32_t frame = end->left_open ? end->since_frame : 0;
        if (!frame || frame == before || frame > choice->last_frame)
            continue;
        const bool both = other->left_open && other->since_frame == frame;
        put_item(json, frame, anomaly_of_left_open(final, both ? 3 : 1U << i));
        before = frame;
    }
}

static void put_expert(json_dumper *json, const struct json_connection *c, const struct json_choice *choice,
                       const struct final_view *final)
{
    uint32_t items = 0;

    json_dumper_set_member_name(json, "expert");
    json_dumper_begin_array(json);
    for (const struct json_remark *r = c->first; r && r->frame <= choice->last_frame; r = r->next) {
        for (unsigned n = 0; n < 32; n++) {
            if (r->anomalies >> n & 1 && items++ < choice->expert_max)
                put_item(json, r->frame, n);
        }
    }
    put_left_open(json, choice, final);
    json_dumper_end_array(json);
}

void json_put(json_dumper *json, const struct json_connection *c, const struct json_choice *choice)
{
    const struct incarnation *i = &c->base;
    const uint32_t end = log_next_opening(i->log, i->opening + 1);
    const struct final_limits limits = pair_final_limits();
    char history[ZEEK_HISTORY_SIZE];
    struct final_view final;
    struct log_view last;

    log_at(i->log, end - 1, &last);
    final_of(i->log, i->opening, &limits, &final);
    json_dumper_begin_object(json);
    put_number(json, "connection", i->number);
    if (i->has_stream)
        put_number(json, "stream", i->stream);
    else
        put_literal(json, "stream", "null");
    put_streams(json, c);
    put_end(json, "client", c, &last.end[final.client], &final.end[final.client], final.client,
            choice->hosts);
    put_end(json, "server", c, &last.end[!final.client], &final.end[!final.client], !final.client,
            choice->hosts);
    put_text(json, "local", role_of(&final, last.local));
    put_text(json, "local_by", val_to_str_const(last.local_by, local_by_names, ""));
    put_flag(json, "midstream", last.midstream);
    put_number(json, "first_frame", i->first_frame);
    put_number(json, "last_frame", i->last_frame);
    put_seconds(json, "first_time", i->start_ns);
    put_seconds(json, "last_time", c->last_ns);
    put_text(json, "closed_by", tcp_closer_name(final.closed_by));
    put_text(json, "reset_cause", reset_cause_name(final.reset_cause));
    put_flag(json, "reset_cause_confirmed", final.reset_confirmed);
    put_text(json, "attempt", attempt_name(final.attempt));
    put_flag(json, "left_open", final.left_open);
    put_text(json, "conn_state", zeek_conn_state(&c->zeek, final.client));
    zeek_history(&c->zeek, final.client, history);
    put_text(json, "history", history);
    if (choice->last_frame) {
        put_transitions(json, c, end, choice->last_frame, &final);
        put_expert(json, c, choice, &final);
    }
    json_dumper_end_object(json);
}

static void print_connection(const struct json_connection *c)
{
    static const struct json_choice all = { .last_frame = UINT32_MAX, .expert_max = UINT32_MAX };
    json_dumper json = { .output_file = stdout };

    json_put(&json, c, &all);
    json_dumper_finish(&json);
}

static void draw(void *data)
{
    const struct view *view = (const struct view *)data;

    for (const struct incarnation *i = view->connections.first; i; i = i->next) {
        if (view_shows(view, i))
            print_connection((const struct json_connection *)i);
    }
}

void json_register(void)
{
    static struct view_kind kind = {
        .cli = "tcpstate,json", .title = "TCP State connections as JSON", .record = sizeof(struct json_connection),
        .packet = packet, .draw = draw, .whole = true,
    };

    view_register(&kind);
}
