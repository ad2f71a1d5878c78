/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order: what needs the host's view comes before the pivot, what needs privilege before the
 * change of user, and the system call filter is loaded as late as its privilege permits. Why a step
 * stands where it does is said where it is pushed, if it is not one of these reasons.
 */
#include "runtime/container/plan.h"

#include <linux/sched.h>
#include <string.h>
#include <sys/mount.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/container/join.h"
#include "runtime/container/limits.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/spec/oci.h"

const struct plan_device plan_devices[PLAN_DEVICES] = {
    {"/dev/null", 'c', 1, 3},   {"/dev/zero", 'c', 1, 5},    {"/dev/full", 'c', 1, 7},
    {"/dev/random", 'c', 1, 8}, {"/dev/urandom", 'c', 1, 9}, {"/dev/tty", 'c', 5, 0},
};

const struct plan_link plan_links[PLAN_LINKS] = {
    {"/dev/fd", "/proc/self/fd"},       {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"}, {"/dev/stderr", "/proc/self/fd/2"},
    {"/dev/core", "/proc/kcore"},       {"/dev/ptmx", "pts/ptmx"},
};

#define ENTERED_MAX 2

struct draft { /* what is decided from, and the plan as it grows */
    const struct oci_config *c;
    const struct oci_process *p;
    const struct plan_facts *f;
    struct plan *plan;
};

static void push_maker(struct draft *d, enum step_kind kind, size_t index)
{
    d->plan->maker[d->plan->maker_n++] = (struct step){kind, index};
}

static void push_maker_each(struct draft *d, enum step_kind kind, size_t n)
{
    for (size_t i = 0; i < n; i++)
        push_maker(d, kind, i);
}

/* Of a process that stays, or of limits that would hinder who makes it. */
static void push_entered(struct draft *d, enum step_kind kind, size_t index)
{
    d->plan->entered[d->plan->entered_n++] = (struct step){kind, index};
}

static void push(struct draft *d, enum step_kind kind, size_t index)
{
    d->plan->child[d->plan->child_n++] = (struct step){kind, index};
}

static void push_if(struct draft *d, bool yes, enum step_kind kind)
{
    if (yes)
        push(d, kind, 0);
}

static void push_each(struct draft *d, enum step_kind kind, size_t n)
{
    for (size_t i = 0; i < n; i++)
        push(d, kind, i);
}

static enum oci_ns_mode mode(const struct draft *d, enum oci_ns_kind kind)
{
    return d->c->linux_.ns[kind].mode;
}

static bool is_new(const struct draft *d, enum oci_ns_kind kind)
{
    return mode(d, kind) == OCI_NS_NEW;
}

/* --- the maker's part ------------------------------------------------------------------------- */

static bool has_idmaps(const struct oci_config *c)
{
    for (size_t i = 0; i < c->mounts_n; i++)
        if (c->mounts[i].idmap != OCI_MOUNT_NO_IDMAP)
            return true;
    return false;
}

/* Only where the child needs nothing more from its maker than the groups; and where nobody else can
 * take hold of it, or of who makes its procfs, before it is in that of the devices. */
static bool may_go_ahead(const struct draft *d)
{
    const struct oci_linux *l = &d->c->linux_;

    return d->f->root && d->f->cgroup && d->f->slow_cgroups && !d->plan->user_ns &&
           is_new(d, OCI_NS_MOUNT) && !l->rdt.set && l->net_devices_n == 0 && !has_idmaps(d->c) &&
           !d->f->network && !d->plan->enters_late;
}

/* The cgroup namespace takes the group the process is in when it is made, so it is made after the
 * process was put there; a time namespace with offsets must not have a process in it before they
 * are written. With a joined user namespace all are made inside it. */
static void decide_flags(struct draft *d)
{
    bool joined = mode(d, OCI_NS_USER) == OCI_NS_JOIN;
    const uint64_t late = CLONE_NEWCGROUP | CLONE_NEWTIME;

    for (int i = 0; i < OCI_NS_KINDS; i++) {
        uint64_t flag = oci_ns_clone_flag[i];

        if (!is_new(d, (enum oci_ns_kind)i))
            continue;
        if ((flag & late) != 0)
            d->plan->unshare_flags |= flag;
        else
            d->plan->clone_flags |= flag;
    }
    d->plan->leaves = mode(d, OCI_NS_MOUNT) == OCI_NS_HOST;
    if (d->plan->leaves)
        d->plan->clone_flags |= CLONE_NEWNS;
    d->plan->new_user_ns = is_new(d, OCI_NS_USER);
    d->plan->user_ns = joined || d->plan->new_user_ns;
    d->plan->enters_late = !d->plan->user_ns && join_hides(d->c, d->f);
    d->plan->side_by_side = may_go_ahead(d);
    /* On v2 it is in the group already, which would be charged for what the namespaces need. */
    if (d->plan->side_by_side && !d->f->unified) {
        d->plan->begin_flags = d->plan->clone_flags & ~(uint64_t)CLONE_NEWPID;
        d->plan->clone_flags &= CLONE_NEWPID;
    }
}

/* Is the root, where the container's mounts are attached, beneath the path? */
static bool is_above_root(const struct draft *d, const char *path)
{
    size_t n = strlen(path);

    while (n > 0 && path[n - 1] == '/')
        n--;
    return d->f->rootfs == NULL ||
           (strncmp(d->f->rootfs, path, n) == 0 && (d->f->rootfs[n] == '/' || n == 0));
}

/* Who makes the copy of a bind mount's source? The child, when the mount's turn has come, so that
 * the kernel lists the mounts in the order of the configuration. But the maker, in its own context,
 * where a path could not be searched by the container's user or ids are mapped; where the copy is
 * to stay a peer of the host's mount; and where the copy would hold the container's own mounts. */
static bool is_maker_s(const struct draft *d, const struct oci_mount *o)
{
    return d->plan->user_ns || o->idmap != OCI_MOUNT_NO_IDMAP ||
           (oci_mount_is_shared(o) && (d->c->linux_.rootfs_propagation & MS_SHARED) != 0) ||
           ((o->ms_set & MS_REC) != 0 && (o->source == NULL || is_above_root(d, o->source)));
}

static void push_sources(struct draft *d)
{
    if (!d->f->root)
        return;
    push_maker(d, STEP_OPEN_ROOT, 0);
    for (size_t i = 0; i < d->c->mounts_n; i++)
        if (oci_mount_is_bind(&d->c->mounts[i]) && (d->c->mounts[i].ms_set & MS_REMOUNT) == 0 &&
            is_maker_s(d, &d->c->mounts[i]))
            push_maker(d, STEP_OPEN_SOURCE, i);
}

static bool starts_with_dev(const char *path)
{
    return strcmp(path, "/dev") == 0 || strcmp(path, "/dev/") == 0;
}

/* A /dev that is bound from elsewhere brings its own nodes. */
static bool dev_is_bound(const struct oci_config *c)
{
    for (size_t i = 0; i < c->mounts_n; i++)
        if (starts_with_dev(c->mounts[i].destination))
            return oci_mount_is_bind(&c->mounts[i]);
    return false;
}

/* Nodes for a user namespace are made outside of it, by somebody who may. */
static void push_nodes(struct draft *d)
{
    if (d->f->root && d->plan->user_ns && !dev_is_bound(d->c))
        push_maker_each(d, STEP_DEVICE_NODE, d->c->linux_.devices_n);
}

static enum limits_part limits_now(const struct draft *d)
{
    bool later = d->plan->enters_late && limits_has_pids(&d->c->linux_.resources);

    return later ? LIMITS_BUT_PIDS : LIMITS_ALL;
}

/* The helper of a network ends with the process that it was given. */
static void push_entered_steps(struct draft *d)
{
    if (!d->plan->enters_late)
        return;
    if (d->f->cgroup && limits_now(d) != LIMITS_ALL)
        push_entered(d, STEP_CGROUP_LIMITS, LIMITS_PIDS);
    if (d->f->network)
        push_entered(d, STEP_NETWORK, 0);
}

/* File systems that are the same whoever makes them: the others show the maker's namespaces. What
 * is copied up is charged to who does it. */
static bool is_made_ahead(const struct oci_mount *m)
{
    return !oci_mount_is_bind(m) && (m->ms_set & MS_REMOUNT) == 0 && !m->tmpcopyup &&
           (strcmp(m->type, "tmpfs") == 0 || strcmp(m->type, "devpts") == 0);
}

/* While the child makes its namespaces, the first of them. */
static void push_mounts_ahead(struct draft *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->c->mounts_n && n < PLAN_AHEAD_MAX; i++) {
        if (!is_made_ahead(&d->c->mounts[i]))
            continue;
        push_maker(d, STEP_MAKE_MOUNT, i);
        n++;
    }
    d->plan->mounts_ahead = n > 0;
    if (n > 0)
        push_maker(d, STEP_HAND_MOUNTS, 0);
}

