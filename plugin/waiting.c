/* waiting.c
 * The first segments of a connection at which nobody looks.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "waiting.h"

#include "blocks.h"

#include <string.h>

struct waiting {
    int64_t from_ns; /* time of the first */
    struct sighting_packed segment[WAITING_MAX]; /* as many as there is room for */
};

/* For how many there is room where so many wait: few sizes, so that what one connection leaves suits another. */
static inline unsigned room_of(unsigned count)
{
    return count == 0 ? 0 : count <= 2 ? 2 : count <= 5 ? 5 : count <= 10 ? 10 : WAITING_MAX;
}

static uint32_t size_of(unsigned count)
{
    return block_size(offsetof(struct waiting, segment) + room_of(count) * sizeof(struct sighting_packed));
}

/* Makes room for one more. */
static struct waiting *grow(struct waiting *old, unsigned count)
{
    struct waiting *w = (struct waiting *)block_take(size_of(count + 1));

    if (count > 0) {
        memcpy(w, old, size_of(count));
        block_give(old, size_of(count));
    }
    return w;
}

bool waiting_add(struct history *log, uint8_t *count, const struct sighting *s)
{
    struct waiting *w = (struct waiting *)log->entry;
    const unsigned before = *count;

    if (before == WAITING_MAX || !sighting_fits(s, before ? w->from_ns : s->time_ns))
        return false;
    if (before == room_of(before)) {
        w = grow(w, before);
        if (before == 0)
            w->from_ns = s->time_ns;
        log->entry = (struct history_entry *)w;
    }
    sighting_pack(s, w->from_ns, &w->segment[before]);
    *count = (uint8_t)(before + 1);
    return true;
}

unsigned waiting_take(struct history *log, uint8_t *count, struct sighting taken[WAITING_MAX])
{
    struct waiting *w = (struct waiting *)log->entry;
    const unsigned taking = *count;

    if (taking == 0)
        return 0;
    for (unsigned i = 0; i < taking; i++)
        sighting_unpack(&w->segment[i], w->from_ns, &taken[i]);
    block_give(w, size_of(taking));
    log->entry = NULL;
    *count = 0;
    return taking;
}
