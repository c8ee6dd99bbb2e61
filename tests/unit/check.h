/* check.h
 * What a unit test that ends with its first failure says then.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

/* Ends the test unless the condition holds. After it, a format and what it is to print: the rest of the line. */
#define CHECK_IN(condition, ...) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__); \
            exit(1); \
        } \
    } while (0)

#define CHECK(condition) CHECK_IN(condition, "\n")

#endif
