/* history.c
 * What one connection showed, and from which segment on.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "history.h"

static bool shows_the_same(const struct history_entry *a, const struct history_entry *b)
{
    for (unsigned i = 0; i < 2; i++) {
        /* a transition is news even where it leads back to the state before */
        if (b->end[i].state != b->end[i].previous || a->end[i].state != b->end[i].state
            || a->end[i].confirmed != b->end[i].confirmed)
            return false;
    }
    return a->client == b->client && a->local == b->local && a->local_by == b->local_by
        && a->midstream == b->midstream;
}

void history_append(struct history *h, const struct history_entry *entry)
{
    if (h->count == 0 || !shows_the_same(&h->entry[h->count - 1], entry))
        h->entry[h->count++] = *entry;
}

static bool is_after(const struct history_entry *e, uint32_t frame, uint8_t layer)
{
    return e->frame > frame || (e->frame == frame && e->layer > layer);
}

bool history_find(const struct history *h, uint32_t frame, uint8_t layer, struct history_entry *found)
{
    uint32_t low = 0, high = h->count; /* entries below low are not after the segment, from high on they are */

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (is_after(&h->entry[middle], frame, layer))
            high = middle;
        else
            low = middle + 1;
    }
    if (low == 0)
        return false;

    *found = h->entry[low - 1];
    if (found->frame != frame || found->layer != layer) {
        found->end[0].previous = found->end[0].state;
        found->end[1].previous = found->end[1].state;
    }
    return true;
}
