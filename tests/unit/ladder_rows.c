/* ladder_rows.c
 * Reads the rows of ladders.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ladder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_flags(const char *list, uint8_t *flags)
{
    static const struct { const char *name; uint8_t bit; } known[] = {
        { "FIN", TCP_FIN }, { "SYN", TCP_SYN }, { "RST", TCP_RST }, { "ACK", TCP_ACK }, { "PSH", 0 }, { "URG", 0 },
        { "ICMP", QUOTED },
    };
    char copy[64];

    snprintf(copy, sizeof copy, "%s", list);
    for (char *word = strtok(copy, ","); word; word = strtok(NULL, ",")) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(word, known[i].name) != 0)
            i++;
        if (i == sizeof known / sizeof *known)
            return false;
        *flags |= known[i].bit;
    }
    return true;
}

static bool parse_tags(const char *tags, struct tcpfsm_segment *seg)
{
    bool has_seq = false, has_ack = false;

    while (*tags) {
        char name[8], value[64];
        int length = 0;
        if (sscanf(tags, "<%7[A-Z]=%63[^>]>%n", name, value, &length) != 2 || length == 0)
            return false;
        const unsigned long number = strtoul(value, NULL, 10);
        if (strcmp(name, "SEQ") == 0)
            seg->seq = (uint32_t)number, has_seq = true;
        else if (strcmp(name, "ACK") == 0)
            seg->ack = (uint32_t)number, has_ack = true;
        else if (strcmp(name, "DATA") == 0)
            seg->len = (uint32_t)number;
        else if (strcmp(name, "WND") == 0)
            seg->window = (uint16_t)number;
        else if (strcmp(name, "MSS") == 0)
            seg->mss = (uint16_t)number;
        else if (strcmp(name, "WS") == 0)
            seg->wscale = (uint8_t)number;
        else if (strcmp(name, "TS") == 0)
            seg->tsval = (uint32_t)number, seg->has_tsval = true;
        else if (strcmp(name, "HOP") == 0)
            seg->hop_limit = (uint8_t)number;
        else if (strcmp(name, "ID") == 0)
            seg->ip_id = (uint16_t)number;
        else if (strcmp(name, "DOUBT") == 0)
            seg->length_doubtful = number;
        else if (strcmp(name, "CUT") == 0)
            seg->options_cut = number;
        else if (strcmp(name, "TFO") == 0)
            seg->fast_open = true;
        else if (strcmp(name, "CTL") != 0 || !parse_flags(value, &seg->flags))
            return false;
        tags += length;
    }
    return has_seq && has_ack == ((seg->flags & TCP_ACK) != 0);
}

bool parse_row(const char *line, struct row *row)
{
    char left[4], right[4], tags[256];

    memset(row, 0, sizeof *row);
    row->seg.window = UINT16_MAX;
    row->seg.wscale = TCPFSM_NO_WSCALE;
    row->seg.hop_limit = 64;
    if (sscanf(line, "%31s %3s %255s %3s %31s", row->a, left, tags, right, row->b) != 5 || strcmp(left, right) != 0)
        return false;
    row->sender = strcmp(left, "<--") == 0;
    return (row->sender || strcmp(left, "-->") == 0) && parse_tags(tags, &row->seg);
}
