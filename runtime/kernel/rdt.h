/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdt - groups of the resource control file system: shares of cache and memory bandwidth
 *
 * A group is a directory of resctrl. One that config.json names (closID) belongs to whoever made
 * it; one under the container's own id is made and removed with the container. A monitoring group
 * beneath it is always the container's own.
 *
 * Tests:     tests/unit/runtime/kernel/test_rdt.c
 */
#ifndef MR_KERNEL_RDT_H
#define MR_KERNEL_RDT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/attr.h"

struct err;

#define RDT_ROOT "/sys/fs/resctrl"

struct rdt {
    const char *root;          /* RDT_ROOT */
    const char *group;         /* a name, or "/" for the group of all others */
    bool shared;               /* the group is named by config.json */
    const char *monitor;       /* name of a monitoring group, or NULL */
    const char *const *schema; /* lines */
    size_t schema_n;
};

/* resctrl is mounted there. */
bool rdt_is_on(const char *root);
/* Makes the group and writes the schemata. A shared group without any must exist; one that exists
 * must have these. A failure leaves nothing. */
must_check int rdt_make(const struct rdt *r, struct err *err);
must_check int rdt_enter(const struct rdt *r, pid_t pid, struct err *err);
must_check int rdt_change(const struct rdt *r, struct err *err); /* the schemata of a group */
/* What was made for the container; absent is fine. */
must_check int rdt_remove(const struct rdt *r, struct err *err);

#endif
