/* steady.c
 * Preloaded under callgrind. Random numbers are the same in each run: Wireshark seeds its hash tables with them, so
 * that otherwise two runs differ by more than what is measured. And callgrind begins with the capture file: counting
 * what tshark does before would take longer than all the rest.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <valgrind/callgrind.h>

uint32_t g_random_int(void);
void *wtap_open_offline(const char *path, unsigned type, int *error, char **error_info, int random_access);

uint32_t g_random_int(void)
{
    static uint32_t state = 1;

    state = state * 1664525 + 1013904223;
    return state;
}

/* Wireshark's, by which it opens a capture file. */
void *wtap_open_offline(const char *path, unsigned type, int *error, char **error_info, int random_access)
{
    void *(*open_it)(const char *, unsigned, int *, char **, int);

    *(void **)&open_it = dlsym(RTLD_NEXT, "wtap_open_offline");
    CALLGRIND_START_INSTRUMENTATION;
    return open_it(path, type, error, error_info, random_access);
}
