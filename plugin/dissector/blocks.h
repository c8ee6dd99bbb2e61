/* blocks.h
 * Memory for what rests as long as the capture file is open: blocks side by side, without the header and the
 * rounding that an allocator needs. Those given back wait, each size by itself, for whoever needs one next.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#define BLOCK_GRAIN 8   /* octets; the size of a block is a multiple of it */
#define BLOCK_MAX 2048u /* octets; for larger ones there is the allocator */

/* The size of a block for so many octets. */
static inline uint32_t block_size(size_t octets)
{
    return (uint32_t)((octets + BLOCK_GRAIN - 1) / BLOCK_GRAIN * BLOCK_GRAIN);
}

/* A block of that size, BLOCK_MAX at most; what is in it is undefined. */
void *block_take(uint32_t size);

/* Gives a block of that size back. */
void block_give(void *block, uint32_t size);

/* Forgets all blocks: their memory is of the file that was closed. */
void blocks_forget_all(void);

#endif
