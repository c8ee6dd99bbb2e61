/* steady.c
 * Preloaded under callgrind: random numbers that are the same in each run. Wireshark seeds its hash tables with
 * them, so that otherwise two runs differ by more than what is measured.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdint.h>

uint32_t g_random_int(void);

uint32_t g_random_int(void)
{
    static uint32_t state = 1;

    state = state * 1664525 + 1013904223;
    return state;
}
