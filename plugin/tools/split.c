/* split.c
 * tcpstate-split: a capture too large for one machine is split by connection, in one pass over the file.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "parts.h"

#include "flow.h"

#include <errno.h>

#include <wsutil/wslog.h>

static const char program[] = "tcpstate-split";

enum { EXIT_NOTHING = 1, EXIT_DAMAGED = 2 };

static const char usage[] =
    "usage: tcpstate-split PARTS CAPTURE FOLDER\n"
    "\n"
    "Splits a capture by connection into PARTS files, 1 to 1024, which it writes into a new FOLDER: part-0000.pcapng\n"
    "and so on. Beside each stands part-0000.frames, by which tcpstate-merge finds the frame numbers of the whole.\n"
    "CAPTURE is any file that Wireshark reads, also compressed, or - for standard input.\n"
    "\n"
    "Exit status: 0: done. 1: no parts were made. 2: the capture is damaged, the parts hold what could be read.\n";

/* ------------------------------------------------------------------ fragments */

/*
 * To which part the first fragment of a datagram went, until its last one has come. A datagram that another one took
 * the place of is forgotten.
 */
struct seen {
    struct flow_datagram datagram;
    unsigned part;
    bool is_tcp, is_used;
};

enum { SEEN = 1 << 16 }; /* a power of two */
static struct seen seen[SEEN];

static struct seen *seen_of(const struct flow_datagram *datagram)
{
    const uint8_t *octets = (const uint8_t *)datagram;
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < sizeof *datagram; i++)
        hash = (hash ^ octets[i]) * 16777619u;
    return &seen[(hash ^ hash >> 16) & (SEEN - 1)];
}

/* ------------------------------------------------------------------ splitting */

struct split {
    wtap *capture;
    struct parts *parts;
    unsigned number;          /* of parts */
    uint64_t frames;          /* read so far */
    unsigned interfaces;      /* made known so far */
    unsigned section, section_first; /* of the file, and the number of its first interface */
    unsigned interface;       /* of the frame */
    bool begun;               /* a segment has been read */
    nstime_t latest;          /* when the latest segment was captured */
    uint64_t unknown_links;   /* frames of link types that are not looked into */
    const char *unknown_link; /* the name of one of those */
    uint64_t alone;           /* fragments whose first one was not seen before */
};

static enum flow_link link_of(int encap)
{
    switch (encap) {
    case WTAP_ENCAP_ETHERNET:
        return FLOW_LINK_ETHERNET;
    case WTAP_ENCAP_RAW_IP:
    case WTAP_ENCAP_RAW_IP4:
    case WTAP_ENCAP_RAW_IP6:
        return FLOW_LINK_IP;
    case WTAP_ENCAP_NULL:
    case WTAP_ENCAP_LOOP:
        return FLOW_LINK_LOOP;
    case WTAP_ENCAP_SLL:
        return FLOW_LINK_SLL;
    case WTAP_ENCAP_SLL2:
        return FLOW_LINK_SLL2;
    default:
        return FLOW_LINK_OTHER;
    }
}

static bool add_to(struct split *s, unsigned part, struct ws_record *record)
{
    return parts_add(s->parts, part, record, s->interface, s->frames);
}

static bool add_to_all(struct split *s, struct ws_record *record)
{
    for (unsigned part = 0; part < s->number; part++) {
        if (!add_to(s, part, record))
            return false;
    }
    return true;
}

/* The first marker stands before the first segment, in all parts. */
static bool note_segment(struct split *s, const struct ws_record *record)
{
    s->latest = record->rec.ts;
    if (s->begun)
        return true;
    s->begun = true;
    return parts_mark(s->parts, &s->latest);
}

/*
 * A fragment goes where the first one of its datagram went; if that was not seen, everywhere: where the first one goes,
 * Wireshark puts them together.
 */
static bool add_fragment(struct split *s, struct ws_record *record, const struct flow *flow)
{
    struct seen *first = seen_of(&flow->datagram);

    if (!first->is_used || memcmp(&first->datagram, &flow->datagram, sizeof flow->datagram) != 0) {
        s->alone++;
        return add_to_all(s, record);
    }
    if (flow->fragment == FLOW_FRAGMENT_LAST) {
        first->is_used = false;
        if (first->is_tcp && !note_segment(s, record))
            return false;
    }
    return add_to(s, first->part, record);
}

static bool add_packet(struct split *s, struct ws_record *record)
{
    const wtap_packet_header *header = &record->rec.rec_header.packet_header;
    const enum flow_link link = link_of(header->pkt_encap);
    struct flow flow;

    if (link == FLOW_LINK_OTHER) {
        s->unknown_link = wtap_encap_description(header->pkt_encap);
        s->unknown_links++;
    }
    flow_of(link, ws_buffer_start_ptr(ws_record_buffer(record)), header->caplen, &flow);
    if (flow.fragment == FLOW_FRAGMENT_LATER || flow.fragment == FLOW_FRAGMENT_LAST)
        return add_fragment(s, record, &flow);

    const unsigned part = (unsigned)(flow.hash % s->number);
    if (flow.fragment == FLOW_FRAGMENT_FIRST)
        *seen_of(&flow.datagram) = (struct seen){ flow.datagram, part, flow.is_tcp, true };
    else if (flow.is_tcp && !note_segment(s, record))
        return false;
    return add_to(s, part, record);
}