static void push_maker_steps(struct draft *d)
{
    bool v1_later = d->plan->side_by_side && !d->f->unified;
    enum limits_part limits = limits_now(d);

    /* The v2 group first in any case, with its limits: clone puts the child into it. */
    if (d->f->cgroup)
        push_maker(d, STEP_CGROUP_MAKE, v1_later ? CGROUP_V2 : CGROUP_ALL);
    if (d->f->cgroup && !v1_later)
        push_maker(d, STEP_CGROUP_LIMITS, limits);
    if (d->f->cgroup && !d->plan->side_by_side)
        push_maker(d, STEP_CGROUP_DEVICES, 0);
    if (d->c->linux_.rdt.set)
        push_maker(d, STEP_RDT_MAKE, 0);
    push_sources(d);
    push_nodes(d);
    if (d->c->linux_.seccomp.set)
        push_maker(d, STEP_COMPILE_FILTER, 0);
    push_maker_each(d, STEP_NETDEV_LOOK, d->c->linux_.net_devices_n);
    push_maker(d, STEP_CLONE, 0);
    if (d->plan->side_by_side) {
        push_maker(d, STEP_GO, 0);
        if (v1_later) {
            push_mounts_ahead(d);
            push_maker(d, STEP_CGROUP_MAKE, CGROUP_V1);
            push_maker(d, STEP_CGROUP_LIMITS, limits);
        }
        push_maker(d, STEP_CGROUP_DEVICES, 0);
        push_maker(d, STEP_CGROUP_ADMIT, 0);
    }
    if (d->c->linux_.rdt.set)
        push_maker(d, STEP_RDT_ENTER, 0);
    push_maker_each(d, STEP_NETDEV_MOVE, d->c->linux_.net_devices_n);
    if (d->plan->new_user_ns)
        push_maker(d, STEP_ID_MAPS, 0);
    if (d->f->network && !d->plan->enters_late)
        push_maker(d, STEP_NETWORK, 0);
    for (size_t i = 0; i < d->c->mounts_n; i++)
        if (d->c->mounts[i].idmap != OCI_MOUNT_NO_IDMAP)
            push_maker(d, STEP_IDMAP, i);
    if (d->p->oom_score_adj.set)
        push_maker(d, STEP_OOM_SCORE, 0);
    if (d->plan->new_user_ns && d->p->rlimits_n > 0)
        push_maker(d, STEP_RAISE_RLIMITS, 0);
}

