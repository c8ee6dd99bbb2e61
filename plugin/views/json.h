/* json.h
 * A connection as a JSON object, told by connection.schema.json: what the views json and page print.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef JSON_H
#define JSON_H

#include "ws_compat.h"
#include "hosts.h"
#include "incarnations.h"
#include "numbers.h"
#include "zeek.h"

#include <wsutil/json_dumper.h>

struct json_remark;
struct json_stream;

/* What is kept of a connection. Filled with zeros but for its first member. */
struct json_connection {
    struct incarnation base;
    struct json_remark *first, *last;
    struct json_stream *streams, *last_stream; /* that began after its first segment */
    uint64_t octets[2];   /* of payload, repetitions too; by index of end, as segments and zeek */
    uint64_t segments[2];
    int64_t  last_ns;     /* when its latest segment was captured */
    struct zeek zeek;
};

/* What is printed of it. */
struct json_choice {
    uint32_t last_frame;  /* transitions and expert information up to this frame; 0: without these two members */
    uint32_t expert_max;  /* items of expert information, at most about so many */
    struct hosts *hosts;  /* documentation addresses in place of those captured; NULL: those captured */
};

/* Notes a segment of the connection, in order of the capture. pool: where it lives, as long as the connection. */
void json_note(struct json_connection *c, wmem_allocator_t *pool, packet_info *pinfo,
               const struct tcpstate_tap *tap);

/* Prints the connection: a value. */
void json_put(json_dumper *json, const struct json_connection *c, const struct json_choice *choice);

#endif
