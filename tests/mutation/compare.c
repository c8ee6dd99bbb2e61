/* compare.c
 * Looks for a capture on which two builds of the machine show something else: random streams (tests/fuzz/stream.c), two
 * endpoints that obey RFC 9293 (tests/fuzz/two_ends.c), both over an open connection as well, and random headers.
 * Prints the shortest that it can make of the first one found, as a ladder with what the first build shows.
 *
 * usage: compare FIRST.so SECOND.so SEGMENTS SEED
 *     Each is plugin/machine as a shared library. Exits 0 if SEGMENTS segments show no difference, 1 if one was found.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "anomaly.h"
#include "call.h"
#include "fuzz.h"
#include "header.h"
#include "stream.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <string.h>

#define SEGMENTS_MAX 48 /* of one capture */
#define OCTETS_MAX 400  /* of random input for one */
#define TIME_WAIT_US INT64_C(240000000)
#define STUCK_NS INT64_C(60000000000)
#define AFTER_NS INT64_C(1100000000) /* the capture ends so long after the segment, to see how attempts failed */
#define QUOTED 0x80 /* no flag of a segment's: an ICMP error quotes it */

/* One build. */
struct build {
    bool (*segment)(struct tcpfsm *, unsigned, unsigned, const struct tcpfsm_segment *, int64_t, struct tcpfsm_outcome *);
    void (*append)(struct log *, const struct log_position *, unsigned, const struct tcpfsm *, const struct tcpfsm_outcome *);
    bool (*find)(const struct log *, uint32_t, uint8_t, struct log_view *);
    bool (*step)(const struct log_view *, uint32_t, struct log_step *);
    void (*at)(const struct log *, uint32_t, struct log_view *);
    uint32_t (*next_opening)(const struct log *, uint32_t);
    bool (*notes_stuck)(struct log *, unsigned, const struct tcpfsm_segment *, int64_t, int64_t);
    bool (*icmp_error)(struct tcpfsm *, unsigned, uint32_t, int64_t, struct tcpfsm_outcome *);
    int64_t (*race_idle_ns)(const struct log_view *);
    uint32_t (*anomalies)(const struct log_view *, unsigned, const struct tcpfsm_segment *, int64_t);
    unsigned (*left_open)(const struct log_view *, const struct final_view *);
    enum tcp_anomaly (*left_open_as)(const struct final_view *, unsigned);
    unsigned (*calls)(const struct log_view *, unsigned, const struct tcpfsm_segment *);
    void (*final)(const struct log *, uint32_t, const struct final_limits *, struct final_view *);
    void (*read_options)(const uint8_t *, uint32_t, struct tcpfsm_segment *);
};

/* A connection as one build follows it. */
struct follower {
    const struct build *build;
    struct tcpfsm m;
    struct log log;
    struct log_entry entry[SEGMENTS_MAX * 2 * TCPFSM_STEPS_MAX];
    struct log_race race[SEGMENTS_MAX];
};

/* All that is shown on a segment. Compared octet by octet. */
struct shown {
    struct tcpfsm_outcome out;
    uint8_t state[2], confirmed[2];
    uint8_t client, midstream, closed_by, opened, found, reset_cause, reset_confirmed;
    struct log_end end[2];
    uint32_t count, anomalies, calls, opening;
    int64_t race_idle_ns;
    struct final_view final; /* of a capture that ends soon after */
    unsigned left_open; /* ends */
    enum tcp_anomaly left_open_as;
    struct log_step step[2 * TCPFSM_STEPS_MAX];
};

struct capture {
    struct stream_segment at[SEGMENTS_MAX];
    unsigned count;
};

static struct capture recorded; /* by record_segment() */
static const char *const state_names[] = {
#define TCP_STATE(number, name, section, sentence) [number] = #name,
#include "tcp_states.def"
#undef TCP_STATE
};