/* --- the child's part ------------------------------------------------------------------------- */

/* A pid namespace is entered by whoever clones; a user namespace, which gives the right to the
 * others, by the stage before the clone. */
static void push_namespaces(struct draft *d)
{
    push_if(d, d->plan->begin_flags != 0, STEP_UNSHARE);
    if (!d->plan->side_by_side)
        push_if(d, d->f->cgroup, STEP_CGROUP_ENTER);
    for (int i = 0; i < OCI_NS_KINDS; i++)
        if (i != OCI_NS_PID && i != OCI_NS_USER && mode(d, (enum oci_ns_kind)i) == OCI_NS_JOIN)
            push(d, STEP_JOIN, (size_t)i);
    push_if(d, d->plan->user_ns, STEP_BECOME_ROOT);
    push_if(d, !d->plan->enters_late, STEP_SESSION);
    push_if(d, !d->f->no_new_keyring, STEP_KEYRING);
    if (!d->plan->side_by_side)
        push_if(d, (d->plan->unshare_flags & CLONE_NEWCGROUP) != 0, STEP_UNSHARE_CGROUP);
    push_if(d, (d->plan->unshare_flags & CLONE_NEWTIME) != 0, STEP_UNSHARE_TIME);
    push_if(d, is_new(d, OCI_NS_NETWORK), STEP_LOOPBACK);
    push_each(d, STEP_NETDEV_SETTLE, d->c->linux_.net_devices_n);
    push_if(d, d->c->hostname != NULL, STEP_HOSTNAME);
    push_if(d, d->c->domainname != NULL, STEP_DOMAINNAME);
}

