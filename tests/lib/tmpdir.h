/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmpdir - a directory for one test, short enough in its path for unix sockets
 *
 * As cmocka's set-up and tear-down:
 *     cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)
 * and in the test: struct tmpdir *t = *state;
 */
#ifndef MR_TESTS_TMPDIR_H
#define MR_TESTS_TMPDIR_H

#include "runtime/base/attr.h"

struct tmpdir {
    char path[64]; /* absolute */
    int fd;
};

struct tmpdir *tmpdir_new(void); /* aborts on failure: no test can go on */
void tmpdir_free(struct tmpdir *t);

int tmpdir_setup(void **state);
int tmpdir_teardown(void **state);

/* path/name in static storage of one test; good until the fourth next call. */
const char *tmpdir_path(const struct tmpdir *t, const char *name);

#endif