static void load(struct build *b, const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct { const char *name; void *to; bool optional; } functions[] = {
        { "tcpfsm_segment", &b->segment, false }, { "log_append", &b->append, false }, { "log_find", &b->find, false },
        { "log_step", &b->step, false }, { "log_at", &b->at, true }, { "log_next_opening", &b->next_opening, true },
        { "log_notes_stuck", &b->notes_stuck, false }, { "anomalies_of", &b->anomalies, false },
        { "ends_left_open", &b->left_open, false }, { "anomaly_of_left_open", &b->left_open_as, false },
        { "tcpfsm_icmp_error", &b->icmp_error, false },
        { "log_race_idle_ns", &b->race_idle_ns, false }, { "calls_of", &b->calls, false }, { "final_of", &b->final, false },
        { "header_read_options", &b->read_options, false },
    };

    CHECK(library != NULL, "%s", dlerror());
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(library, functions[i].name);
        CHECK(found || functions[i].optional, "%s: no %s", path, functions[i].name);
        memcpy(functions[i].to, &found, sizeof found);
    }
}

/* ------------------------------------------------------------------ what is shown */

/* How the connection stands if the capture ends at that moment. Member by member, as below. */
static void look_at_end(struct follower *f, uint32_t index, const struct log_view *view, int64_t end_ns, struct shown *shown)
{
    const struct final_limits limits = { .end_ns = end_ns, .time_wait_ns = TIME_WAIT_US * 1000, .stuck_ns = STUCK_NS };
    struct final_view final;
    struct final_view *to = &shown->final;

    f->build->final(&f->log, index, &limits, &final);
    for (unsigned i = 0; i < 2; i++) {
        to->end[i].state = final.end[i].state;
        to->end[i].confirmed = final.end[i].confirmed;
        to->end[i].at_least = final.end[i].at_least;
        to->end[i].left_open = final.end[i].left_open;
        to->end[i].since_frame = final.end[i].since_frame;
        to->end[i].age_ns = final.end[i].age_ns;
    }
    to->client = final.client;
    to->closed_by = final.closed_by;
    to->reset_cause = final.reset_cause;
    to->reset_confirmed = final.reset_confirmed;
    to->attempt = final.attempt;
    to->superseded = final.superseded;
    to->left_open = final.left_open;
    shown->left_open = f->build->left_open(view, &final);
    if (shown->left_open)
        shown->left_open_as = f->build->left_open_as(&final, shown->left_open);
}

static void look(struct follower *f, unsigned sender, const struct tcpfsm_segment *seg, uint32_t frame, uint8_t layer,
                 struct shown *shown)
{
    struct log_view view;

    shown->found = f->build->find(&f->log, frame, layer, &view);
    if (!shown->found)
        return;
    for (unsigned i = 0; i < 2; i++) { /* member by member: padding may differ */
        const struct log_end *e = &view.end[i];
        struct log_end *to = &shown->end[i];
        to->state = e->state;
        to->previous = e->previous;
        to->confirmed = e->confirmed;
        to->event = e->event;
        to->since_frame = e->since_frame;
        to->since_ns = e->since_frame ? e->since_ns : 0;
    }
    shown->client = view.client;
    shown->midstream = view.midstream;
    shown->closed_by = view.closed_by;
    shown->opened = view.opened;
    shown->reset_cause = view.reset_cause;
    shown->reset_confirmed = view.reset_confirmed;
    shown->race_idle_ns = f->build->race_idle_ns(&view);
    shown->count = view.count;
    for (uint32_t n = 0; n < view.count && n < 2 * TCPFSM_STEPS_MAX; n++) {
        struct log_step step;
        if (!f->build->step(&view, n, &step))
            continue;
        shown->step[n].end = step.end;
        shown->step[n].event = step.event;
        shown->step[n].left = step.left;
        shown->step[n].entered = step.entered;
        shown->step[n].has_dwell = step.has_dwell;
        shown->step[n].dwell_ns = step.has_dwell ? step.dwell_ns : 0;
    }
    if (seg->flags & QUOTED)
        return; /* an ICMP error shows nothing else */
    shown->anomalies = f->build->anomalies(&view, sender, seg, STUCK_NS);
    shown->calls = f->build->calls(&view, sender, seg);
    look_at_end(f, view.first + view.count - 1, &view, f->entry[f->log.count - 1].time_ns + AFTER_NS, shown);
}

