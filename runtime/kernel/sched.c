/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/sched.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/kernel/idlist.h"

/* linux/sched/types.h collides with sched.h of glibc: the kernel's struct, first version. */
struct sched_words {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

_Static_assert(sizeof(struct sched_words) == 48, "SCHED_ATTR_SIZE_VER0");

#define IOPRIO_WHO_SELF    1 /* IOPRIO_WHO_PROCESS, with pid 0 */
#define IOPRIO_CLASS_SHIFT 13

int sched_apply(const struct sched *s, struct err *err)
{
    struct sched_words w = {.size = sizeof w,
                            .policy = s->policy,
                            .flags = s->flags,
                            .nice = s->nice,
                            .priority = s->priority,
                            .runtime = s->runtime,
                            .deadline = s->deadline,
                            .period = s->period};

    return syscall(SYS_sched_setattr, 0, &w, 0U) < 0 ? err_set(err, errno, "sched_setattr") : 0;
}

int sched_ioprio(int class, int level, struct err *err)
{
    int value = class << IOPRIO_CLASS_SHIFT | level;

    return syscall(SYS_ioprio_set, IOPRIO_WHO_SELF, 0, value) < 0
               ? err_set(err, errno, "ioprio_set")
               : 0;
}

int sched_mempolicy(int mode, unsigned flags, const char *nodes, struct err *err)
{
    struct idlist mask;
    unsigned long bits = 0;

    if (nodes != NULL) {
        if (idlist_parse(nodes, &mask, err) < 0)
            return -1;
        /* The kernel looks at one bit less than it is told, and refuses a mask beyond its own. */
        bits = (unsigned long)idlist_top(&mask) + 2;
    }
    if (syscall(SYS_set_mempolicy, mode | (int)flags, bits > 0 ? mask.v : NULL, bits) < 0)
        return err_set(err, errno, "set_mempolicy");
    return 0;
}

int sched_cpus_get(pid_t pid, struct idlist *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    return syscall(SYS_sched_getaffinity, pid, sizeof out->v, out->v) < 0
               ? err_set(err, errno, "sched_getaffinity")
               : 0;
}

int sched_cpus_set(pid_t pid, const struct idlist *cpus, struct err *err)
{
    return syscall(SYS_sched_setaffinity, pid, sizeof cpus->v, cpus->v) < 0
               ? err_set(err, errno, "sched_setaffinity")
               : 0;
}
