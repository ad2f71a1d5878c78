/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile - common.json and NAME.json of specs/seccomp as one OCI profile
 *
 * What is not on the list fails with EPERM and is logged by the kernel (SECCOMP_FILTER_FLAG_LOG);
 * clone3, whose arguments no filter can see, fails with ENOSYS so that libc falls back to clone;
 * clone makes no namespaces.
 *
 * Lifetime:  in the arena.
 * Tests:     tests/unit/runtime/stack/test_profile.c
 */
#ifndef MR_STACK_PROFILE_H
#define MR_STACK_PROFILE_H

#include "runtime/base/attr.h"

struct arena;
struct err;
struct oci_seccomp;

must_check int profile_merge(struct arena *a, unsigned service, struct oci_seccomp *out,
                             struct err *err);

#endif