static void follow(struct follower *f, const struct stream_segment *s, bool all_rules, struct shown *shown)
{
    const struct log_position at = { .time_ns = s->seg.time_us * 1000, .frame = s->frame, .layer = s->layer };
    struct tcpfsm_outcome out;

    memset(shown, 0, sizeof *shown);
    if (all_rules)
        f->m.calm = false;
    const bool quoted = s->seg.flags & QUOTED;
    const bool news = quoted ? f->build->icmp_error(&f->m, s->sender, s->seg.seq, s->seg.time_us, &out)
                             : f->build->segment(&f->m, s->sender, s->sender, &s->seg, TIME_WAIT_US, &out);
    for (unsigned i = 0; i < 2; i++) {
        struct tcpfsm_change *to = &shown->out.end[i];
        to->previous = out.end[i].previous;
        to->count = out.end[i].count;
        for (unsigned n = 0; n < out.end[i].count && n < TCPFSM_STEPS_MAX; n++) {
            to->state[n] = out.end[i].state[n];
            to->event[n] = out.end[i].event[n];
        }
        shown->state[i] = f->m.end[i].state;
        shown->confirmed[i] = f->m.end[i].confirmed;
    }
    shown->out.opened = out.opened;
    f->log.entry = f->entry;
    f->log.race = f->race;
    f->log.race_room = SEGMENTS_MAX;
    const bool stuck = !quoted && f->m.end[s->sender].state == TCP_CLOSE_WAIT
        && f->build->notes_stuck(&f->log, s->sender, &s->seg, at.time_ns, STUCK_NS);
    if (news || stuck)
        f->build->append(&f->log, &at, s->sender, &f->m, &out);
    look(f, s->sender, &s->seg, s->frame, s->layer, shown);
}

/* Index of the first segment on which the builds differ, or the capture's count. Leaves what the first shows on each. */
static unsigned first_difference(const struct build *builds, const struct capture *c, bool all_rules, struct shown *first,
                                 struct shown *other)
{
    static struct follower f[2];

    for (unsigned i = 0; i < 2; i++) {
        memset(&f[i].m, 0, sizeof f[i].m);
        memset(&f[i].log, 0, sizeof f[i].log);
        f[i].build = &builds[i];
    }
    for (unsigned n = 0; n < c->count; n++) {
        follow(&f[0], &c->at[n], all_rules, &first[n]);
        follow(&f[1], &c->at[n], all_rules, other);
        if (memcmp(&first[n], other, sizeof *other) != 0)
            return n;
    }
    for (unsigned n = 0; n < c->count; n++) { /* all again, from the whole log */
        struct shown again[2];
        memset(again, 0, sizeof again);
        for (unsigned i = 0; i < 2; i++) {
            look(&f[i], c->at[n].sender, &c->at[n].seg, c->at[n].frame, c->at[n].layer, &again[i]);
            if (builds[i].next_opening)
                again[i].opening = builds[i].next_opening(&f[i].log, n);
            if (builds[i].at && n < f[i].log.count) {
                struct log_view view;
                builds[i].at(&f[i].log, n, &view);
                again[i].count += view.first << 8 | view.count << 16 | (uint32_t)view.end[0].previous << 4
                    | view.end[1].previous;
            }
        }
        if (memcmp(&again[0], &again[1], sizeof *again) != 0) {
            *other = again[1];
            return n;
        }
    }
    return c->count;
}

static bool differ(const struct build *builds, const struct capture *c, bool all_rules)
{
    static struct shown first[SEGMENTS_MAX], other;
    return first_difference(builds, c, all_rules, first, &other) < c->count;
}

/* ------------------------------------------------------------------ captures */

/* two_ends.c, compiled to call this instead of the machine. */
void record_segment(struct tcpfsm *m, unsigned sender, unsigned client_hint, const struct tcpfsm_segment *seg,
                    int64_t time_wait_us, struct tcpfsm_outcome *out);
