/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_merge - common.json and NAME.json of specs/seccomp as one OCI profile
 *
 * What is not on the list fails with EPERM and is logged by the kernel (SECCOMP_FILTER_FLAG_LOG);
 * clone3, whose arguments no filter can see, fails with ENOSYS so that libc falls back to clone.
 *
 * Lifetime:  in the arena.
 * Tests:     tests/unit/runtime/stack/test_seccomp_merge.c
 */
#ifndef MR_STACK_SECCOMP_MERGE_H
#define MR_STACK_SECCOMP_MERGE_H

#include "runtime/base/attr.h"

struct arena;
struct err;
struct oci_seccomp;

must_check int seccomp_merge(struct arena *a, unsigned service, struct oci_seccomp *out,
                             struct err *err);

#endif
