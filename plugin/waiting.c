/* waiting.c
 * The first segments of a connection at which nobody looks.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "waiting.h"

#include "blocks.h"

#include <string.h>

static uint32_t size_of(unsigned room)
{
    return block_size(offsetof(struct waiting, segment) + room * sizeof(struct sighting_packed));
}

/* Makes room for one more. Returns false if too many wait. */
static bool grow(struct history *log, struct waiting_count *n, int64_t time_ns)
{
    struct waiting *old = (struct waiting *)log->entry;
    /* Few sizes, so that what one connection leaves suits another. */
    const unsigned before = n->room, room = before < 2 ? 2 : before < 5 ? 5 : before < 10 ? 10 : before + 1;

    if (before == WAITING_MAX)
        return false;
    struct waiting *w = (struct waiting *)block_take(size_of(room));
    if (before == 0) {
        w->from_ns = time_ns;
    } else {
        memcpy(w, old, size_of(before));
        block_give(old, size_of(before));
    }
    log->entry = (struct history_entry *)w;
    n->room = (uint8_t)room;
    return true;
}

bool waiting_add(struct history *log, struct waiting_count *n, struct header h, struct occasion at)
{
    if (n->now == n->room && !grow(log, n, at.time_ns))
        return false;
    struct waiting *w = (struct waiting *)log->entry;
    if (!sighting_pack(h, at, w->from_ns, &w->segment[n->now]))
        return false;
    n->now++;
    return true;
}

unsigned waiting_take(struct history *log, struct waiting_count *n, struct sighting taken[WAITING_MAX])
{
    struct waiting *w = (struct waiting *)log->entry;
    const unsigned taking = n->now;

    if (n->room == 0)
        return 0;
    for (unsigned i = 0; i < taking; i++)
        sighting_unpack(&w->segment[i], w->from_ns, &taken[i]);
    block_give(w, size_of(n->room));
    log->entry = NULL;
    *n = (struct waiting_count){ 0, 0 };
    return taking;
}
