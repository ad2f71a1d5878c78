/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: one more process in a container. It is in all namespaces through the init's pidfd before it
 * can be seen from inside, and undumpable from its first moment (clone_inside in maker_clone.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/container/container.h"
#include "runtime/container/filter.h"
#include "runtime/container/held.h"
#include "runtime/container/join.h"
#include "runtime/container/maker.h"
#include "runtime/container/quick.h"
#include "runtime/container/rdt_of.h"
#include "runtime/container/state.h"
#include "runtime/kernel/idlist.h"
#include "runtime/kernel/sched.h"

/* Does the hierarchy have one of the controllers? An empty list means all hierarchies. */
static bool is_meant(const struct cgroup_hier *h, struct str controllers)
{
    struct str one = STR_NONE;

    if (controllers.n == 0)
        return true;
    while (str_next(&controllers, ',', &one))
        if (cgroup_hier_has(h, one))
            return true;
    return false;
}

/* In the hybrid layout the v2 hierarchy is part of every group and controls nothing. */
static int check_controllers(const struct maker *m, struct str controllers, struct err *err)
{
    struct str one = STR_NONE;

    while (str_next(&controllers, ',', &one)) {
        bool known = m->state.cgroup.unified;

        for (size_t i = 0; !known && i < m->state.cgroup.n; i++)
            known = !m->state.cgroup.v[i].v2 && cgroup_hier_has(&m->state.cgroup.v[i], one);
        if (!known)
            return err_set(err, ENOENT, "no cgroup controller '%.*s'", STR_ARG(str_head(one, 64)));
    }
    return 0;
}

/* One "[controllers:]path" into the hierarchies it is meant for and that have it. */
static int pick_one(struct maker *m, struct str spec, struct err *err)
{
    struct str controllers = STR_NONE, path = spec;
    bool found = false;

    (void)str_cut(spec, ':', &controllers, &path); /* without a colon it is all path */
    if (check_controllers(m, controllers, err) < 0)
        return -1;
    if (path_has_dotdot(path))
        return err_set(
            err, 0,
            "bad sub cgroup path: %.*s is not a sub cgroup path: `..` components are not "
            "allowed",
            STR_ARG(spec));
    for (size_t i = 0; i < m->cgroup.n; i++) {
        struct cgroup_hier h = m->state.cgroup.v[i];

        h.path = arena_printf(m->arena, "%s/%.*s", h.path, STR_ARG(path));
        if (h.path == NULL)
            return err_set(err, ENOMEM, "cgroup '%.*s'", STR_ARG(spec));
        if (!is_meant(&h, controllers) || !cgroup_is_there(&h))
            continue;
        m->cgroup.v[i] = h;
        found = true;
    }
    return found ? 0 : err_set(err, ENOENT, "cgroup '%.*s' of the container", STR_ARG(spec));
}

static int pick_cgroups(struct maker *m, const struct container_exec *e, struct err *err)
{
    m->cgroup = m->state.cgroup;
    for (size_t i = 0; i < e->cgroups_n; i++)
        if (pick_one(m, str_of(e->cgroups[i]), err) < 0)
            return -1;
    return 0;
}

/* Whoever is in the container may have frozen a group beneath its own. */
static int check_frozen(const struct maker *m, struct err *err)
{
    const struct cgroup *all = &m->state.cgroup;

    if (m->patient)
        return 0;
    if (m->state.public.status == CONTAINER_PAUSED)
        return err_set(err, 0, "the container is paused");
    for (size_t i = 0; i < m->cgroup.n; i++)
        if (m->cgroup.v[i].path != all->v[i].path && held_group(&m->cgroup.v[i]))
            return err_set(err, 0, "the container is paused: its cgroup '%s' is frozen",
                           m->cgroup.v[i].path);
    return 0;
}

/* What it does not say of its scheduling is as for the container, and so is what confines it:
 * nobody should get more by saying less. */
static int inherit(struct maker *m, const struct oci_process *of_exec, const struct oci_config *c,
                   struct err *err)
{
    struct oci_process *p = arena_alloc(m->arena, sizeof *p);

    if (p == NULL)
        return err_set(err, ENOMEM, "the process");
    *p = *of_exec;
    if (!p->caps.set)
        p->caps = c->process.caps;
    if (p->apparmor_profile == NULL)
        p->apparmor_profile = c->process.apparmor_profile;
    if (p->selinux_label == NULL)
        p->selinux_label = c->process.selinux_label;
    if (!p->scheduler.set)
        p->scheduler = c->process.scheduler;
    if (!p->ioprio.set)
        p->ioprio = c->process.ioprio;
    if (p->cpus_initial == NULL && p->cpus_final == NULL) {
        p->cpus_initial = c->process.cpus_initial;
        p->cpus_final = c->process.cpus_final;
    }
    m->init.process = p;
    m->init.memory_policy = &c->linux_.memory_policy;
    m->init.personality = c->linux_.personality;
    if (m->state.root_moved && init_may_unmount(&m->init))
        return err_set(err, 0,
                       "the container's root covers that of the host (--no-pivot), and with "
                       "CAP_SYS_ADMIN the process could uncover it: take the capability from all "
                       "sets of $.capabilities");
    return maker_check_labels(p, c->process.apparmor_profile, err);
}

/* Who executes once in a container, as health checks do, is likely to do so again. */
static void keep_for_next(struct maker *m, const struct oci_config *c)
{
    const char *path = state_path(m->arena, m->env, m->state.public.id);
    own_fd int fd = path == NULL ? -1 : open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0)
        quick_keep(fd, c, &m->init.filter);
}

