/* parts.c
 * The parts that a capture is split into.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "parts.h"

#include <errno.h>
#include <sys/resource.h>

#include <glib/gstdio.h>

struct part {
    char *path, *numbers_path;
    wtap_dumper *capture;
    FILE *numbers; /* for each frame of the part its number in the whole, 0 for markers: 8 octets, least first */
};

struct parts {
    const char *name;            /* of this program */
    char *folder, *unfinished;   /* where the parts are to be, and where they are until then */
    struct ws_record marker;
    unsigned number;
    struct part part[];
};

static bool complain(const struct parts *parts, const char *path, int err, char *err_info)
{
    fprintf(stderr, "%s: %s: %s%s%s\n", parts->name, path, wtap_strerror(err), err_info ? ": " : "",
            err_info ? err_info : "");
    g_free(err_info);
    return false;
}

/* ------------------------------------------------------------------ markers */

static wtap_block_t marker_interface(void)
{
    wtap_block_t interface = wtap_block_create(WTAP_BLOCK_IF_ID_AND_INFO);
    wtapng_if_descr_mandatory_t *told = (wtapng_if_descr_mandatory_t *)wtap_block_get_mandatory_data(interface);

    told->wtap_encap = WTAP_ENCAP_RAW_IP;
    told->tsprecision = WTAP_TSPREC_NSEC;
    told->time_units_per_second = 1000000000;
    wtap_block_add_uint8_option(interface, OPT_IDB_TSRESOL, WTAP_TSPREC_NSEC);
    wtap_block_add_string_option_format(interface, OPT_IDB_NAME, "tcpstate-split");
    return interface;
}

static void make_marker(struct ws_record *record)
{
    enum { SEGMENT = 40 }; /* octets, of which the IP header is there */
    uint8_t ip[] = { 0x45, 0, 0, SEGMENT, 0, 0, 0x40, 0, 64, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    wtap_packet_header *header = &record->rec.rec_header.packet_header;

    ws_record_init(record);
    ws_buffer_append(ws_record_buffer(record), ip, sizeof ip);
    record->rec.rec_type = REC_TYPE_PACKET;
    record->rec.presence_flags = WTAP_HAS_TS | WTAP_HAS_CAP_LEN | WTAP_HAS_INTERFACE_ID;
    record->rec.tsprec = WTAP_TSPREC_NSEC;
    header->interface_id = 0;
    header->pkt_encap = WTAP_ENCAP_RAW_IP;
    header->caplen = sizeof ip;
    header->len = SEGMENT;
}

/* ------------------------------------------------------------------ writing */

static bool add(struct parts *parts, struct part *part, struct ws_record *record, uint64_t whole_number)
{
    const uint64_t octets = GUINT64_TO_LE(whole_number);
    char *err_info = NULL;
    int err;

    if (!ws_record_write(part->capture, record, &err, &err_info))
        return complain(parts, part->path, err, err_info);
    if (fwrite(&octets, sizeof octets, 1, part->numbers) != 1)
        return complain(parts, part->numbers_path, errno, NULL);
    return true;
}

bool parts_add(struct parts *parts, unsigned part, struct ws_record *record, unsigned interface, uint64_t whole_number)
{
    wtap_rec *rec = &record->rec;

    rec->presence_flags = (rec->presence_flags | WTAP_HAS_INTERFACE_ID) & ~(uint32_t)WTAP_HAS_SECTION_NUMBER;
    rec->rec_header.packet_header.interface_id = interface + 1; /* behind the markers' */
    return add(parts, &parts->part[part], record, whole_number);
}

bool parts_mark(struct parts *parts, const nstime_t *time)
{
    parts->marker.rec.ts = *time;
    for (unsigned i = 0; i < parts->number; i++) {
        if (!add(parts, &parts->part[i], &parts->marker, 0))
            return false;
    }
    return true;
}

bool parts_add_interface(struct parts *parts, wtap_block_t interface)
{
    for (unsigned i = 0; i < parts->number; i++) {
        char *err_info = NULL;
        int err;
        if (!wtap_dump_add_idb(parts->part[i].capture, interface, &err, &err_info))
            return complain(parts, parts->part[i].path, err, err_info);
    }
    return true;
}

/* ------------------------------------------------------------------ files */

/* Two files of each part are open at once, beside the capture and the standard ones. */
static void allow_files(unsigned parts)
{
    const rlim_t needed = 2 * parts + 32;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < needed) {
        limit.rlim_cur = limit.rlim_max != RLIM_INFINITY ? MIN(needed, limit.rlim_max) : needed;
        setrlimit(RLIMIT_NOFILE, &limit); /* where that is not allowed, opening a file tells */
    }
}