void record_segment(struct tcpfsm *m, unsigned sender, unsigned client_hint, const struct tcpfsm_segment *seg,
                    int64_t time_wait_us, struct tcpfsm_outcome *out)
{
    (void)m, (void)client_hint, (void)time_wait_us;
    memset(out, 0, sizeof *out);
    if (recorded.count < SEGMENTS_MAX)
        recorded.at[recorded.count++] = (struct stream_segment){ .seg = *seg, .sender = (uint8_t)sender };
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(2685821657736338717);
}

/* What the generators leave out: hop limits, lengths in doubt, options cut off, ICMP errors that quote a segment. */
static void add_details(struct capture *c, uint64_t *random)
{
    static const uint8_t hop_limits[] = { 0, 50, 63, 64, 65, 120, 128, 129, 255 };
    const uint8_t usual[2] = { 64, hop_limits[(next_random(random) >> 40) % sizeof hop_limits] };

    for (unsigned n = 0; n < c->count; n++) {
        struct tcpfsm_segment *seg = &c->at[n].seg;
        const uint64_t r = next_random(random);
        seg->hop_limit = r >> 60 == 0 ? hop_limits[(r >> 40) % sizeof hop_limits] : usual[c->at[n].sender];
        seg->length_doubtful = (r >> 20 & 63) == 0;
        seg->options_cut = (seg->flags & TCP_SYN) && (r >> 26 & 7) == 0;
        if ((r >> 30 & 31) == 0 && n > 0 && (c->at[n - 1].seg.flags & (TCP_SYN | QUOTED)) == TCP_SYN) {
            const int64_t time_us = seg->time_us;
            *seg = c->at[n - 1].seg;
            seg->time_us = time_us;
            seg->flags |= QUOTED;
            c->at[n].sender = c->at[n - 1].sender;
        }
    }
}

/* An open connection with the generator's own numbers. */
static void open_connection(struct capture *c, struct stream *s)
{
    const struct tcpfsm_segment handshake[] = {
        { .seq = 1000, .flags = TCP_SYN, .window = UINT16_MAX, .wscale = 7, .mss = 1460 },
        { .seq = 2000, .ack = 1001, .flags = TCP_SYN | TCP_ACK, .window = UINT16_MAX, .wscale = 7, .mss = 1460 },
        { .seq = 1001, .ack = 2001, .flags = TCP_ACK, .window = UINT16_MAX, .wscale = TCPFSM_NO_WSCALE },
    };

    for (unsigned n = 0; n < 3; n++) {
        c->at[n] = (struct stream_segment){ .seg = handshake[n], .sender = n & 1 };
        c->at[n].seg.time_us = n;
        c->at[n].frame = n + 1;
    }
    c->count = 3;
    s->frame = 3;
    s->time_us = 3;
    s->end[0].nxt = s->end[1].told = 1001;
    s->end[1].nxt = s->end[0].told = 2001;
}

/* Octets of which each third one, the moment, is most often short: see stream.c. */
static void make_capture(struct capture *c, uint64_t *random)
{
    static uint8_t octets[OCTETS_MAX];
    const unsigned kind = next_random(random) >> 60;
    const size_t size = 30 + (next_random(random) >> 40) % (sizeof octets - 30);

    for (size_t i = 0; i < size; i++)
        octets[i] = (uint8_t)(next_random(random) >> 48);
    memset(c, 0, sizeof *c);
    if (kind < 6) {
        recorded.count = 0;
        LLVMFuzzerTestOneInput(octets, size);
        *c = recorded;
        for (unsigned n = 0; n < c->count; n++)
            c->at[n].frame = n + 1;
        add_details(c, random);
        return;
    }
    struct stream stream;
    if (kind < 14) { /* tame: near numbers, gaps of up to a second, except of one in 16 */
        for (size_t i = 0; i + 2 < size; i += 3) {
            if (octets[i + 1] & 1)
                octets[i + 1] &= 0x77;
            if (next_random(random) >> 60)
                octets[i + 2] %= 10;
        }
    }
    stream_begin(&stream, octets, size);
    if (kind % 2)
        open_connection(c, &stream);
    while (c->count < SEGMENTS_MAX && stream_next(&stream, &c->at[c->count]))
        c->count++;
    add_details(c, random);
}