static int get_filter(struct maker *m, const struct container_view *view,
                      const struct oci_config *c, struct err *err)
{
    struct seccomp_program *out = &m->init.filter;

    if (!c->linux_.seccomp.set)
        return 0;
    if (view == NULL || view->filter.n == 0) {
        if (filter_make(m->arena, m->env->filters, &c->linux_.seccomp, out, err) < 0)
            return -1;
        keep_for_next(m, c);
        return 0;
    }
    seccomp_copy(&view->filter, out);
    return 0;
}

static int prepare(struct maker *m, const struct container_exec *e, struct err *err)
{
    struct oci_config *c = NULL;
    struct init *in = &m->init;
    bool cpus = false;

    m->patient = (e->flags & CONTAINER_IGNORE_PAUSED) != 0;
    if (join_prepare(m, e->id, e->view, &c, err) < 0 || pick_cgroups(m, e, err) < 0 ||
        (e->cgroups_n == 0 && join_follow_init(m, err) < 0) || check_frozen(m, err) < 0)
        return -1;
    if (inherit(m, e->process, c, err) < 0)
        return -1;
    if (c->linux_.rdt.set && rdt_of(m->arena, &c->linux_.rdt, e->id, &m->rdt, err) < 0)
        return -1;
    m->groups_kept = oci_annotation_is_on(c, OCI_KEEP_GROUPS);
    in->plan = &m->plan;
    in->io = &e->io;
    in->id = e->id;
    in->listen_pid = (e->flags & CONTAINER_LISTEN_PID) != 0;
    in->filter_flags = c->linux_.seccomp.flags;
    in->filter_listens = filter_listens(&c->linux_.seccomp);
    m->seccomp = &c->linux_.seccomp;
    if (get_filter(m, e->view, c, err) < 0)
        return -1;
    m->cgroup_fd = cgroup_open_v2(&m->cgroup);
    cpus = in->process->cpus_initial != NULL || in->process->cpus_final != NULL;
    if (!cpus)
        cgroup_doors_init(&m->cgroup, &in->doors);
    if (cgroup_doors_open(&m->cgroup, &in->doors, CGROUP_ENTER_ALL, err) < 0)
        return -1;
    m->facts = (struct plan_facts){.root = geteuid() == 0,
                                   .cgroup = m->cgroup.n > 0,
                                   .no_new_keyring = m->state.no_new_keyring,
                                   .exec_user_ns = (m->state.ns_flags & CLONE_NEWUSER) != 0,
                                   .exec_cpus = cpus,
                                   .exec_filter = c->linux_.seccomp.set,
                                   .exec_rdt = c->linux_.rdt.set,
                                   .exec_mempolicy = c->linux_.memory_policy.set,
                                   .exec_personality = c->linux_.personality_set};
    if (!m->facts.exec_user_ns)
        maker_warn_caps(m, in->process);
    maker_warn_ambient(m, in->process);
    maker_warn_memlock(m, in->process);
    if (maker_env(m, in->process, err) < 0)
        return -1;
    return plan_make_exec(m->arena, in->process, &m->facts, &m->plan, err);
}