/* Interfaces become known as the file is read; each section of a pcapng file counts its own from 0. */
static bool follow_interfaces(struct split *s, const wtap_rec *rec)
{
    wtap_block_t interface;

    if ((rec->presence_flags & WTAP_HAS_SECTION_NUMBER) && rec->section_number != s->section) {
        s->section = rec->section_number;
        s->section_first = s->interfaces;
    }
    while ((interface = wtap_get_next_interface_description(s->capture))) {
        if (!parts_add_interface(s->parts, interface))
            return false;
        s->interfaces++;
    }
    return true;
}

/* Records that are no packets count as frames for Wireshark, and concern no connection: they are left out. */
static bool add_record(struct split *s, struct ws_record *record)
{
    s->frames++;
    if (!follow_interfaces(s, &record->rec))
        return false;
    if (record->rec.rec_type != REC_TYPE_PACKET)
        return true;
    s->interface = s->section_first;
    if (record->rec.presence_flags & WTAP_HAS_INTERFACE_ID)
        s->interface += record->rec.rec_header.packet_header.interface_id;
    return add_packet(s, record);
}

/* Returns an exit status; EXIT_NOTHING after a message. */
static int split_all(struct split *s, const char *path)
{
    struct ws_record record;
    char *err_info = NULL;
    int err = 0;
    bool written = true;

    ws_record_init(&record);
    while (written && ws_record_read(s->capture, &record, &err, &err_info)) {
        written = add_record(s, &record);
        wtap_rec_reset(&record.rec);
    }
    ws_record_cleanup(&record);
    if (written && s->begun)
        written = parts_mark(s->parts, &s->latest);
    if (!written)
        return EXIT_NOTHING;
    if (err == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "%s: %s: after frame %" PRIu64 ": %s%s%s\n", program, path, s->frames, wtap_strerror(err),
            err_info ? ": " : "", err_info ? err_info : "");
    g_free(err_info);
    return s->frames > 0 ? EXIT_DAMAGED : EXIT_NOTHING;
}

static void tell(const struct split *s, const char *path)
{
    if (s->unknown_links)
        fprintf(stderr, "%s: %s: the %" PRIu64 " frames of link type \"%s\" are all in part 0: it is not looked into\n",
                program, path, s->unknown_links, s->unknown_link);
    if (s->alone)
        fprintf(stderr, "%s: %s: %" PRIu64 " fragments that did not come behind their first one are in all parts\n",
                program, path, s->alone);
    printf("%" PRIu64 " frames in %u parts\n", s->frames, s->number);
}

static int split(const char *path, unsigned number, const char *folder)
{
    struct split s = { .number = number };
    char *err_info = NULL;
    int err;

    s.capture = wtap_open_offline(path, WTAP_TYPE_AUTO, &err, &err_info, false);
    if (!s.capture) {
        fprintf(stderr, "%s: %s: %s%s%s\n", program, path, wtap_strerror(err), err_info ? ": " : "",
                err_info ? err_info : "");
        g_free(err_info);
        return EXIT_NOTHING;
    }
    int status = EXIT_NOTHING;
    s.parts = parts_new(folder, number, program);
    if (s.parts) {
        status = split_all(&s, path);
        if (!parts_finish(s.parts, status != EXIT_NOTHING))
            status = EXIT_NOTHING;
        if (status != EXIT_NOTHING)
            tell(&s, path);
    }
    wtap_close(s.capture);
    return status;
}

/* Returns 0 where the text is no number of parts. */
static unsigned parts_told(const char *text)
{
    char *end;

    errno = 0;
    const unsigned long number = g_ascii_isdigit(*text) ? strtoul(text, &end, 10) : 0;
    return number >= 1 && number <= PARTS_MAX && *end == '\0' && errno == 0 ? (unsigned)number : 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("%s " TCPSTATE_VERSION "\n", program);
        return EXIT_SUCCESS;
    }
    if (argc != 4) {
        fputs(usage, stderr);
        return EXIT_NOTHING;
    }
    const unsigned parts = parts_told(argv[1]);
    if (parts == 0) {
        fprintf(stderr, "%s: %s: not a number of parts, 1 to %d\n", program, argv[1], PARTS_MAX);
        return EXIT_NOTHING;
    }
    ws_log_set_level(LOG_LEVEL_WARNING); /* else libwiretap tells of each packet */
    wtap_init(false);
    const int status = split(argv[2], parts, argv[3]);
    wtap_cleanup();
    return status;
}
