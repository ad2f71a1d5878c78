/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test - cmocka with what it wants included before it, and checks for views and errors
 *
 * Skipping: SKIP("reason") prints the reason, which the runner repeats, and ends the test.
 */
#ifndef MR_TESTS_LIB_TEST_H
#define MR_TESTS_LIB_TEST_H

/* cmocka.h demands these in front of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <string.h>

#include "runtime/base/attr.h"
#include "runtime/base/err.h"
#include "runtime/base/str.h"

#define SKIP(reason)                 \
    do {                             \
        (void)puts("skip: " reason); \
        skip();                      \
    } while (0)

/* A view has exactly these bytes. */
#define assert_str(s, c) test_str((s), (c), __FILE__, __LINE__)
/* The error's text holds this. */
#define assert_err(err, part) test_err((err), (part), __FILE__, __LINE__)
/* It went well; else the error is shown. */
#define assert_ok(rc, err) test_ok((rc) >= 0, (err), __FILE__, __LINE__)

void test_str(struct str s, const char *c, const char *file, int line);
void test_err(const struct err *err, const char *part, const char *file, int line);
void test_ok(bool ok, const struct err *err, const char *file, int line);

/* The path of a test vector below MR_TEST_DATA, or ../shared/data beside the checkout; NULL if
 * there is none: the test skips. The view ends with the next call. */
const char *test_data(const char *name);

#endif