static bool open_part(struct parts *parts, struct part *part, const wtap_dump_params *params)
{
    char *err_info = NULL;
    int err;

    part->capture = wtap_dump_open(part->path, wtap_pcapng_file_type_subtype(), WTAP_UNCOMPRESSED, params, &err,
                                   &err_info);
    if (!part->capture)
        return complain(parts, part->path, err, err_info);
    part->numbers = g_fopen(part->numbers_path, "wb");
    return part->numbers || complain(parts, part->numbers_path, errno, NULL);
}

static bool open_all(struct parts *parts)
{
    wtap_block_t interface = marker_interface();
    wtapng_iface_descriptions_t interfaces = { g_array_new(false, false, sizeof(wtap_block_t)) };
    const wtap_dump_params params = { .encap = WTAP_ENCAP_PER_PACKET, .tsprec = WTAP_TSPREC_NSEC,
                                      .idb_inf = &interfaces };
    bool opened = true;

    g_array_append_val(interfaces.interface_data, interface);
    allow_files(parts->number);
    for (unsigned i = 0; i < parts->number && opened; i++)
        opened = open_part(parts, &parts->part[i], &params);
    g_array_free(interfaces.interface_data, true);
    wtap_block_unref(interface);
    return opened;
}

struct parts *parts_new(const char *folder, unsigned number, const char *name)
{
    struct parts *parts = (struct parts *)g_malloc0(sizeof *parts + number * sizeof parts->part[0]);

    parts->name = name;
    parts->number = number;
    parts->folder = g_strdup(folder);
    g_strchomp(parts->folder);
    while (strlen(parts->folder) > 1 && g_str_has_suffix(parts->folder, "/"))
        parts->folder[strlen(parts->folder) - 1] = '\0';
    parts->unfinished = g_strdup_printf("%s.unfinished", parts->folder);
    for (unsigned i = 0; i < number; i++) {
        parts->part[i].path = g_strdup_printf("%s/part-%04u.pcapng", parts->unfinished, i);
        parts->part[i].numbers_path = g_strdup_printf("%s/part-%04u.frames", parts->unfinished, i);
    }
    make_marker(&parts->marker);

    if (g_file_test(parts->folder, G_FILE_TEST_EXISTS))
        complain(parts, parts->folder, EEXIST, NULL);
    else if (g_mkdir(parts->unfinished, 0777) != 0)
        complain(parts, parts->unfinished, errno, NULL);
    else if (open_all(parts))
        return parts;
    else {
        parts_finish(parts, false);
        return NULL;
    }
    g_clear_pointer(&parts->unfinished, g_free); /* not ours */
    parts_finish(parts, false);
    return NULL;
}

static bool close_part(struct parts *parts, struct part *part, bool quiet)
{
    char *err_info = NULL;
    int err = 0;
    ws_bool needs_reload;
    bool closed = true;

    if (part->capture && !wtap_dump_close(part->capture, &needs_reload, &err, &err_info)) {
        closed = false;
        if (!quiet)
            complain(parts, part->path, err, err_info);
    }
    if (part->numbers && fclose(part->numbers) != 0) {
        closed = false;
        if (!quiet)
            complain(parts, part->numbers_path, errno, NULL);
    }
    return closed;
}

static void remove_all(const struct parts *parts)
{
    for (unsigned i = 0; i < parts->number; i++) {
        g_unlink(parts->part[i].path);
        g_unlink(parts->part[i].numbers_path);
    }
    g_rmdir(parts->unfinished);
}

bool parts_finish(struct parts *parts, bool keep)
{
    for (unsigned i = 0; i < parts->number; i++)
        keep = close_part(parts, &parts->part[i], !keep) && keep;
    if (keep && g_rename(parts->unfinished, parts->folder) != 0)
        keep = complain(parts, parts->folder, errno, NULL);
    if (!keep && parts->unfinished)
        remove_all(parts);
    for (unsigned i = 0; i < parts->number; i++) {
        g_free(parts->part[i].path);
        g_free(parts->part[i].numbers_path);
    }
    ws_record_cleanup(&parts->marker);
    g_free(parts->folder);
    g_free(parts->unfinished);
    g_free(parts);
    return keep;
}
