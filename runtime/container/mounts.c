/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts: a process enters the container, mounts or unmounts as at its start, and ends. Sources are
 * opened here, before, in the caller's own context.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/container.h"
#include "runtime/container/join.h"
#include "runtime/container/maker.h"
#include "runtime/container/sources.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/proc.h"

struct change {
    const char *id;
    enum container_mounts how;
    struct oci_mount *v;
    size_t n;
};

/* The container's user namespace stands where one that is to be joined would, for the moment. */
static int map_ids(struct maker *m, struct err *err)
{
    int *ns_fd = &m->init.ns_fds[OCI_NS_USER];
    int r = 0;

    *ns_fd = proc_open_ns(m->state.public.pid, "user", err);
    if (*ns_fd < 0)
        return -1;
    for (size_t i = 0; r == 0 && i < m->config->mounts_n; i++)
        if (m->config->mounts[i].idmap != OCI_MOUNT_NO_IDMAP)
            r = sources_idmap(m, i, err);
    fd_close(ns_fd);
    return r;
}

static int open_sources(struct maker *m, struct err *err)
{
    for (size_t i = 0; i < m->config->mounts_n; i++)
        if (oci_mount_is_bind(&m->config->mounts[i]) && sources_open(m, i, err) < 0)
            return err_wrap(err, "mount %s", m->config->mounts[i].destination);
    return map_ids(m, err);
}

/* A procfs shows the process ids of whoever mounts it. For the rest the process stays out of the
 * container's sight, by not entering its pid namespace. */
static int namespaces(const struct maker *m, const struct change *x)
{
    for (size_t i = 0; x->how == CONTAINER_MOUNTS_ADD && i < x->n; i++)
        if (strcmp(x->v[i].type, "proc") == 0)
            return m->init.join_flags;
    return m->init.join_flags & ~CLONE_NEWPID;
}

/* A mount that is more than a bind has content, which is charged to who makes it, and may be made
 * of a device: the process is one of the container's in that, too. */
static int open_groups(struct maker *m, const struct change *x, struct err *err)
{
    bool fresh = false;

    for (size_t i = 0; i < x->n; i++)
        fresh |= !oci_mount_is_bind(&x->v[i]);
    if (x->how != CONTAINER_MOUNTS_ADD || !fresh)
        return 0;
    if (m->state.public.status == CONTAINER_PAUSED)
        return err_set(err, 0, "the container is paused, and would hold up what is to mount");
    if (join_follow_init(m, err) < 0)
        return -1;
    cgroup_doors_init(&m->cgroup, &m->init.doors);
    if (cgroup_doors_open(&m->cgroup, &m->init.doors, CGROUP_ENTER_ALL, err) < 0)
        return -1;
    m->cgroup_fd = cgroup_open_v2(&m->cgroup);
    m->facts.cgroup = m->cgroup.n > 0;
    return 0;
}

static int prepare(struct maker *m, const struct change *x, struct err *err)
{
    struct oci_config *c = NULL;
    struct init *in = &m->init;

    if (join_prepare(m, x->id, NULL, &c, err) < 0)
        return -1;
    if ((m->state.ns_flags & CLONE_NEWNS) == 0)
        return err_set(err, 0, "the container has no mount namespace of its own");
    in->join_flags = namespaces(m, x);
    c->mounts = x->v;
    c->mounts_n = x->n;
    m->config = in->config = c;
    in->mount_label = lsm_is_on(LSM_SELINUX) ? c->linux_.mount_label : NULL;
    m->cgroup = m->state.cgroup;
    in->cgroup = &m->cgroup;
    in->process = &c->process;
    in->plan = &m->plan;
    in->id = x->id;
    m->facts = (struct plan_facts){.exec_user_ns = (m->state.ns_flags & CLONE_NEWUSER) != 0};
    if (open_groups(m, x, err) < 0 || sources_init(m, err) < 0 ||
        (x->how == CONTAINER_MOUNTS_ADD && open_sources(m, err) < 0))
        return -1;
    return plan_make_mounts(m->arena, x->how == CONTAINER_MOUNTS_ADD ? STEP_MOUNT : STEP_UNMOUNT,
                            x->n, &m->facts, &m->plan, err);
}

static int change(struct maker *m, const struct change *x, struct err *err)
{
    int status = 0, r = 0;

    if (maker_init(m, err) < 0 || prepare(m, x, err) < 0)
        return -1;
    if (maker_clone_undumpable(m, err) < 0 || maker_serve(m, err) < 0) {
        maker_abort(m);
        return -1;
    }
    do
        r = waitpid(m->child.pid, &status, __WALL);
    while (r < 0 && errno == EINTR);
    fd_close(&m->child.pid_fd);
    if (r < 0 || status != 0)
        return err_set(err, r < 0 ? errno : 0, "the process in the container failed");
    return 0;
}

int container_mounts(const struct container_env *env, const char *id, enum container_mounts how,
                     struct oci_mount *mounts, size_t n, struct err *err)
{
    static const struct container_io io = CONTAINER_IO_INIT;
    struct maker m = {.env = env, .io = &io};
    struct change x = {.id = id, .how = how, .v = mounts, .n = n};
    int r = change(&m, &x, err);

    if (m.arena != NULL)
        maker_done(&m);
    return r;
}
