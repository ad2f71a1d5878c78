/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_walk - a group and all beneath it, the deepest first, however deep a container nests them
 *
 * What is beneath a group that a container may write to is the container's making: names that begin
 * with a dot, thousands of levels, groups that come and go meanwhile.
 *
 * Limits:    CGROUP_WALK_MAX levels, each of which cost whoever made it more than it costs here;
 *            one descriptor at a time.
 * Tests:     tests/oci/attack/test_names.py, tests/unit/runtime/kernel/test_cgroup_walk.c
 */
#ifndef MR_KERNEL_CGROUP_WALK_H
#define MR_KERNEL_CGROUP_WALK_H

#include "runtime/base/attr.h"

struct err;

#define CGROUP_WALK_MAX 65536

/* Called with the parent, and the name in it. */
typedef int cgroup_walk_fn(int at_fd, const char *name, void *ctx, struct err *err);

/* The first failure of fn ends it. A group that is absent, or goes meanwhile, is fine. */
must_check int cgroup_walk(const char *path, cgroup_walk_fn *fn, void *ctx, struct err *err);

#endif
