/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_hier - a group in one hierarchy of control groups: where it is, and the files in it
 *
 * The kernel documents the files in Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
 *
 * Lifetime:  the texts are those of whoever made it: an arena's, as a rule.
 * Errors:    a group or file that is absent is ENOENT.
 * Tests:     tests/unit/runtime/kernel/test_cgroup.c, tests/oci/test_cgroup.py
 */
#ifndef MR_KERNEL_CGROUP_HIER_H
#define MR_KERNEL_CGROUP_HIER_H

#include <limits.h>
#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;

struct cgroup_hier {
    const char *controllers; /* v1: "memory", "cpu,cpuacct"; v2: "" */
    const char *mount;       /* "/sys/fs/cgroup/memory" */
    const char *path;        /* of the group, beneath mount: "/a/b" */
    bool v2;
};

/* The hierarchy has the controller ("memory"); on v2: any. */
bool cgroup_hier_has(const struct cgroup_hier *h, struct str controller);
/* The path of a file of the group; "" for the group's directory. */
must_check int cgroup_hier_path(const struct cgroup_hier *h, const char *file, char out[PATH_MAX],
                                struct err *err);
bool cgroup_is_there(const struct cgroup_hier *h);
/* It is frozen or on the way there. v1: false but in the hierarchy of the freezer. */
bool cgroup_hier_is_frozen(const struct cgroup_hier *h);

/* Opens a file of the group for writing. */
must_check int cgroup_open(const struct cgroup_hier *h, const char *file, struct err *err);
/* Writes one value to a file of the group, in one write(2). */
must_check int cgroup_write(const struct cgroup_hier *h, const char *file, const char *value,
                            struct err *err);
/* Appends what is in the file, without newlines at its end; EMSGSIZE over out->max bytes. */
must_check int cgroup_read(const struct cgroup_hier *h, const char *file, struct buf *out,
                           struct err *err);

/* What the kernel does with a group takes its time: between one look (0, 1 ...) and the next this
 * waits 1, 2, 4 ... 64 ms; 2.2 s in all CGROUP_WAIT_STEPS. */
#define CGROUP_WAIT_STEPS 40
void cgroup_wait(int step);

#endif
