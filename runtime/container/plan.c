/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order is explained in README.md. In short: what needs the host's view comes before the pivot,
 * what needs privilege before the change of user, what must not be undone last; the system call
 * filter is loaded as late as its privilege permits.
 */
#include "runtime/container/plan.h"

#include <linux/sched.h>
#include <string.h>
#include <sys/mount.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
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

struct maker {
    const struct oci_config *c;
    const struct oci_process *p;
    const struct plan_facts *f;
    struct plan *plan;
};

static void push_maker(struct maker *m, enum step_kind kind, size_t index)
{
    m->plan->maker[m->plan->maker_n++] = (struct step){kind, index};
}

static void push_maker_each(struct maker *m, enum step_kind kind, size_t n)
{
    for (size_t i = 0; i < n; i++)
        push_maker(m, kind, i);
}

static void push(struct maker *m, enum step_kind kind, size_t index)
{
    m->plan->child[m->plan->child_n++] = (struct step){kind, index};
}

static void push_if(struct maker *m, bool yes, enum step_kind kind)
{
    if (yes)
        push(m, kind, 0);
}

static void push_each(struct maker *m, enum step_kind kind, size_t n)
{
    for (size_t i = 0; i < n; i++)
        push(m, kind, i);
}

static enum oci_ns_mode mode(const struct maker *m, enum oci_ns_kind kind)
{
    return m->c->linux_.ns[kind].mode;
}

static bool is_new(const struct maker *m, enum oci_ns_kind kind)
{
    return mode(m, kind) == OCI_NS_NEW;
}

/* --- the maker's part ------------------------------------------------------------------------- */

static bool has_idmaps(const struct oci_config *c)
{
    for (size_t i = 0; i < c->mounts_n; i++)
        if (c->mounts[i].idmap != OCI_MOUNT_NO_IDMAP)
            return true;
    return false;
}

/* Only where the child needs nothing more from its maker than the groups. */
static bool may_go_ahead(const struct maker *m)
{
    const struct oci_linux *l = &m->c->linux_;

    return m->f->root && m->f->cgroup && m->f->slow_cgroups && !m->plan->user_ns &&
           is_new(m, OCI_NS_MOUNT) && !l->rdt.set && l->net_devices_n == 0 && !has_idmaps(m->c) &&
           !m->f->network;
}

/* The cgroup namespace takes the group the process is in when it is made, so it is made after the
 * process was put there; a time namespace with offsets must not have a process in it before they
 * are written. With a joined user namespace all are made inside it. */
static void decide_flags(struct maker *m)
{
    bool joined = mode(m, OCI_NS_USER) == OCI_NS_JOIN;
    const uint64_t late = CLONE_NEWCGROUP | CLONE_NEWTIME;

    for (int i = 0; i < OCI_NS_KINDS; i++) {
        uint64_t flag = oci_ns_clone_flag[i];

        if (!is_new(m, (enum oci_ns_kind)i))
            continue;
        if ((flag & late) != 0)
            m->plan->unshare_flags |= flag;
        else
            m->plan->clone_flags |= flag;
    }
    m->plan->leaves = mode(m, OCI_NS_MOUNT) == OCI_NS_HOST;
    if (m->plan->leaves)
        m->plan->clone_flags |= CLONE_NEWNS;
    m->plan->new_user_ns = is_new(m, OCI_NS_USER);
    m->plan->user_ns = joined || m->plan->new_user_ns;
    m->plan->side_by_side = may_go_ahead(m);
    if (m->plan->side_by_side) {
        m->plan->begin_flags = m->plan->clone_flags & ~(uint64_t)CLONE_NEWPID;
        m->plan->clone_flags &= CLONE_NEWPID;
    }
}

/* Is the root, where the container's mounts are attached, beneath the path? */
static bool is_above_root(const struct maker *m, const char *path)
{
    size_t n = strlen(path);

    while (n > 0 && path[n - 1] == '/')
        n--;
    return m->f->rootfs == NULL ||
           (strncmp(m->f->rootfs, path, n) == 0 && (m->f->rootfs[n] == '/' || n == 0));
}

/* Who makes the copy of a bind mount's source? The child, when the mount's turn has come, so that
 * the kernel lists the mounts in the order of the configuration. But the maker, in its own context,
 * where a path could not be searched by the container's user or ids are mapped; where the copy is
 * to stay a peer of the host's mount; and where the copy would hold the container's own mounts. */
