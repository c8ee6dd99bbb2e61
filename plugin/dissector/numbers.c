/* numbers.c
 * Numbers and times as text.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ws_compat.h"
#include "numbers.h"

char *number_write(char *to, uint64_t number)
{
    char digits[NUMBER_SIZE], *from = digits + sizeof digits;

    *--from = '\0';
    do
        *--from = (char)('0' + number % 10);
    while (number /= 10);
    return g_stpcpy(to, from);
}

const char *number_grouped(char text[NUMBER_SIZE], uint64_t number)
{
    char digits[NUMBER_SIZE], *to = text;
    const int count = (int)(number_write(digits, number) - digits);

    for (int i = 0; i < count; i++) {
        *to++ = digits[i];
        if (i + 1 < count && (count - 1 - i) % 3 == 0)
            *to++ = ',';
    }
    *to = '\0';
    return text;
}

/* A number of parts of a second, of which a second has so many: a power of ten. */
static const char *seconds_of(char *text, int64_t parts, uint64_t per_second)
{
    const uint64_t magnitude = parts < 0 ? 0 - (uint64_t)parts : (uint64_t)parts;
    char *to = text;

    if (parts < 0)
        *to++ = '-';
    to = number_write(to, magnitude / per_second);
    number_write(to, per_second + magnitude % per_second);
    *to = '.'; /* in place of the 1 that held the zeros */
    return text;
}

const char *number_seconds(char text[NUMBER_SIZE], int64_t time_ns)
{
    return seconds_of(text, time_ns / 1000, 1000000);
}

const char *number_exact_seconds(char text[NUMBER_SIZE], int64_t time_ns)
{
    return seconds_of(text, time_ns, 1000000000);
}

const char *number_duration(char text[NUMBER_SIZE], int64_t time_ns)
{
    const bool in_ms = time_ns < 100000000;
    const int64_t hundredths = time_ns / (in_ms ? 10000 : 10000000);
    char *to = number_write(text, (uint64_t)hundredths / 100);

    if (hundredths < 10000) {
        *to++ = '.';
        *to++ = (char)('0' + hundredths / 10 % 10);
        *to++ = (char)('0' + hundredths % 10);
    }
    g_stpcpy(to, in_ms ? " ms" : " s");
    return text;
}
