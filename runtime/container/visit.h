/* SPDX-License-Identifier: Apache-2.0 */
/*
 * visit - what is done to a container from outside: its state is loaded, something done, all closed
 *
 * Lifetime:  what fn is given lives until it returns.
 * Tests:     tests/oci/test_lifecycle.py, tests/oci/test_cgroup.py
 */
#ifndef MR_CONTAINER_VISIT_H
#define MR_CONTAINER_VISIT_H

#include "runtime/base/attr.h"

struct arena;
struct container_env;
struct err;
struct state;

struct visit {
    int (*fn)(struct arena *a, const struct state *s, void *ctx, struct err *err);
    void *ctx;
};

must_check int visit_state(const struct container_env *env, const char *id, const struct visit *v,
                           struct err *err);

must_check int visit_need_cgroup(const struct state *s, struct err *err);
/* Running, paused, or created. */
must_check int visit_need_alive(const struct state *s, struct err *err);

#endif
