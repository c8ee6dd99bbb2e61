/* replay.c
 * Runs a harness without libFuzzer: over files, and over random inputs of its own.
 *
 * usage: HARNESS [--random N [--seed SEED]] [FILE...]
 *     FILE      an input
 *     --random  N more inputs, from a seed that is printed (default 1), so that a run can be had again
 *
 * A breach aborts; the input is left in the file breach.input and can be given as FILE.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#define INPUT_MAX 4096

static uint8_t input[INPUT_MAX];
static size_t input_size;

static void keep_input(int signal_number)
{
    FILE *f = fopen("breach.input", "wb");

    if (f) {
        fwrite(input, 1, input_size, f);
        fclose(f);
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* xorshift64*: the same numbers everywhere. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static void run_random(unsigned long n, uint64_t seed)
{
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

    printf("%lu random inputs, seed %" PRIu64 "\n", n, seed);
    fflush(stdout);
    while (n-- > 0) {
        input_size = 30 + next_random(&state) % 600;
        for (size_t i = 0; i < input_size; i++)
            input[i] = (uint8_t)(next_random(&state) >> 32);
        LLVMFuzzerTestOneInput(input, input_size);
    }
}

static void run_file(const char *name)
{
    FILE *f = fopen(name, "rb");

    if (!f) {
        fprintf(stderr, "%s: %s\n", name, strerror(errno));
        exit(2);
    }
    input_size = fread(input, 1, sizeof input, f);
    fclose(f);
    LLVMFuzzerTestOneInput(input, input_size);
}

static unsigned long number_of(const char *text)
{
    char *end = NULL;
    const unsigned long n = text ? strtoul(text, &end, 10) : 0;

    if (!text || end == text || *end) {
        fprintf(stderr, "usage: [--random N [--seed SEED]] [FILE...]\n");
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    unsigned long random = 0;
    uint64_t seed = 1;
    int files = 0;

    signal(SIGABRT, keep_input);
    signal(SIGSEGV, keep_input);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--random") == 0)
            random = number_of(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = number_of(argv[++i]);
        else
            run_file(argv[i]), files++;
    }
    printf("%d files\n", files);
    if (random)
        run_random(random, seed);
    return 0;
}
