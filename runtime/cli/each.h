/* SPDX-License-Identifier: Apache-2.0 */
/*
 * each - one verb for all containers whose ids match (`--regex`)
 *
 * The pattern is an extended regular expression that may match anywhere in the id. What goes wrong
 * with one container is told as a warning and the others have their turn; at the end it is an
 * error. None that matches is no error.
 *
 * Tests:     tests/oci/test_cli.py
 */
#ifndef MR_CLI_EACH_H
#define MR_CLI_EACH_H

#include "runtime/base/attr.h"

struct cmd;
struct err;

typedef int each_fn(struct cmd *c, const char *id, struct err *err);

must_check int each_matching(struct cmd *c, const char *pattern, each_fn *fn, struct err *err);

#endif
