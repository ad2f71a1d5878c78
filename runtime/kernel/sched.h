/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched - how a process is scheduled: policy, I/O priority, CPUs, memory nodes
 *
 * Memory:    no allocation; may be called between fork and exec.
 * Tests:     tests/unit/runtime/kernel/test_sched.c, tests/oci/test_sched.py
 */
#ifndef MR_KERNEL_SCHED_H
#define MR_KERNEL_SCHED_H

#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"

struct err;
struct idlist;

struct sched { /* as sched_setattr(2) has them */
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

/* Of the calling process. */
must_check int sched_apply(const struct sched *s, struct err *err);
/* class: 1 realtime, 2 best effort, 3 idle; level: 0 (first) to 7. */
must_check int sched_ioprio(int class, int level, struct err *err);
/* mode: MPOL_x; flags: MPOL_F_x; nodes: a list as "0-3", or NULL. */
must_check int sched_mempolicy(int mode, unsigned flags, const char *nodes, struct err *err);

/* pid 0: the caller. */
must_check int sched_cpus_get(pid_t pid, struct idlist *out, struct err *err);
must_check int sched_cpus_set(pid_t pid, const struct idlist *cpus, struct err *err);

#endif
