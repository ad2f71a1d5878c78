/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_v1 - what cgroup v1 needs besides: cpus passed down, device lists
 *
 * Tests:     tests/oci/test_cgroup.py
 */
#ifndef MR_KERNEL_CGROUP_V1_H
#define MR_KERNEL_CGROUP_V1_H

#include <stdbool.h>

#include "runtime/base/attr.h"

struct cgroup_devices;
struct cgroup_hier;
struct err;

/* After a level was made (fresh: just now, so it is empty) or found: a cpuset without cpus takes
 * its parent's, as nothing can enter it else. */
must_check int cgroup_v1_level(const char *path, const char *controllers, bool fresh,
                               struct err *err);

must_check int cgroup_v1_devices(const struct cgroup_hier *h, const struct cgroup_devices *d,
                                 struct err *err);

#endif