static bool is_default_device(const struct oci_config *c, size_t i)
{
    for (size_t k = 0; k < c->linux_.devices_n; k++)
        if (strcmp(c->linux_.devices[k].path, plan_devices[i].path) == 0)
            return false; /* the config has one of its own of that name */
    return true;
}

static void push_devices(struct draft *d)
{
    enum step_kind kind = d->plan->user_ns ? STEP_DEVICE_BIND : STEP_DEVICE;

    if (dev_is_bound(d->c))
        return;
    push(d, STEP_CHECK_DEV, 0);
    for (size_t i = 0; i < PLAN_DEVICES; i++)
        if (is_default_device(d->c, i))
            push(d, kind, i);
    for (size_t i = 0; i < d->c->linux_.devices_n; i++)
        push(d, kind, PLAN_DEVICES + i);
    push_each(d, STEP_LINK, PLAN_LINKS);
}

static bool has_hooks(const struct draft *d, enum oci_hook_kind kind)
{
    return d->c->hooks[kind].n > 0;
}

static bool is_above(const char *dir, const char *path)
{
    size_t n = strlen(dir);

    return strncmp(dir, path, n) == 0 && (path[n] == '/' || (n > 0 && dir[n - 1] == '/'));
}

/* A file system that is to be read-only, with something in it that is still to be made: devices,
 * or the place of a later mount. */
static bool is_filled_first(const struct oci_config *c, size_t i)
{
    const struct oci_mount *m = &c->mounts[i];

    if (oci_mount_is_bind(m) || (m->ms_set & MS_RDONLY) == 0 || (m->ms_set & MS_REMOUNT) != 0 ||
        strcmp(m->type, "tmpfs") != 0)
        return false;
    if (starts_with_dev(m->destination))
        return true;
    for (size_t k = i + 1; k < c->mounts_n; k++)
        if (is_above(m->destination, c->mounts[k].destination))
            return true;
    return false;
}

/* The groups are to be seen in it, or its content is to be charged to them. */
static bool needs_cgroups(const struct oci_mount *m)
{
    return !oci_mount_is_bind(m) && (strcmp(m->type, "cgroup") == 0 || m->tmpcopyup);
}

/* The groups are entered when a mount needs them, and at the latest when the mounts are done. */
static void push_mounts(struct draft *d)
{
    bool outside = d->plan->side_by_side;

    for (size_t i = 0; i <= d->c->mounts_n; i++) {
        if (outside && (i == d->c->mounts_n || needs_cgroups(&d->c->mounts[i]))) {
            push(d, STEP_CGROUP_ENTER, 0);
            push_if(d, (d->plan->unshare_flags & CLONE_NEWCGROUP) != 0, STEP_UNSHARE_CGROUP);
            outside = false;
        }
        if (i < d->c->mounts_n)
            push(d, is_filled_first(d->c, i) ? STEP_MOUNT_WRITABLE : STEP_MOUNT, i);
    }
}

