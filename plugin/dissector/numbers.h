/* numbers.h
 * Numbers and times as text. Views print a line for each of millions of segments, so these do without printf.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stdint.h>

/* Room that each text needs, octets, with its end. */
#define NUMBER_SIZE 32

/* A number, written at `to`. Returns its end, a NUL. */
char *number_write(char *to, uint64_t number);

/* A number with its thousands apart: "14,480"; returns text. */
const char *number_grouped(char text[NUMBER_SIZE], uint64_t number);

/* A time in nanoseconds as seconds with microseconds: "-0.000100"; returns text. */
const char *number_seconds(char text[NUMBER_SIZE], int64_t time_ns);

/* The same with nanoseconds: "-0.000100000"; returns text. */
const char *number_exact_seconds(char text[NUMBER_SIZE], int64_t time_ns);

/* A time in nanoseconds, not negative, as a reader wants it: "586 s", "0.17 s", "0.21 ms"; returns text. */
const char *number_duration(char text[NUMBER_SIZE], int64_t time_ns);

#endif
