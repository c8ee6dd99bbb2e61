/* blocks.c
 * Memory for what rests.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "blocks.h"

#include <epan/wmem_scopes.h>

#define CHUNK_OCTETS 65536u

static struct {
    struct free_block {
        struct free_block *next;
    } *free[BLOCK_MAX / BLOCK_GRAIN + 1];
    uint8_t *chunk; /* what is left of the latest one */
    uint32_t left;
} shelf;

void block_give(void *block, uint32_t size)
{
    struct free_block *freed = (struct free_block *)block;

    freed->next = shelf.free[size / BLOCK_GRAIN];
    shelf.free[size / BLOCK_GRAIN] = freed;
}

void *block_take(uint32_t size)
{
    struct free_block *freed = shelf.free[size / BLOCK_GRAIN];

    if (freed) {
        shelf.free[size / BLOCK_GRAIN] = freed->next;
        return freed;
    }
    if (shelf.left < size) {
        if (shelf.left > 0)
            block_give(shelf.chunk, shelf.left);
        shelf.chunk = (uint8_t *)wmem_alloc(wmem_file_scope(), CHUNK_OCTETS);
        shelf.left = CHUNK_OCTETS;
    }
    uint8_t *block = shelf.chunk;
    shelf.chunk += size;
    shelf.left -= size;
    return block;
}

void blocks_forget_all(void)
{
    memset(&shelf, 0, sizeof shelf);
}
