/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/join.h"

#include <sched.h>

#include "runtime/base/err.h"
#include "runtime/container/limits.h"
#include "runtime/container/maker.h"
#include "runtime/container/state.h"
#include "runtime/kernel/cgroup_v2.h"
#include "runtime/kernel/proc.h"

static int check_status(const struct state *s, struct err *err)
{
    if (s->public.status == CONTAINER_RUNNING || s->public.status == CONTAINER_CREATED ||
        s->public.status == CONTAINER_PAUSED)
        return 0;
    return err_set(err, 0, "the container is %s, not running",
                   container_status_names[s->public.status]);
}

static int load(struct maker *m, const char *id, const struct container_view *view,
                struct oci_config **c, struct err *err)
{
    if (view != NULL) {
        m->state = view->state;
        *c = view->config;
        return check_status(&m->state, err);
    }
    if (state_load(m->env, id, m->arena, &m->state, err) < 0 || check_status(&m->state, err) < 0)
        return -1;
    return state_load_config(&m->state, m->arena, c, err);
}

int join_prepare(struct maker *m, const char *id, const struct container_view *view,
                 struct oci_config **c, struct err *err)
{
    const struct container_state *s = &m->state.public;
    struct init *in = &m->init;

    if (load(m, id, view, c, err) < 0)
        return -1;
    in->join_fd = proc_pidfd(s->pid, s->pid_start, err);
    in->proc_fd = in->join_fd < 0 ? -1 : proc_open(err);
    if (in->proc_fd < 0)
        return -1;
    in->root_fd = proc_open_root(in->proc_fd, s->pid, in->join_fd, err);
    if (in->root_fd < 0)
        return -1;
    in->join_flags = m->state.ns_flags;
    in->bundle = s->bundle;
    m->groups_denied = idmap_denies_groups(s->pid);
    return 0;
}

int join_follow_init(struct maker *m, struct err *err)
{
    for (size_t i = 0; i < m->cgroup.n; i++) {
        struct cgroup_hier *h = &m->cgroup.v[i];

        if (h->v2 && cgroup_v2_is_inner(h) &&
            cgroup_v2_follow(m->arena, h, m->state.public.pid, err) < 0)
            return -1;
    }
    return 0;
}

/* In a user namespace it is not: the memory of the new process belongs to the one it came from, and
 * as it is undumpable no capability that is had inside gives access to it. */
bool join_is_seen(const struct init *in)
{
    return in->join_fd >= 0 && (in->join_flags & (CLONE_NEWUSER | CLONE_NEWPID)) == CLONE_NEWPID;
}

#define MAKERS_MAX 4 /* processes that are in the group at a time while it is made */

/* systemd makes the group with all its limits; else that of processes comes when it is made. */
static bool may_have_makers(const struct oci_resources *r, const struct plan_facts *f)
{
    return !f->scope || !limits_has_pids(r) || (r->pids_limit.set && r->pids_limit.v >= MAKERS_MAX);
}

bool join_hides(const struct oci_config *c, const struct plan_facts *f)
{
    static const enum oci_hook_kind told[] = {OCI_HOOK_PRESTART, OCI_HOOK_CREATE_RUNTIME,
                                              OCI_HOOK_CREATE_CONTAINER};
    const struct oci_linux *l = &c->linux_;

    for (size_t i = 0; i < ARRAY_N(told); i++)
        if (c->hooks[told[i]].n > 0)
            return false;
    return l->ns[OCI_NS_PID].mode == OCI_NS_JOIN && l->ns[OCI_NS_MOUNT].mode == OCI_NS_NEW &&
           f->root && may_have_makers(&l->resources, f);
}
