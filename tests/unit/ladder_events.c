/* ladder_events.c
 * Compares the events of both ends with what ladders tell.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ladder.h"

#include <stdio.h>
#include <string.h>

static const char *const event_names[] = {
#define TCP_EVENT(number, name, notation, section, sentence) [number] = notation,
#include "tcp_events.def"
#undef TCP_EVENT
};

static bool told_event[NAMES(event_names)]; /* by any line of any file */

static void note_told(struct player *p, const char *event)
{
    const size_t i = find_name(event_names, NAMES(event_names), event);
    if (i == 0 || i == NAMES(event_names))
        complain(p, "is no event", event);
    else
        told_event[i] = true;
}

/* A part of a line of events: those of one end. */
static void check_events(struct player *p, unsigned end, const char *expected)
{
    static const char joint[] = ", then ";
    const struct tcpfsm_change *change = &p->latest.end[end_of(p, end)];
    char shown[512] = "", event[64];

    for (unsigned i = 0; i < change->count; i++) {
        const size_t length = strlen(shown);
        snprintf(shown + length, sizeof shown - length, "%s%s", i ? joint : "", event_names[change->event[i]]);
    }
    compare(p, end ? "what B did" : "what A did", shown, expected);
    while (*expected) {
        const char *next = strstr(expected, joint);
        const size_t length = next ? (size_t)(next - expected) : strlen(expected);
        snprintf(event, sizeof event, "%.*s", (int)length, expected);
        note_told(p, event);
        expected += length + (next ? strlen(joint) : 0);
    }
}

bool play_events(struct player *p, char *line)
{
    const char *expected[2] = { "", "" };

    for (char *part = strtok(line, ";"); part; part = strtok(NULL, ";")) {
        part += strspn(part, " ");
        if ((*part != 'A' && *part != 'B') || strncmp(part + 1, ": ", 2) != 0)
            return false;
        expected[*part == 'B'] = part + 3;
    }
    for (unsigned end = 0; end < 2; end++)
        check_events(p, end, expected[end]);
    return true;
}

int count_untold_events(void)
{
    return count_untold(event_names, told_event, NAMES(event_names), 1);
}