/* execCPUAffinity: one list for the way into the container's group, one for afterwards; without the
 * latter, all that the group permits. */
static int clone_on_cpus(struct maker *m, struct err *err)
{
    const char *list = m->init.process->cpus_initial;
    struct idlist before, now;
    struct err ignored = {0}; /* where the clone's failure is the one to report */
    int r = 0;

    if (list == NULL)
        return maker_clone_undumpable(m, err);
    if (idlist_parse(list, &now, err) < 0 || sched_cpus_get(0, &before, err) < 0 ||
        sched_cpus_set(0, &now, err) < 0)
        return err_wrap(err, "$.execCPUAffinity.initial");
    r = maker_clone_undumpable(m, err);
    if (sched_cpus_set(0, &before, r < 0 ? &ignored : err) < 0)
        return -1;
    return r;
}

static int settle_on_cpus(struct maker *m, struct err *err)
{
    const struct oci_process *p = m->init.process;
    struct idlist cpus;

    if (p->cpus_initial == NULL && p->cpus_final == NULL)
        return 0;
    if (p->cpus_final == NULL)
        idlist_fill(&cpus);
    else if (idlist_parse(p->cpus_final, &cpus, err) < 0)
        return err_wrap(err, "$.execCPUAffinity.final");
    return sched_cpus_set(m->child.pid, &cpus, err) < 0 ? err_wrap(err, "$.execCPUAffinity.final")
                                                        : 0;
}

static int exec(struct maker *m, const struct container_exec *e, struct err *err)
{
    if (maker_check_io(m, &e->io, err) < 0 || maker_init(m, err) < 0 || prepare(m, e, err) < 0)
        return -1;
    if (clone_on_cpus(m, err) < 0 || (m->facts.exec_cpus && maker_enter_cgroup(m, err) < 0) ||
        settle_on_cpus(m, err) < 0 ||
        (m->facts.exec_rdt && rdt_enter(&m->rdt, m->child.pid, err) < 0) ||
        (e->process->oom_score_adj.set && maker_oom_score(m, err) < 0) || maker_serve(m, err) < 0 ||
        maker_publish(m, err) < 0) {
        maker_abort(m);
        return -1;
    }
    return 0;
}

int container_exec(const struct container_env *env, const struct container_exec *e,
                   struct container_child *child, struct err *err)
{
    struct maker m = {.env = env, .io = &e->io};
    int r = exec(&m, e, err);

    if (r == 0)
        *child = m.child;
    if (m.arena != NULL)
        maker_done(&m);
    return r;
}

int container_look(const struct container_env *env, const char *id, struct arena *a,
                   struct container_view **out, struct err *err)
{
    struct container_view *v = arena_alloc(a, sizeof *v);
    int r = 0;

    if (v == NULL)
        return err_set(err, ENOMEM, "container '%s'", id);
    if (state_load(env, id, a, &v->state, err) < 0)
        return -1;
    /* A container that is just being made may have no configuration yet. */
    if (v->state.public.status != CONTAINER_CREATING &&
        !quick_find(v->state.dir_fd, a, &v->config, &v->filter))
        r = state_load_config(&v->state, a, &v->config, err);
    fd_close(&v->state.dir_fd);
    *out = v;
    return r;
}

const struct container_state *container_view_state(const struct container_view *v)
{
    return &v->state.public;
}

const struct oci_process *container_view_process(const struct container_view *v)
{
    return v->config == NULL || !v->config->process.set ? NULL : &v->config->process;
}