/* ------------------------------------------------------------------ the shortest */

static bool try_instead(const struct build *builds, struct capture *c, const struct capture *instead, bool all_rules)
{
    if (!differ(builds, instead, all_rules))
        return false;
    *c = *instead;
    return true;
}

static bool drop_segments(const struct build *builds, struct capture *c, bool all_rules)
{
    bool changed = false;

    for (unsigned n = c->count; n-- > 0;) {
        struct capture less = *c;
        less.count--;
        memmove(&less.at[n], &less.at[n + 1], (less.count - n) * sizeof less.at[0]);
        changed |= try_instead(builds, c, &less, all_rules);
    }
    return changed;
}

/* Plain numbers where they do not matter. */
static bool simplify(const struct build *builds, struct capture *c, bool all_rules)
{
    bool changed = false;

    for (unsigned n = 0; n < c->count; n++) {
        for (unsigned what = 0; what < 13; what++) {
            struct capture plain = *c;
            struct tcpfsm_segment *seg = &plain.at[n].seg;
            int64_t *time = &seg->time_us;
            const int64_t gap = n ? *time - c->at[n - 1].seg.time_us : 100000;
            switch (what) {
            case 0: seg->window = UINT16_MAX; break;
            case 1: seg->wscale = TCPFSM_NO_WSCALE; break;
            case 2: seg->mss = 0; break;
            case 3: seg->has_tsval = false; seg->tsval = 0; break;
            case 4: seg->fast_open = false; break;
            case 5: seg->len = 0; break;
            case 6: seg->flags &= TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK | QUOTED; break;
            case 10: seg->hop_limit = 64; break;
            case 11: seg->length_doubtful = false; break;
            case 12: seg->options_cut = false; break;
            case 7:
            case 8:
            case 9:
                for (unsigned i = n; i < plain.count; i++)
                    plain.at[i].seg.time_us += (what == 7 ? 100000 : what == 8 ? 1100000 : 60100000) - gap;
                if (gap == 100000 || (what == 8 && gap < 1100000) || (what == 9 && gap <= 60100000))
                    continue;
                break;
            }
            if (memcmp(&plain, c, sizeof plain) != 0)
                changed |= try_instead(builds, c, &plain, all_rules);
        }
    }
    return changed;
}

/* Each end's numbers from 100 or 300 on. */
static void rebase(const struct build *builds, struct capture *c, bool all_rules)
{
    struct capture near = *c;
    uint32_t offset[2] = { 0, 0 };
    bool known[2] = { false, false };

    for (unsigned n = 0; n < c->count; n++) {
        const unsigned src = c->at[n].sender, dst = !src;
        const struct tcpfsm_segment *seg = &c->at[n].seg;
        if (!known[src])
            offset[src] = (src ? 300 : 100) - seg->seq;
        known[src] = true;
        if (!known[dst] && (seg->flags & TCP_ACK)) {
            offset[dst] = (dst ? 301 : 101) - seg->ack;
            known[dst] = true;
        }
        near.at[n].seg.seq += offset[src];
        near.at[n].seg.ack = seg->flags & TCP_ACK ? seg->ack + offset[dst] : 0;
    }
    try_instead(builds, c, &near, all_rules);
}

