/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process may use of the machine: limits, processors, scheduling, memory policy; and its
 * personality.
 */
#include <errno.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include "runtime/base/err.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/kernel/idlist.h"
#include "runtime/kernel/sched.h"

/* A limit above what this process may grant is an error, save for locked memory: engines ask for
 * "unlimited" there by habit, and a lower limit hurts nobody who does not lock memory. */
static int lower_memlock(const struct oci_rlimit *r, struct err *err)
{
    struct rlimit now;

    if (r->resource != RLIMIT_MEMLOCK || getrlimit(RLIMIT_MEMLOCK, &now) < 0)
        return err_set(err, EPERM, "above the limit of the runtime itself");
    now.rlim_cur = now.rlim_max;
    return setrlimit(RLIMIT_MEMLOCK, &now) < 0 ? err_set(err, errno, "setrlimit") : 0;
}

int step_rlimit(struct init *in, size_t index, struct err *err)
{
    const struct oci_rlimit *r = &in->process->rlimits[index];
    struct rlimit to = {.rlim_cur = r->soft, .rlim_max = r->hard};

    if (setrlimit((__rlimit_resource_t)r->resource, &to) == 0)
        return 0;
    return errno == EPERM ? lower_memlock(r, err) : err_set(err, errno, "setrlimit");
}

int step_personality(struct init *in, size_t index, struct err *err)
{
    (void)index;
    return personality(in->personality) < 0 ? err_set(err, errno, "personality") : 0;
}

/* A service manager may have bound an engine to some CPUs; its containers have their own say in
 * that, by $.linux.resources.cpu.cpus. What the kernel does not give stays as it was. */
int step_cpus(struct init *in, size_t index, struct err *err)
{
    struct idlist all;
    struct err ignored;

    (void)in;
    (void)index;
    (void)err;
    idlist_fill(&all);
    if (sched_cpus_set(0, &all, &ignored) < 0)
        err_reset(&ignored); /* so be it */
    return 0;
}

int step_scheduler(struct init *in, size_t index, struct err *err)
{
    const struct oci_scheduler *o = &in->process->scheduler;
    struct sched s = {.policy = (uint32_t)o->policy,
                      .flags = o->flags,
                      .nice = o->nice,
                      .priority = o->priority,
                      .runtime = o->runtime,
                      .deadline = o->deadline,
                      .period = o->period};

    (void)index;
    return sched_apply(&s, err);
}

int step_ioprio(struct init *in, size_t index, struct err *err)
{
    (void)index;
    return sched_ioprio(in->process->ioprio.class, in->process->ioprio.priority, err);
}

int step_mempolicy(struct init *in, size_t index, struct err *err)
{
    const struct oci_memory_policy *p = in->memory_policy;

    (void)index;
    return sched_mempolicy(p->mode, p->flags, p->nodes, err);
}