static void push_root(struct draft *d)
{
    push(d, STEP_PROPAGATION, 0);
    push(d, STEP_ROOT, 0);
    push_if(d, d->plan->mounts_ahead, STEP_TAKE_MOUNTS);
    push_mounts(d);
    push_devices(d);
    push_if(d, d->p->terminal, STEP_TERMINAL);
    push_if(d, has_hooks(d, OCI_HOOK_PRESTART) || has_hooks(d, OCI_HOOK_CREATE_RUNTIME),
            STEP_HOOKS_RUNTIME);
    push_if(d, has_hooks(d, OCI_HOOK_CREATE_CONTAINER), STEP_HOOKS_CONTAINER);
    push_each(d, STEP_SYSCTL, d->c->linux_.sysctl.n);
    push_if(d, d->c->root.readonly && d->p->set && strcmp(d->p->cwd, "/") != 0, STEP_MAKE_CWD);
    for (size_t i = 0; i < d->c->mounts_n; i++)
        if (is_filled_first(d->c, i))
            push(d, STEP_MOUNT_READONLY, i);
    push_if(d, d->c->root.readonly, STEP_ROOT_READONLY);
    push(d, d->f->no_pivot ? STEP_MOVE_ROOT : STEP_PIVOT, 0);
    push_each(d, STEP_MASK, d->c->linux_.masked_paths.n);
    push_each(d, STEP_READONLY, d->c->linux_.readonly_paths.n);
    push_if(d, d->c->linux_.rootfs_propagation != 0, STEP_ROOT_PROPAGATION);
    push_if(d, d->plan->leaves, STEP_LEAVE);
    push_if(d, d->plan->enters_late, STEP_ENTER_PID);
    push_if(d, d->plan->enters_late, STEP_SESSION);
}

/* From here on create and exec are alike. */
static void push_process(struct draft *d, bool filter, bool start_hooks)
{
    bool early = filter && !d->p->no_new_privs;
    /* Engines know from a failed `create` that there is no such program; `run` finds out at once.
     */
    bool look = d->f->wait && d->p->args.n > 0;

    push_if(d, !d->f->exec_cpus, STEP_CPUS);
    push(d, STEP_HOME, 0);
    push(d, STEP_STDIO, 0);
    push_each(d, STEP_RLIMIT, d->p->rlimits_n);
    push_if(d, d->c->linux_.personality_set || d->f->exec_personality, STEP_PERSONALITY);
    push_if(d, d->p->scheduler.set, STEP_SCHEDULER);
    push_if(d, d->p->ioprio.set, STEP_IOPRIO);
    push_if(d, d->c->linux_.memory_policy.set || d->f->exec_mempolicy, STEP_MEMPOLICY);
    push_if(d, d->p->apparmor_profile != NULL || d->p->selinux_label != NULL, STEP_LABEL);
    push(d, STEP_CWD, 0);
    /* From here on the profile judges the runtime's own calls, so as few as can be follow. */
    push_if(d, early, STEP_DESCRIPTORS);
    push_if(d, early && look, STEP_LOOK);
    push_if(d, early, STEP_FILTER);
    push(d, STEP_BOUNDING, 0);
    push(d, STEP_USER, 0);
    push(d, STEP_CAPS, 0);
    push_if(d, d->p->no_new_privs, STEP_NO_NEW_PRIVS);
    push_if(d, !early && look, STEP_LOOK);
    push(d, STEP_READY, 0);
    push_if(d, d->f->wait, STEP_WAIT);
    /* Hooks of the container are programs of the image: they get no more than its process will. */
    push_if(d, !early, STEP_DESCRIPTORS);
    push_if(d, filter && !early, STEP_FILTER);
    push_if(d, start_hooks, STEP_HOOKS_START);
    push(d, STEP_EXEC, 0);
}

