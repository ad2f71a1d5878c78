/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits - struct oci_resources to writes into cgroup files; the list is pure
 *
 * Each limit says what is written on cgroup v1 and what on v2, so that hybrid machines, where a
 * controller can be on either, need nothing special.
 *
 * Lifetime:  texts live in the arena.
 * Tests:     tests/unit/runtime/container/test_limits.c
 */
#ifndef MR_CONTAINER_LIMITS_H
#define MR_CONTAINER_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"

struct arena;
struct cgroup;
struct cgroup_devices;
struct err;
struct oci_resources;

struct limit {
    const char *section; /* of $.linux.resources */
    const char *controller;
    const char *v1_file; /* NULL: there is none */
    const char *v1_value;
    const char *v2_file;
    const char *v2_value;
    bool optional;        /* a kernel that does not have the file is fine */
    const char *v1_other; /* where the first file is missing; NULL: none */
    const char *v2_other;
    const char *v2_other_value;
    const char *v2_lacks; /* why there is no value for v2, nor one for v1 if it fails; or NULL */
};

struct limits {
    struct limit *v;
    size_t n;
};

/* pids.limit: 0 is the smallest limit, -1 none. */
int64_t limits_pids(int64_t limit);
/* CPU shares of v1 as a weight of v2. */
uint64_t limits_cpu_weight(uint64_t shares);
/* A weight of config.json as one of io.weight. */
uint64_t limits_io_weight(uint64_t w);

/* How many processes there may be: by pids.limit, or by unified. */
bool limits_has_pids(const struct oci_resources *r);

/* Which of them. While a container is made there may be more processes than it is to have. */
enum limits_part {
    LIMITS_ALL,
    LIMITS_BUT_PIDS,
    LIMITS_PIDS
};

/* Leaves only those in the list. */
void limits_keep(struct limits *l, enum limits_part part);

must_check int limits_make(struct arena *a, const struct oci_resources *r, struct limits *out,
                           struct err *err);
/* A new group of v1 has no time for SCHED_FIFO and SCHED_RR (where the kernel has groups of
 * realtime at all): to be called after limits_make for a process that wants one of the two, it adds
 * a tenth of each period, unless config.json has a realtimeRuntime. */
void limits_add_realtime(const struct oci_resources *r, struct limits *l);
/* The device rules with those that every container has. */
must_check int limits_devices(const struct oci_resources *r, struct cgroup_devices *out,
                              struct err *err);

/* Writes them. Some depend on others' values (memory with swap, quota with period): what fails at
 * first is tried once more after the rest. */
must_check int limits_apply(const struct cgroup *g, const struct limits *l, struct err *err);
/* checkBeforeUpdate: on v2 the kernel would kill until a lower limit of memory is kept. */
must_check int limits_check_use(const struct cgroup *g, const struct oci_resources *r,
                                struct err *err);
must_check int limits_apply_devices(const struct cgroup *g, const struct oci_resources *r,
                                    struct err *err);
/* Does the section ask for anything? */
bool limits_is_empty(const struct oci_resources *r);

#endif