static bool is_maker_s(const struct maker *m, const struct oci_mount *o)
{
    bool shared = false;

    for (size_t i = 0; i < o->propagation_n; i++)
        shared |= (o->propagation[i] & MS_SHARED) != 0;
    return m->plan->user_ns || o->idmap != OCI_MOUNT_NO_IDMAP ||
           (shared && (m->c->linux_.rootfs_propagation & MS_SHARED) != 0) ||
           ((o->ms_set & MS_REC) != 0 && (o->source == NULL || is_above_root(m, o->source)));
}

static void push_sources(struct maker *m)
{
    if (!m->f->root)
        return;
    push_maker(m, STEP_OPEN_ROOT, 0);
    for (size_t i = 0; i < m->c->mounts_n; i++)
        if (oci_mount_is_bind(&m->c->mounts[i]) && (m->c->mounts[i].ms_set & MS_REMOUNT) == 0 &&
            is_maker_s(m, &m->c->mounts[i]))
            push_maker(m, STEP_OPEN_SOURCE, i);
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
static void push_nodes(struct maker *m)
{
    if (m->f->root && m->plan->user_ns && !dev_is_bound(m->c))
        push_maker_each(m, STEP_DEVICE_NODE, m->c->linux_.devices_n);
}

static void push_maker_steps(struct maker *m)
{
    /* The v2 group first in any case: clone puts the child into it. */
    if (m->f->cgroup)
        push_maker(m, STEP_CGROUP_MAKE, m->plan->side_by_side ? CGROUP_V2 : CGROUP_ALL);
    if (m->f->cgroup && !m->plan->side_by_side)
        push_maker(m, STEP_CGROUP_LIMITS, 0);
    if (m->c->linux_.rdt.set)
        push_maker(m, STEP_RDT_MAKE, 0);
    push_sources(m);
    push_nodes(m);
    if (m->c->linux_.seccomp.set)
        push_maker(m, STEP_COMPILE_FILTER, 0);
    push_maker_each(m, STEP_NETDEV_LOOK, m->c->linux_.net_devices_n);
    push_maker(m, STEP_CLONE, 0);
    if (m->plan->side_by_side) {
        push_maker(m, STEP_GO, 0);
        push_maker(m, STEP_CGROUP_MAKE, CGROUP_V1);
        push_maker(m, STEP_CGROUP_LIMITS, 0);
        push_maker(m, STEP_CGROUP_ADMIT, 0);
    }
    if (m->c->linux_.rdt.set)
        push_maker(m, STEP_RDT_ENTER, 0);
    push_maker_each(m, STEP_NETDEV_MOVE, m->c->linux_.net_devices_n);
    if (m->plan->new_user_ns)
        push_maker(m, STEP_ID_MAPS, 0);
    if (m->f->network)
        push_maker(m, STEP_NETWORK, 0);
    for (size_t i = 0; i < m->c->mounts_n; i++)
        if (m->c->mounts[i].idmap != OCI_MOUNT_NO_IDMAP)
            push_maker(m, STEP_IDMAP, i);
    if (m->p->oom_score_adj.set)
        push_maker(m, STEP_OOM_SCORE, 0);
    if (m->plan->new_user_ns && m->p->rlimits_n > 0)
        push_maker(m, STEP_RAISE_RLIMITS, 0);
}

/* --- the child's part ------------------------------------------------------------------------- */

/* A pid namespace is entered by whoever clones; a user namespace, which gives the right to the
 * others, by the stage before the clone. */
static void push_namespaces(struct maker *m)
{
    push_if(m, m->plan->begin_flags != 0, STEP_UNSHARE);
    if (!m->plan->side_by_side)
        push_if(m, m->f->cgroup, STEP_CGROUP_ENTER);
    for (int i = 0; i < OCI_NS_KINDS; i++)
        if (i != OCI_NS_PID && i != OCI_NS_USER && mode(m, (enum oci_ns_kind)i) == OCI_NS_JOIN)
            push(m, STEP_JOIN, (size_t)i);
    push_if(m, m->plan->user_ns, STEP_BECOME_ROOT);
    push(m, STEP_SESSION, 0);
    push_if(m, !m->f->no_new_keyring, STEP_KEYRING);
    if (!m->plan->side_by_side)
        push_if(m, (m->plan->unshare_flags & CLONE_NEWCGROUP) != 0, STEP_UNSHARE_CGROUP);
    push_if(m, (m->plan->unshare_flags & CLONE_NEWTIME) != 0, STEP_UNSHARE_TIME);
    push_if(m, is_new(m, OCI_NS_NETWORK), STEP_LOOPBACK);
    push_each(m, STEP_NETDEV_SETTLE, m->c->linux_.net_devices_n);
    push_if(m, m->c->hostname != NULL, STEP_HOSTNAME);
    push_if(m, m->c->domainname != NULL, STEP_DOMAINNAME);
}

static bool is_default_device(const struct oci_config *c, size_t i)
{
    for (size_t k = 0; k < c->linux_.devices_n; k++)
        if (strcmp(c->linux_.devices[k].path, plan_devices[i].path) == 0)
            return false; /* the config has one of its own of that name */
    return true;
}

static void push_devices(struct maker *m)
{
    enum step_kind kind = m->plan->user_ns ? STEP_DEVICE_BIND : STEP_DEVICE;

    if (dev_is_bound(m->c))
        return;
    push(m, STEP_CHECK_DEV, 0);
    for (size_t i = 0; i < PLAN_DEVICES; i++)
        if (is_default_device(m->c, i))
            push(m, kind, i);
    for (size_t i = 0; i < m->c->linux_.devices_n; i++)
        push(m, kind, PLAN_DEVICES + i);
    push_each(m, STEP_LINK, PLAN_LINKS);
}

static bool has_hooks(const struct maker *m, enum oci_hook_kind kind)
{
    return m->c->hooks[kind].n > 0;
}

/* The groups are to be seen in it, or its content is to be charged to them. */
static bool needs_cgroups(const struct oci_mount *m)
{
    return !oci_mount_is_bind(m) && (strcmp(m->type, "cgroup") == 0 || m->tmpcopyup);
}

/* The groups are entered when a mount needs them, and at the latest when the mounts are done. */
static void push_mounts(struct maker *m)
{
    bool outside = m->plan->side_by_side;

    for (size_t i = 0; i <= m->c->mounts_n; i++) {
        if (outside && (i == m->c->mounts_n || needs_cgroups(&m->c->mounts[i]))) {
            push(m, STEP_CGROUP_ENTER, 0);
            push_if(m, (m->plan->unshare_flags & CLONE_NEWCGROUP) != 0, STEP_UNSHARE_CGROUP);
            outside = false;
        }
        if (i < m->c->mounts_n)
            push(m, STEP_MOUNT, i);
    }
}

static void push_root(struct maker *m)
{
    push(m, STEP_PROPAGATION, 0);
    push(m, STEP_ROOT, 0);
    push_mounts(m);
    push_devices(m);
    push_if(m, m->p->terminal, STEP_TERMINAL);
    push_if(m, has_hooks(m, OCI_HOOK_PRESTART) || has_hooks(m, OCI_HOOK_CREATE_RUNTIME),
            STEP_HOOKS_RUNTIME);
    push_if(m, has_hooks(m, OCI_HOOK_CREATE_CONTAINER), STEP_HOOKS_CONTAINER);
    push_each(m, STEP_SYSCTL, m->c->linux_.sysctl.n);
    push_if(m, m->c->root.readonly && m->p->set && strcmp(m->p->cwd, "/") != 0, STEP_MAKE_CWD);
    push_if(m, m->c->root.readonly, STEP_ROOT_READONLY);
    push(m, m->f->no_pivot ? STEP_MOVE_ROOT : STEP_PIVOT, 0);
    push_each(m, STEP_MASK, m->c->linux_.masked_paths.n);
    push_each(m, STEP_READONLY, m->c->linux_.readonly_paths.n);
    push_if(m, m->c->linux_.rootfs_propagation != 0, STEP_ROOT_PROPAGATION);
    push_if(m, m->plan->leaves, STEP_LEAVE);
}

/* From here on create and exec are alike. */
static void push_process(struct maker *m, bool filter, bool start_hooks)
{
    bool early = filter && !m->p->no_new_privs;
    /* Engines know from a failed `create` that there is no such program; `run` finds out at once.
     */
    bool look = m->f->wait && m->p->args.n > 0;

    push(m, STEP_HOME, 0);
    push(m, STEP_STDIO, 0);
    push_each(m, STEP_RLIMIT, m->p->rlimits_n);
    push_if(m, m->c->linux_.personality_set, STEP_PERSONALITY);
    push_if(m, m->p->scheduler.set, STEP_SCHEDULER);
    push_if(m, m->p->ioprio.set, STEP_IOPRIO);
    push_if(m, m->c->linux_.memory_policy.set || m->f->exec_mempolicy, STEP_MEMPOLICY);
    push_if(m, m->p->apparmor_profile != NULL || m->p->selinux_label != NULL, STEP_LABEL);
    push(m, STEP_CWD, 0);
    /* From here on the profile judges the runtime's own calls, so as few as can be follow. */
    push_if(m, early, STEP_DESCRIPTORS);
    push_if(m, early && look, STEP_LOOK);
    push_if(m, early, STEP_FILTER);
    push_if(m, m->p->caps.set, STEP_BOUNDING);
    push(m, STEP_USER, 0);
    push_if(m, m->p->caps.set, STEP_CAPS);
    push_if(m, m->p->no_new_privs, STEP_NO_NEW_PRIVS);
    push_if(m, !early && look, STEP_LOOK);
    push(m, STEP_READY, 0);
    push_if(m, m->f->wait, STEP_WAIT);
    /* Hooks of the container are programs of the image: they get no more than its process will. */
    push_if(m, !early, STEP_DESCRIPTORS);
    push_if(m, start_hooks, STEP_HOOKS_START);
    push_if(m, filter && !early, STEP_FILTER);
    push(m, STEP_EXEC, 0);
}

/* A container without a process can be created and not be started: its namespaces are held until it
 * is killed. */
static void push_nothing(struct maker *m)
{
    push(m, STEP_READY, 0);
    push(m, STEP_WAIT, 0);
}

static int reserve(struct arena *a, size_t n, struct plan *out, struct err *err)
{
    *out = (struct plan){.maker = arena_array(a, n, sizeof(struct step)),
                         .child = arena_array(a, n, sizeof(struct step))};
    if (out->maker == NULL || out->child == NULL)
        return err_set(err, 0, "the plan is too long");
    return 0;
}

int plan_make(struct arena *a, const struct oci_config *c, const struct plan_facts *f,
              struct plan *out, struct err *err)
{
    const struct oci_linux *l = &c->linux_;
    struct maker m = {.c = c, .p = &c->process, .f = f, .plan = out};
    /* Every list once, and each other kind at most once. */
    size_t n = STEP_KINDS + 1 + 2 * l->net_devices_n + l->devices_n + OCI_NS_KINDS + PLAN_DEVICES +
               PLAN_LINKS + 2 * c->mounts_n + l->devices_n + l->sysctl.n + l->masked_paths.n +
               l->readonly_paths.n + c->process.rlimits_n;

    if (reserve(a, n, out, err) < 0)
        return -1;
    decide_flags(&m);
    push_maker_steps(&m);
    push_namespaces(&m);
    push_root(&m);
    if (c->process.set)
        push_process(&m, l->seccomp.set, has_hooks(&m, OCI_HOOK_START_CONTAINER));
    else
        push_nothing(&m);
    return 0;
}

int plan_make_exec(struct arena *a, const struct oci_process *p, const struct plan_facts *f,
                   struct plan *out, struct err *err)
{
    static const struct oci_config nothing = {.version = OCI_VERSION};
    struct maker m = {.c = &nothing, .p = p, .f = f, .plan = out};

    if (reserve(a, STEP_KINDS + p->rlimits_n, out, err) < 0)
        return -1;
    out->user_ns = f->exec_user_ns;
    push_maker(&m, STEP_CLONE, 0);
    if (f->cgroup && f->exec_cpus)
        push_maker(&m, STEP_CGROUP_ENTER, 0);
    if (f->exec_rdt)
        push_maker(&m, STEP_RDT_ENTER, 0);
    if (p->oom_score_adj.set)
        push_maker(&m, STEP_OOM_SCORE, 0);
    push_if(&m, f->cgroup && !f->exec_cpus, STEP_CGROUP_ENTER);
    push(&m, STEP_JOIN, OCI_NS_KINDS);
    push_if(&m, f->exec_user_ns, STEP_BECOME_ROOT);
    push(&m, STEP_SESSION, 0);
    push_if(&m, !f->no_new_keyring, STEP_KEYRING); /* the caller's keys are not for a container */
    push_if(&m, p->terminal, STEP_TERMINAL);
    push_process(&m, f->exec_filter, false);
    return 0;
}

int plan_make_mounts(struct arena *a, enum step_kind kind, size_t n, const struct plan_facts *f,
                     struct plan *out, struct err *err)
{
    struct maker m = {.f = f, .plan = out};

    if (reserve(a, STEP_KINDS + n, out, err) < 0)
        return -1;
    push_maker(&m, STEP_CLONE, 0);
    push_if(&m, f->cgroup, STEP_CGROUP_ENTER);
    push(&m, STEP_JOIN, OCI_NS_KINDS);
    push_if(&m, f->exec_user_ns, STEP_BECOME_ROOT);
    push_each(&m, kind, n);
    push(&m, STEP_READY, 0);
    push(&m, STEP_END, 0);
    return 0;
}

/* --- as text ---------------------------------------------------------------------------------- */

static const char *const names[STEP_KINDS] = {
    [STEP_CGROUP_MAKE] = "make the cgroup",
    [STEP_CGROUP_LIMITS] = "set the limits",
    [STEP_RDT_MAKE] = "make the resctrl group",
    [STEP_OPEN_ROOT] = "open the root",
    [STEP_OPEN_SOURCE] = "open the source of",
    [STEP_DEVICE_NODE] = "make a node for",
    [STEP_COMPILE_FILTER] = "compile the filter",
    [STEP_NETDEV_LOOK] = "look at network device",
    [STEP_CLONE] = "clone",
    [STEP_GO] = "let it begin",
    [STEP_ID_MAPS] = "write the id maps",
    [STEP_CGROUP_ADMIT] = "let it enter the cgroup",
    [STEP_CGROUP_ENTER] = "enter the cgroup",
    [STEP_OOM_SCORE] = "set the oom score",
    [STEP_RAISE_RLIMITS] = "raise hard limits",
    [STEP_IDMAP] = "map the ids of",
    [STEP_NETWORK] = "connect the network",
    [STEP_RDT_ENTER] = "enter the resctrl group",
    [STEP_NETDEV_MOVE] = "move network device",
    [STEP_UNSHARE] = "make namespaces",
    [STEP_JOIN] = "join namespace",
    [STEP_BECOME_ROOT] = "become root of the user namespace",
    [STEP_SESSION] = "start a session",
    [STEP_KEYRING] = "join a new keyring",
    [STEP_UNSHARE_CGROUP] = "unshare cgroup",
    [STEP_UNSHARE_TIME] = "unshare time",
    [STEP_LOOPBACK] = "bring up loopback",
    [STEP_NETDEV_SETTLE] = "set up network device",
    [STEP_HOSTNAME] = "set hostname",
    [STEP_DOMAINNAME] = "set domainname",
    [STEP_PROPAGATION] = "keep mounts from spreading",
    [STEP_ROOT] = "mount the root",
    [STEP_MOUNT] = "mount",
    [STEP_UNMOUNT] = "unmount",
    [STEP_CHECK_DEV] = "look at /dev",
    [STEP_DEVICE] = "make device",
    [STEP_DEVICE_BIND] = "bind device",
    [STEP_LINK] = "link",
    [STEP_TERMINAL] = "open a terminal",
    [STEP_HOOKS_RUNTIME] = "hooks prestart, createRuntime",
    [STEP_HOOKS_CONTAINER] = "hooks createContainer",
    [STEP_SYSCTL] = "set sysctl",
    [STEP_MAKE_CWD] = "make directory",
    [STEP_ROOT_READONLY] = "make the root read-only",
    [STEP_PIVOT] = "pivot into the root",
    [STEP_MOVE_ROOT] = "change root without pivot",
    [STEP_MASK] = "mask",
    [STEP_READONLY] = "make read-only",
    [STEP_ROOT_PROPAGATION] = "set the root's propagation",
    [STEP_LEAVE] = "return to the runtime's mount namespace",
    [STEP_HOME] = "look up HOME",
    [STEP_STDIO] = "set stdin, stdout, stderr",
    [STEP_RLIMIT] = "limit",
    [STEP_PERSONALITY] = "set personality",
    [STEP_SCHEDULER] = "set the scheduler",
    [STEP_IOPRIO] = "set the I/O priority",
    [STEP_MEMPOLICY] = "set the memory policy",
    [STEP_LABEL] = "set the security label",
    [STEP_CWD] = "enter",
    [STEP_LOOK] = "look for",
    [STEP_FILTER] = "load the filter",
    [STEP_BOUNDING] = "drop from the bounding set",
    [STEP_USER] = "become",
    [STEP_CAPS] = "set capabilities",
    [STEP_NO_NEW_PRIVS] = "set no_new_privs",
    [STEP_READY] = "say ready",
    [STEP_WAIT] = "wait for start",
    [STEP_HOOKS_START] = "hooks startContainer",
    [STEP_DESCRIPTORS] = "close descriptors",
    [STEP_EXEC] = "execute",
    [STEP_END] = "end",
};

static const char *device_path(const struct oci_config *c, size_t i)
{
    return i < PLAN_DEVICES ? plan_devices[i].path : c->linux_.devices[i - PLAN_DEVICES].path;
}

static void print_mount(const struct oci_mount *m, struct buf *out)
{
    buf_printf(out, " %s (%s)", m->destination, oci_mount_is_bind(m) ? "bind" : m->type);
}

static void print_of_config(const struct oci_config *c, const struct step *s, struct buf *out)
{
    if (s->kind == STEP_MOUNT || s->kind == STEP_UNMOUNT || s->kind == STEP_OPEN_SOURCE ||
        s->kind == STEP_IDMAP)
        print_mount(&c->mounts[s->index], out);
    else if (s->kind == STEP_MAKE_CWD)
        buf_printf(out, " %s", c->process.cwd);
    else if (s->kind == STEP_DEVICE_NODE)
        buf_printf(out, " %s", c->linux_.devices[s->index].path);
    else if (s->kind == STEP_DEVICE || s->kind == STEP_DEVICE_BIND)
        buf_printf(out, " %s", device_path(c, s->index));
    else if (s->kind == STEP_NETDEV_LOOK || s->kind == STEP_NETDEV_MOVE ||
             s->kind == STEP_NETDEV_SETTLE)
        buf_printf(out, " %s", c->linux_.net_devices[s->index].name);
    else if (s->kind == STEP_LINK)
        buf_printf(out, " %s", plan_links[s->index].path);
    else if (s->kind == STEP_JOIN && s->index < OCI_NS_KINDS)
        buf_printf(out, " %s '%s'", oci_ns_names[s->index], c->linux_.ns[s->index].path);
    else if (s->kind == STEP_SYSCTL)
        buf_printf(out, " %s", c->linux_.sysctl.v[s->index].key);
    else if (s->kind == STEP_MASK)
        buf_printf(out, " %s", c->linux_.masked_paths.v[s->index]);
    else if (s->kind == STEP_READONLY)
        buf_printf(out, " %s", c->linux_.readonly_paths.v[s->index]);
    else if (s->kind == STEP_CGROUP_MAKE && s->index != CGROUP_ALL)
        buf_append_c(out, s->index == CGROUP_V1 ? " (v1)" : " (v2)");
    else if (s->kind == STEP_HOSTNAME)
        buf_printf(out, " %s", c->hostname);
    else if (s->kind == STEP_DOMAINNAME)
        buf_printf(out, " %s", c->domainname);
}

static void print_of_process(const struct oci_process *p, const struct step *s, struct buf *out)
{
    if (s->kind == STEP_RLIMIT)
        buf_printf(out, " %s", p->rlimits[s->index].name);
    else if (s->kind == STEP_CWD)
        buf_printf(out, " %s", p->cwd);
    else if (s->kind == STEP_USER)
        buf_printf(out, " %u:%u", p->user.uid, p->user.gid);
    else if ((s->kind == STEP_EXEC || s->kind == STEP_LOOK) && p->args.n > 0)
        buf_printf(out, " %s", p->args.v[0]);
}

void plan_print_step(const struct oci_config *c, const struct oci_process *p,
                     const struct step *step, struct buf *out)
{
    buf_append_c(out, names[step->kind]);
    if (c != NULL)
        print_of_config(c, step, out);
    if (p != NULL)
        print_of_process(p, step, out);
}

static void print_flags(uint64_t flags, struct buf *out)
{
    for (int i = 0; i < OCI_NS_KINDS; i++)
        if ((flags & oci_ns_clone_flag[i]) != 0)
            buf_printf(out, " %s", oci_ns_names[i]);
}

void plan_print(const struct oci_config *c, const struct oci_process *p, const struct plan *plan,
                struct buf *out)
{
    for (size_t i = 0; i < plan->maker_n; i++) {
        buf_append_c(out, "maker: ");
        plan_print_step(c, p, &plan->maker[i], out);
        if (plan->maker[i].kind == STEP_CLONE)
            print_flags(plan->clone_flags, out);
        buf_append_char(out, '\n');
    }
    for (size_t i = 0; i < plan->child_n; i++) {
        buf_append_c(out, "child: ");
        plan_print_step(c, p, &plan->child[i], out);
        if (plan->child[i].kind == STEP_UNSHARE)
            print_flags(plan->begin_flags, out);
        buf_append_char(out, '\n');
    }
}
