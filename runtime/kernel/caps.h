/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caps - the five capability sets of the calling process, as masks with bit CAP_x
 *
 * Tests:     tests/unit/runtime/kernel/test_caps.c, tests/oci/test_caps.py
 */
#ifndef MR_KERNEL_CAPS_H
#define MR_KERNEL_CAPS_H

#include <stdint.h>

#include "runtime/base/attr.h"

struct err;

struct caps {
    uint64_t bounding;
    uint64_t effective;
    uint64_t inheritable;
    uint64_t permitted;
    uint64_t ambient;
};

/* Effective, permitted and inheritable of this process; the other two are left 0. */
must_check int caps_get(struct caps *out, struct err *err);

/* Takes everything out of the bounding set that is not in keep. */
must_check int caps_limit(uint64_t keep, struct err *err);

/* Permitted, effective, inheritable and ambient become as given. What this process does not hold
 * cannot be given and is left out. */
must_check int caps_apply(const struct caps *c, struct err *err);

/* What would be left of c for a process that holds `held`: no more than that, effective within
 * permitted, ambient within permitted and inheritable. Pure. */
struct caps caps_within(const struct caps *c, uint64_t held);

/* Every capability in the effective set that is in the permitted set. After a change of user with
 * PR_SET_KEEPCAPS. */
must_check int caps_raise(struct err *err);

#endif