static void print_row(const struct stream_segment *s, const struct shown *shown)
{
    static const struct { unsigned bit; const char *name; } flags[] = {
        { TCP_SYN, "SYN" }, { TCP_FIN, "FIN" }, { TCP_RST, "RST" }, { TCP_ACK, "ACK" },
        { QUOTED, "ICMP" },
    };
    const struct tcpfsm_segment *seg = &s->seg;
    const char *arrow = s->sender ? "<--" : "-->";
    char tags[256], state[2][32];
    int n = snprintf(tags, sizeof tags, "<SEQ=%" PRIu32 ">", seg->seq);

    if (seg->flags & TCP_ACK)
        n += snprintf(tags + n, sizeof tags - (size_t)n, "<ACK=%" PRIu32 ">", seg->ack);
    n += snprintf(tags + n, sizeof tags - (size_t)n, "<CTL=");
    for (unsigned i = 0, some = 0; i < 5; i++) {
        if (seg->flags & flags[i].bit)
            n += snprintf(tags + n, sizeof tags - (size_t)n, "%s%s", some++ ? "," : "", flags[i].name);
    }
    if (!(seg->flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)))
        n += snprintf(tags + n, sizeof tags - (size_t)n, "PSH");
    n += snprintf(tags + n, sizeof tags - (size_t)n, ">");
    if (seg->len)
        n += snprintf(tags + n, sizeof tags - (size_t)n, "<DATA=%" PRIu32 ">", seg->len);
    if (seg->window != UINT16_MAX)
        n += snprintf(tags + n, sizeof tags - (size_t)n, "<WND=%u>", seg->window);
    if (seg->mss)
        n += snprintf(tags + n, sizeof tags - (size_t)n, "<MSS=%u>", seg->mss);
    if (seg->wscale != TCPFSM_NO_WSCALE)
        n += snprintf(tags + n, sizeof tags - (size_t)n, "<WS=%u>", seg->wscale);
    if (seg->has_tsval)
        n += snprintf(tags + n, sizeof tags - (size_t)n, "<TS=%" PRIu32 ">", seg->tsval);
    if (seg->fast_open)
        n += snprintf(tags + n, sizeof tags - (size_t)n, "<TFO=1>");
    if (seg->hop_limit != 64)
        n += snprintf(tags + n, sizeof tags - (size_t)n, "<HOP=%u>", seg->hop_limit);
    if (seg->length_doubtful)
        n += snprintf(tags + n, sizeof tags - (size_t)n, "<DOUBT=1>");
    if (seg->options_cut)
        n += snprintf(tags + n, sizeof tags - (size_t)n, "<CUT=1>");
    for (unsigned i = 0; i < 2; i++)
        snprintf(state[i], sizeof state[i], "%s%s", state_names[shown->state[i]], shown->confirmed[i] ? "" : "?");
    printf("%-12s %s %-45s %s %s\n", state[0], arrow, tags, arrow, state[1]);
}

static void say_difference(const struct shown *a, const struct shown *b)
{
    for (unsigned i = 0; i < 2; i++) {
        if (a->state[i] != b->state[i] || a->confirmed[i] != b->confirmed[i])
            printf("# %c is not %s%s\n", "AB"[i], state_names[b->state[i]], b->confirmed[i] ? "" : "?");
        if (memcmp(&a->out.end[i], &b->out.end[i], sizeof a->out.end[i]) != 0)
            printf("# %c: other events: %u not %u\n", "AB"[i], a->out.end[i].event[0], b->out.end[i].event[0]);
        if (a->end[i].since_frame != b->end[i].since_frame)
            printf("# %c: since frame %" PRIu32 ", not %" PRIu32 "\n", "AB"[i], a->end[i].since_frame, b->end[i].since_frame);
    }
    if (a->closed_by != b->closed_by)
        printf("# closed by %u, not %u\n", a->closed_by, b->closed_by);
    if (a->client != b->client || a->midstream != b->midstream || a->opened != b->opened)
        printf("# client %u, not %u; midstream %u, not %u; opened %u, not %u\n", a->client, b->client, a->midstream,
               b->midstream, a->opened, b->opened);
    if (a->anomalies != b->anomalies)
        printf("# anomalies %" PRIx32 ", not %" PRIx32 "\n", a->anomalies, b->anomalies);
    if (a->reset_cause != b->reset_cause || a->reset_confirmed != b->reset_confirmed)
        printf("# cause %u%s, not %u%s\n", a->reset_cause, a->reset_confirmed ? "" : "?", b->reset_cause,
               b->reset_confirmed ? "" : "?");
    if (a->race_idle_ns != b->race_idle_ns)
        printf("# race: idle for %" PRId64 " ns, not %" PRId64 "\n", a->race_idle_ns, b->race_idle_ns);
    if (a->calls != b->calls)
        printf("# calls %" PRIx32 ", not %" PRIx32 "\n", a->calls, b->calls);
    if (a->final.attempt != b->final.attempt || a->final.reset_cause != b->final.reset_cause)
        printf("# attempt %u, not %u; cause %u, not %u\n", a->final.attempt, b->final.attempt, a->final.reset_cause,
               b->final.reset_cause);
    else if (memcmp(&a->final, &b->final, sizeof a->final) != 0 || a->left_open != b->left_open
             || a->left_open_as != b->left_open_as)
        printf("# another end of the capture: left open %x as %u, not %x as %u\n", a->left_open, a->left_open_as,
               b->left_open, b->left_open_as);
}

