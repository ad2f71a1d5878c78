/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb - what is done to a container from outside: its state is loaded, something done, all closed
 *
 * Lifetime:  what fn is given lives until it returns.
 * Tests:     tests/oci/test_lifecycle.py, tests/oci/test_cgroup.py
 */
#ifndef MR_CONTAINER_VERB_H
#define MR_CONTAINER_VERB_H

#include "runtime/base/attr.h"

struct arena;
struct container_env;
struct err;
struct state;

struct verb {
    int (*fn)(struct arena *a, const struct state *s, void *ctx, struct err *err);
    void *ctx;
};

must_check int verb_on_state(const struct container_env *env, const char *id, const struct verb *v,
                             struct err *err);

must_check int verb_need_cgroup(const struct state *s, struct err *err);
/* Running, paused, or created. */
must_check int verb_need_alive(const struct state *s, struct err *err);

#endif