/* A container without a process can be created and not be started: its namespaces are held until it
 * is killed. */
static void push_nothing(struct draft *d)
{
    push(d, STEP_READY, 0);
    push(d, STEP_WAIT, 0);
}

static int reserve(struct arena *a, size_t n, struct plan *out, struct err *err)
{
    *out = (struct plan){.maker = arena_array(a, n, sizeof(struct step)),
                         .child = arena_array(a, n, sizeof(struct step)),
                         .entered = arena_array(a, ENTERED_MAX, sizeof(struct step))};
    if (out->maker == NULL || out->child == NULL || out->entered == NULL)
        return err_set(err, 0, "the plan is too long");
    return 0;
}

int plan_make(struct arena *a, const struct oci_config *c, const struct plan_facts *f,
              struct plan *out, struct err *err)
{
    const struct oci_linux *l = &c->linux_;
    struct draft d = {.c = c, .p = &c->process, .f = f, .plan = out};
    /* Every list once, and each other kind at most once. */
    size_t n = STEP_KINDS + 1 + 2 * l->net_devices_n + l->devices_n + OCI_NS_KINDS + PLAN_DEVICES +
               PLAN_LINKS + 3 * c->mounts_n + l->devices_n + l->sysctl.n + l->masked_paths.n +
               l->readonly_paths.n + c->process.rlimits_n;

    if (reserve(a, n, out, err) < 0)
        return -1;
    decide_flags(&d);
    push_maker_steps(&d);
    push_entered_steps(&d);
    push_namespaces(&d);
    push_root(&d);
    if (c->process.set)
        push_process(&d, l->seccomp.set, has_hooks(&d, OCI_HOOK_START_CONTAINER));
    else
        push_nothing(&d);
    return 0;
}

int plan_make_exec(struct arena *a, const struct oci_process *p, const struct plan_facts *f,
                   struct plan *out, struct err *err)
{
    static const struct oci_config nothing = {.version = OCI_VERSION};
    struct draft d = {.c = &nothing, .p = p, .f = f, .plan = out};

    if (reserve(a, STEP_KINDS + p->rlimits_n, out, err) < 0)
        return -1;
    out->user_ns = f->exec_user_ns;
    push_maker(&d, STEP_CLONE, 0);
    if (f->cgroup && f->exec_cpus)
        push_maker(&d, STEP_CGROUP_ENTER, 0);
    if (f->exec_rdt)
        push_maker(&d, STEP_RDT_ENTER, 0);
    if (p->oom_score_adj.set)
        push_maker(&d, STEP_OOM_SCORE, 0);
    push_if(&d, f->cgroup && !f->exec_cpus, STEP_CGROUP_ENTER);
    push(&d, STEP_JOIN, OCI_NS_KINDS);
    push_if(&d, f->exec_user_ns, STEP_BECOME_ROOT);
    push(&d, STEP_SESSION, 0);
    push_if(&d, !f->no_new_keyring, STEP_KEYRING); /* the caller's keys are not for a container */
    push_if(&d, p->terminal, STEP_TERMINAL);
    push_process(&d, f->exec_filter, false);
    return 0;
}

int plan_make_mounts(struct arena *a, enum step_kind kind, size_t n, const struct plan_facts *f,
                     struct plan *out, struct err *err)
{
    struct draft d = {.f = f, .plan = out};

    if (reserve(a, STEP_KINDS + n, out, err) < 0)
        return -1;
    push_maker(&d, STEP_CLONE, 0);
    push_if(&d, f->cgroup, STEP_CGROUP_ENTER);
    push(&d, STEP_JOIN, OCI_NS_KINDS);
    push_if(&d, f->exec_user_ns, STEP_BECOME_ROOT);
    push_each(&d, kind, n);
    push(&d, STEP_READY, 0);
    push(&d, STEP_END, 0);
    return 0;
}