static void print_shortest(const struct build *builds, struct capture *c, bool all_rules)
{
    static struct shown first[SEGMENTS_MAX], other;
    bool changed = true;

    for (unsigned round = 0; changed && round < 8; round++) {
        changed = drop_segments(builds, c, all_rules);
        changed |= simplify(builds, c, all_rules);
    }
    rebase(builds, c, all_rules);
    const unsigned at = first_difference(builds, c, all_rules, first, &other);
    if (all_rules)
        printf("# by all rules, in order too\n");
    for (unsigned n = 0; n < c->count && n <= at; n++) {
        const int64_t gap = n ? c->at[n].seg.time_us - c->at[n - 1].seg.time_us : 100000;
        if (gap != 100000)
            printf("+%g s\n", (double)(gap - 100000) / 1e6);
        if (n && c->at[n].frame == c->at[n - 1].frame)
            printf("# in the same frame\n");
        print_row(&c->at[n], &first[n]);
    }
    say_difference(&first[at], &other);
}

/* ------------------------------------------------------------------ headers */

static bool read_differently(const struct build *builds, uint64_t *random)
{
    enum { HEADER_MAX = 60 };
    uint8_t octets[HEADER_MAX];
    static const uint8_t likely[] = { 0, 1, 2, 3, 4, 5, 8, 10, 34, 7, 1, 3 };

    for (unsigned i = 0; i < sizeof octets; i++) {
        const uint64_t r = next_random(random);
        octets[i] = r >> 60 < 12 ? likely[(r >> 40) % sizeof likely] : (uint8_t)(r >> 50);
    }
    octets[HEADER_OFFSET] = (uint8_t)(5 + (next_random(random) >> 40) % 11) << 4;
    octets[HEADER_FLAGS] = (uint8_t)(next_random(random) >> 62 ? TCP_SYN : TCP_FIN);
    const uint32_t captured = HEADER_MIN + (uint32_t)((next_random(random) >> 40) % (HEADER_MAX - HEADER_MIN + 1));
    struct tcpfsm_segment a = { .wscale = TCPFSM_NO_WSCALE }, b = a;
    builds[0].read_options(octets, captured, &a);
    builds[1].read_options(octets, captured, &b);
    if (a.mss == b.mss && a.wscale == b.wscale && a.has_tsval == b.has_tsval
        && (!a.has_tsval || a.tsval == b.tsval) && a.fast_open == b.fast_open)
        return false;
    printf("# header, %u octets captured:", captured);
    for (unsigned i = HEADER_MIN; i < sizeof octets; i++)
        printf(" %02x", octets[i]);
    printf("\n");
    return true;
}

int main(int argc, char **argv)
{
    static struct build builds[2];
    static struct capture c;

    CHECK(argc == 5, "usage: compare FIRST.so SECOND.so SEGMENTS SEED");
    load(&builds[0], argv[1]);
    load(&builds[1], argv[2]);
    const unsigned long segments = strtoul(argv[3], NULL, 10);
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15) * (strtoul(argv[4], NULL, 10) + 1);

    for (unsigned long done = 0; done < segments; done += c.count + 1) {
        make_capture(&c, &random);
        for (unsigned all_rules = 0; all_rules < 2; all_rules++) {
            if (differ(builds, &c, all_rules)) {
                print_shortest(builds, &c, all_rules);
                return 1;
            }
        }
        if (done % 4 == 0 && read_differently(builds, &random))
            return 1;
    }
    return 0;
}
