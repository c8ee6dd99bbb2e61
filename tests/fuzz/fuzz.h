/* fuzz.h
 * What all harnesses share: how a failed check is reported, and how to print the steps up to it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Called by libFuzzer, or by replay.c. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Prints, if the environment has FUZZ_VERBOSE. */
#define fuzz_say(...) \
    do { \
        if (getenv("FUZZ_VERBOSE")) \
            fprintf(stderr, __VA_ARGS__); \
    } while (0)

/* Ends the program with a message if something that must hold does not. */
#define CHECK(condition, ...) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
            fprintf(stderr, __VA_ARGS__); \
            fprintf(stderr, "\n"); \
            abort(); \
        } \
    } while (0)

#endif
