/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stackconf - a small mailstack.json, loaded, with the services' rows beside it
 *
 * `more` is put behind the sample's members: ", \"smtp\": {...}". A key that the sample has already
 * is a duplicate, and refused.
 */
#ifndef MR_TESTS_STACKCONF_H
#define MR_TESTS_STACKCONF_H

#include "runtime/spec/stack.h"
#include "runtime/stack/svc.h"

struct arena;

#define STACKCONF_LISTEN \
    "\"listen\": {\"smtp\": [\"127.0.0.1:2525\"], \"imaps\": [\"127.0.0.1:9930\"]}"

struct stackconf {
    struct arena *a;
    struct stack_config *c;
    struct svc_table t;
};

/* With a listen of its own and these further members; fails the test if it is refused. The file is
 * FILE in `dir`, which is not read. */
void stackconf_load(struct stackconf *s, const char *dir, const char *listen, const char *more);
void stackconf_done(struct stackconf *s);

#endif
