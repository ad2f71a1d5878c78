/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create and run: the maker's side. The order of what is undone after a failure is the reverse of
 * the order in which it was done: process, cgroup, state.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/filter.h"
#include "runtime/container/limits.h"
#include "runtime/container/maker.h"
#include "runtime/container/notify.h"
#include "runtime/container/rdt_of.h"
#include "runtime/container/sources.h"
#include "runtime/container/steps.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/cgroup_v2.h"
#include "runtime/kernel/device.h"
#include "runtime/kernel/idmap.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/netdev.h"
#include "runtime/kernel/proc.h"

/* --- what is decided before anything is done -------------------------------------------------- */

static int resolve(struct maker *m, const char *path, const char **out, struct err *err)
{
    own_free char *real = realpath(path, NULL);

    if (real == NULL)
        return err_set(err, errno, "open '%s'", path);
    *out = arena_copy(m->arena, str_of(real));
    return *out == NULL ? err_set(err, ENOMEM, "'%s'", path) : 0;
}

static int load_config(struct maker *m, struct str *text, struct err *err)
{
    struct oci_config *c = NULL;
    own_buf struct buf raw = BUF_INIT(OCI_TEXT_MAX);
    const struct container_create *o = m->create;
    own_fd int dir_fd = open(m->state.public.bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0)
        return err_set(err, errno, "open the bundle '%s'", o->bundle);
    if (o->config != NULL) {
        m->config = o->config;
        if (o->text.n > 0)
            buf_append(&raw, o->text);
        else
            oci_dump(o->config, &raw);
    } else {
        if (file_read(dir_fd, STATE_CONFIG, &raw, err) < 0 ||
            oci_load_str(m->arena, buf_str(&raw), STATE_CONFIG, &c, err) < 0)
            return -1;
        m->config = c;
    }
    if (buf_check(&raw, "the configuration", err) < 0 || oci_check(m->config, err) < 0)
        return -1;
    *text = arena_str(m->arena, buf_str(&raw));
    return 0;
}

static const char *now_text(struct arena *a)
{
    struct timespec now;
    char text[CLOCK_TEXT_MAX];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    clock_text(&now, text);
    return arena_copy(a, str_of(text));
}

static int fill_state(struct maker *m, struct err *err)
{
    const struct oci_config *c = m->config;
    struct container_state *s = &m->state.public;
    char path[PATH_MAX];
    struct stat st;

    s->id = m->create->id;
    s->created = now_text(m->arena);
    s->owner = geteuid();
    s->own_pid_ns = c->linux_.ns[OCI_NS_PID].mode == OCI_NS_NEW;
    s->annotations = arena_array(m->arena, c->annotations.n + 1, sizeof *s->annotations);
    if (s->annotations == NULL)
        return err_set(err, ENOMEM, "annotations");
    for (size_t i = 0; i < c->annotations.n; i++)
        s->annotations[i] =
            (struct container_pair){c->annotations.v[i].key, c->annotations.v[i].value};
    s->annotations_n = c->annotations.n;
    s->cgroup = m->env->cgroups == CONTAINER_CGROUPS_DISABLED ? ""
                : c->linux_.cgroups_path != NULL              ? c->linux_.cgroups_path
                                                              : m->create->id;
    for (int i = 0; i < OCI_NS_KINDS; i++)
        if (c->linux_.ns[i].mode != OCI_NS_HOST)
            m->state.ns_flags |= (int)oci_ns_clone_flag[i];
    m->state.needs_config =
        (c->hooks[OCI_HOOK_POSTSTART].n > 0 ? STATE_FOR_START : 0U) |
        (c->hooks[OCI_HOOK_POSTSTOP].n > 0 || c->linux_.rdt.set ? STATE_FOR_DELETE : 0U) |
        (c->process.set ? 0U : STATE_NO_PROCESS);
    m->state.no_new_keyring = (m->create->flags & CONTAINER_NO_NEW_KEYRING) != 0;
    if (!bundle_path(s->bundle, c->root.path, path, sizeof path))
        return err_set(err, ENAMETOOLONG, "$.root.path");
    if (resolve(m, path, &s->rootfs, err) < 0)
        return err_wrap(err, "$.root.path");
    if (stat(s->rootfs, &st) == 0 && !S_ISDIR(st.st_mode))
        return err_set(err, ENOTDIR, "$.root.path: '%s'", s->rootfs);
    return 0;
}

/* Where the group of a scope is, is known when systemd has made it. */
static int decide_cgroup(struct maker *m, struct err *err)
{
    if (m->env->cgroups == CONTAINER_SYSTEMD)
        return scope_parse(m->arena, m->config->linux_.cgroups_path, m->create->id, &m->scope, err);
    if (!m->facts.cgroup)
        return 0;
    return cgroup_locate(m->arena, m->state.public.cgroup, &m->cgroup, err);
}

static int decide(struct maker *m, struct err *err)
{
    m->facts = (struct plan_facts){
        .root = geteuid() == 0,
        .rootfs = m->state.public.rootfs,
        .cgroup = m->env->cgroups != CONTAINER_CGROUPS_DISABLED,
        .no_pivot = (m->create->flags & CONTAINER_NO_PIVOT) != 0,
        .no_new_keyring = (m->create->flags & CONTAINER_NO_NEW_KEYRING) != 0,
        .wait = m->facts.wait,
        .network = m->create->network != CONTAINER_NETWORK_CONFIG,
    };
    m->inside = geteuid() == 0 && idmap_is_inside();
    m->groups_denied_to_us = m->inside && idmap_denies_groups(0);
    if (!m->config->process.set && !m->facts.wait)
        return err_set(err, 0, "$.process: expected an object, found nothing");
    if (maker_check_labels(&m->config->process, m->config->process.apparmor_profile, err) < 0)
        return -1;
    if (!m->facts.cgroup && !limits_is_empty(&m->config->linux_.resources))
        return err_set(err, 0, "$.linux.resources: cannot be honoured with cgroups disabled");
    if (maker_decide_network(m, err) < 0)
        return err_wrap(err, "the network");
    if (decide_cgroup(m, err) < 0)
        return err_wrap(err, "$.linux.cgroupsPath");
    /* Whether the groups can be made at all must be known first where they might not be. */
    m->facts.slow_cgroups =
        m->env->cgroups == CONTAINER_CGROUPFS && !m->cgroup.unified && m->facts.root && !m->inside;
    maker_warn_labels(m);
    m->groups_kept = oci_annotation_is_on(m->config, OCI_KEEP_GROUPS);
    if (m->config->linux_.ns[OCI_NS_USER].mode == OCI_NS_HOST)
        maker_warn_caps(m, &m->config->process);
    maker_warn_memlock(m, &m->config->process);
    sources_borrow_sysfs(m);
    return plan_make(m->arena, m->config, &m->facts, &m->plan, err);
}

/* The kernel would say EINVAL, whatever is wrong. */
static int check_namespace(int fd, int kind, const char *path, struct err *err)
{
    int type = ioctl(fd, NS_GET_NSTYPE);
    struct stat theirs, ours;

    for (int i = 0; i < OCI_NS_KINDS; i++)
        if (type == (int)oci_ns_clone_flag[i] && i != kind)
            return err_set(err, EINVAL,
                           "$.linux.namespaces: '%s' is a namespace of the type %s, not %s", path,
                           oci_ns_names[i], oci_ns_names[kind]);
    if (type < 0)
        return err_set(err, EINVAL, "$.linux.namespaces: '%s' is no namespace", path);
    if (kind == OCI_NS_USER && fstat(fd, &theirs) == 0 && stat("/proc/self/ns/user", &ours) == 0 &&
        theirs.st_ino == ours.st_ino)
        return err_set(err, EINVAL,
                       "$.linux.namespaces: the user namespace '%s' is the runtime's own, which "
                       "cannot be joined once more",
                       path);
    return 0;
}

static int open_namespaces(struct maker *m, struct err *err)
{
    if (m->plan.leaves) {
        m->init.ns_fds[OCI_NS_MOUNT] = proc_open_ns(getpid(), "mnt", err);
        if (m->init.ns_fds[OCI_NS_MOUNT] < 0)
            return -1;
    }
    for (int i = 0; i < OCI_NS_KINDS; i++) {
        const struct oci_namespace *ns = &m->config->linux_.ns[i];

        if (ns->mode != OCI_NS_JOIN)
            continue;
        m->init.ns_fds[i] = open(ns->path, O_RDONLY | O_CLOEXEC);
        if (m->init.ns_fds[i] < 0)
            return err_set(err, errno, "$.linux.namespaces: open the %s namespace '%s'",
                           oci_ns_names[i], ns->path);
        if (check_namespace(m->init.ns_fds[i], i, ns->path, err) < 0)
            return -1;
    }
    return 0;
}

static int prepare_init(struct maker *m, struct err *err)
{
    struct init *in = &m->init;

    in->config = m->config;
    in->process = &m->config->process;
    in->memory_policy = &m->config->linux_.memory_policy;
    in->plan = &m->plan;
    in->io = m->io;
    in->mount_label = lsm_is_on(LSM_SELINUX) ? m->config->linux_.mount_label : NULL;
    in->cgroup = m->cgroup.n > 0 ? &m->cgroup : NULL;
    in->hook_state = &m->hook_state;
    in->hook_files = &m->hook_files;
    in->no_pivot = m->facts.no_pivot;
    in->id = m->create->id;
    in->bundle = m->state.public.bundle;
    in->rootfs = m->state.public.rootfs;
    in->listen_pid = (m->create->flags & CONTAINER_LISTEN_PID) != 0;
    in->filter_flags = m->config->linux_.seccomp.flags;
    in->filter_listens = filter_listens(&m->config->linux_.seccomp);
    m->seccomp = &m->config->linux_.seccomp;
    if (sources_init(m, err) < 0)
        return -1;
    in->device_fds = arena_array(m->arena, m->config->linux_.devices_n + 1, sizeof(int));
    if (in->device_fds == NULL)
        return err_set(err, ENOMEM, "$.linux.devices");
    for (size_t i = 0; i < m->config->linux_.devices_n; i++)
        in->device_fds[i] = -1;
    in->netdevs = arena_array(m->arena, m->config->linux_.net_devices_n, sizeof *in->netdevs);
    if (in->netdevs == NULL)
        return err_set(err, ENOMEM, "$.linux.netDevices");
    in->proc_fd = proc_open(err);
    if (in->proc_fd < 0 || open_namespaces(m, err) < 0)
        return -1;
    if (hook_state_make(m->arena, &m->state.public, &m->hook_state, err) < 0 ||
        hook_files_open(m->config, &m->hook_files, err) < 0)
        return -1;
    return maker_env(m, in->process, err);
}

int maker_prepare(struct maker *m, struct str *text, struct err *err)
{
    if (resolve(m, m->create->bundle, &m->state.public.bundle, err) < 0)
        return err_wrap(err, "the bundle");
    if (load_config(m, text, err) < 0 || fill_state(m, err) < 0 || decide(m, err) < 0)
        return -1;
    return prepare_init(m, err);
}

/* --- the maker's steps ------------------------------------------------------------------------ */

static int make_cgroup(struct maker *m, enum cgroup_part part, struct err *err)
{
    return m->env->cgroups == CONTAINER_SYSTEMD ? maker_make_scope(m, err)
                                                : cgroup_make(&m->cgroup, part, err);
}

static void cgroup_is_made(struct maker *m)
{
    m->state.cgroup = m->cgroup;
    m->cgroup_begun = false;
}

/* An ordinary user without a delegated group runs without one, unless limits were asked for. */
static bool may_go_without(const struct maker *m)
{
    return m->env->rootless == CONTAINER_ROOTLESS_YES ||
           (m->env->rootless == CONTAINER_ROOTLESS_AUTO && (geteuid() != 0 || m->inside));
}

static int go_without_cgroup(const struct maker *m, struct err *err)
{
    if ((err->code != EACCES && err->code != EPERM && err->code != EROFS) || !may_go_without(m))
        return -1;
    if (!limits_is_empty(&m->config->linux_.resources))
        return err_wrap(err, "$.linux.resources asks for limits, for which no control group is "
                             "delegated to this user");
    err_reset(err);
    return 0;
}

/* 4294967295, nobody's id, where there is no mapping. */
static uint32_t host_id(const struct oci_idmaps *maps, uint32_t id)
{
    for (size_t i = 0; i < maps->n; i++)
        if (id >= maps->v[i].container_id && id - maps->v[i].container_id < maps->v[i].size)
            return maps->v[i].host_id + (id - maps->v[i].container_id);
    return maps->n == 0 ? id : UINT32_MAX;
}

/* Only on v2, where a group can be handed on safely. */
static int give_cgroup(const struct maker *m, struct err *err)
{
    const struct oci_linux *l = &m->config->linux_;
    uint32_t uid = host_id(&l->uid_maps, m->config->process.user.uid);

    if (!m->cgroup.unified || geteuid() != 0 || uid == 0 || uid == UINT32_MAX ||
        !may_divide_cgroup(m->config))
        return 0;
    for (size_t i = 0; i < m->cgroup.n; i++)
        if (m->cgroup.v[i].v2 && cgroup_v2_give(&m->cgroup.v[i], uid, err) < 0)
            return -1;
    return 0;
}

static int step_cgroup_make(struct maker *m, size_t index, struct err *err)
{
    enum cgroup_part part = (enum cgroup_part)index;

    if (make_cgroup(m, part, err) < 0)
        return go_without_cgroup(m, err);
    m->init.cgroup_made = true;
    m->cgroup_begun = part == CGROUP_V2;
    if (part != CGROUP_V1)
        m->cgroup_fd = cgroup_open_v2(&m->cgroup);
    if (part != CGROUP_V2)
        cgroup_is_made(m);
    return give_cgroup(m, err);
}

static bool wants_realtime(const struct oci_scheduler *s)
{
    return s->set && (s->policy == SCHED_FIFO || s->policy == SCHED_RR);
}

static int step_cgroup_limits(struct maker *m, size_t index, struct err *err)
{
    const struct oci_resources *r = &m->config->linux_.resources;
    struct limits limits;

    (void)index;
    if (!m->init.cgroup_made)
        return 0;
    if (limits_make(m->arena, r, &limits, err) < 0)
        return -1;
    if (wants_realtime(&m->config->process.scheduler))
        limits_add_realtime(r, &limits);
    if (limits_apply(&m->cgroup, &limits, err) < 0)
        return -1;
    if (geteuid() == 0) {
        if (limits_apply_devices(&m->cgroup, r, err) == 0)
            return 0;
        if ((err->code != EPERM && err->code != EACCES) || !m->inside)
            return -1;
        err_reset(err);
    }
    if (r->devices_n > 0)
        maker_warn(m, "$.linux.resources.devices: an ordinary user cannot set device rules: the "
                      "container goes without");
    return 0;
}

static int step_rdt_make(struct maker *m, size_t index, struct err *err)
{
    const struct oci_rdt *o = &m->config->linux_.rdt;

    (void)index;
    if (!rdt_is_on(RDT_ROOT))
        return err_set(err, 0, "$.linux.intelRdt: no resctrl file system is mounted at '%s'",
                       RDT_ROOT);
    if (rdt_of(m->arena, o, m->create->id, &m->rdt, err) < 0)
        return -1;
    m->rdt_made = rdt_make(&m->rdt, err) == 0;
    return m->rdt_made ? 0 : -1;
}

static int step_rdt_enter(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    return rdt_enter(&m->rdt, m->child.pid, err);
}

static int step_netdev_look(struct maker *m, size_t index, struct err *err)
{
    return netdev_look(m->config->linux_.net_devices[index].name, &m->init.netdevs[index], err);
}

static int open_net_ns(const struct maker *m, struct err *err)
{
    int fd = m->init.ns_fds[OCI_NS_NETWORK];

    if (fd < 0)
        return proc_open_ns(m->child.pid, "net", err);
    fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return fd >= 0 ? fd : err_set(err, errno, "the network namespace");
}

static int step_netdev_move(struct maker *m, size_t index, struct err *err)
{
    const struct oci_net_device *o = &m->config->linux_.net_devices[index];
    own_fd int ns_fd = open_net_ns(m, err);

    return ns_fd < 0 ? -1
                     : netdev_move(&m->init.netdevs[index], ns_fd,
                                   o->new_name != NULL ? o->new_name : o->name, err);
}

static int step_open_root(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    m->init.root_fd = mount_clone(AT_FDCWD, m->init.rootfs, MOUNT_TREE, err);
    return m->init.root_fd < 0 ? -1 : sources_detach(m->config, m->init.root_fd, false, err);
}

#define NODE_NAME_MAX 32

static void node_name(size_t index, char out[NODE_NAME_MAX])
{
    (void)snprintf(out, NODE_NAME_MAX, "node-%zu", index);
}

static int step_device_node(struct maker *m, size_t index, struct err *err)
{
    const struct oci_linux *l = &m->config->linux_;
    struct device d = device_of_config(m->config, index);
    char name[NODE_NAME_MAX];

    if (S_ISFIFO(d.mode)) /* which the child makes itself */
        return 0;
    d.uid = host_id(&l->uid_maps, d.uid);
    d.gid = host_id(&l->gid_maps, d.gid);
    if (d.uid == UINT32_MAX || d.gid == UINT32_MAX)
        return err_set(err, EINVAL, "its owner is not mapped into the user namespace");
    node_name(index, name);
    m->init.device_fds[index] = device_node(m->state.dir_fd, name, &d, err);
    return m->init.device_fds[index] < 0 ? -1 : 0;
}

/* Once they are in place. */
static void forget_nodes(const struct maker *m)
{
    char name[NODE_NAME_MAX];

    for (size_t i = 0; i < m->config->linux_.devices_n; i++) {
        node_name(i, name);
        if (m->init.device_fds[i] >= 0)
            (void)unlinkat(m->state.dir_fd, name, 0); /* else it goes with the state */
    }
}

static int step_compile_filter(struct maker *m, size_t index, struct err *err)
{
    const struct seccomp_program *known = m->create->filter;

    (void)index;
    if (known == NULL)
        return filter_check_names(m->config, err) < 0
                   ? -1
                   : filter_make(m->arena, m->env->filters, &m->config->linux_.seccomp,
                                 &m->init.filter, err);
    m->init.filter = (struct seccomp_program){mem_array(known->n, sizeof *known->code), known->n};
    memcpy(m->init.filter.code, known->code, known->n * sizeof *known->code);
    return 0;
}

static int step_open_source(struct maker *m, size_t index, struct err *err)
{
    return sources_open(m, index, err);
}

static int step_idmap(struct maker *m, size_t index, struct err *err)
{
    return sources_idmap(m, index, err);
}

static int step_clone(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    if (m->init.cgroup_made && !m->plan.side_by_side &&
        cgroup_doors_open(&m->cgroup, &m->init.doors, err) < 0)
        return -1;
    /* In a pid namespace that others are in already, they see it at once. */
    return m->init.ns_fds[OCI_NS_PID] >= 0 && !m->plan.new_user_ns ? maker_clone_undumpable(m, err)
                                                                   : maker_clone(m, err);
}

static int step_go(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    return maker_go(m, err);
}

/* A child that has failed already is heard by maker_serve. */
static int step_cgroup_admit(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    if (sync_send(m->sync_fd, SYNC_GO, 0, -1, err) == 0)
        return 0;
    if (err->code != EPIPE && err->code != ECONNRESET)
        return -1;
    err_reset(err);
    return 0;
}

static int step_id_maps(struct maker *m, size_t index, struct err *err)
{
    const struct oci_linux *l = &m->config->linux_;

    (void)index;
    return idmap_write(m->child.pid, maker_idmaps(m, &l->uid_maps), maker_idmaps(m, &l->gid_maps),
                       &m->groups_denied, err);
}

static int step_oom_score(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    return maker_oom_score(m, err);
}

/* In a user namespace of its own the child cannot raise a hard limit; what is refused here is told
 * by the child's own step, with the limit's name. */
static int step_raise_rlimits(struct maker *m, size_t index, struct err *err)
{
    const struct oci_process *p = &m->config->process;

    (void)index;
    (void)err;
    for (size_t i = 0; i < p->rlimits_n; i++) {
        __rlimit_resource_t what = (__rlimit_resource_t)p->rlimits[i].resource;
        struct rlimit now;

        if (getrlimit(what, &now) < 0 || p->rlimits[i].hard <= now.rlim_max)
            continue;
        now.rlim_max = p->rlimits[i].hard;
        if (prlimit(m->child.pid, what, &now, NULL) < 0)
            continue;
    }
    return 0;
}

static int step_network(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    return maker_network(m, err);
}

typedef int maker_step(struct maker *m, size_t index, struct err *err);

static maker_step *const steps[STEP_KINDS] = {
    [STEP_CGROUP_MAKE] = step_cgroup_make,
    [STEP_CGROUP_LIMITS] = step_cgroup_limits,
    [STEP_RDT_MAKE] = step_rdt_make,
    [STEP_RDT_ENTER] = step_rdt_enter,
    [STEP_NETDEV_LOOK] = step_netdev_look,
    [STEP_NETDEV_MOVE] = step_netdev_move,
    [STEP_OPEN_ROOT] = step_open_root,
    [STEP_OPEN_SOURCE] = step_open_source,
    [STEP_DEVICE_NODE] = step_device_node,
    [STEP_COMPILE_FILTER] = step_compile_filter,
    [STEP_CLONE] = step_clone,
    [STEP_GO] = step_go,
    [STEP_CGROUP_ADMIT] = step_cgroup_admit,
    [STEP_ID_MAPS] = step_id_maps,
    [STEP_OOM_SCORE] = step_oom_score,
    [STEP_RAISE_RLIMITS] = step_raise_rlimits,
    [STEP_IDMAP] = step_idmap,
    [STEP_NETWORK] = step_network,
};

static int wrap_step(const struct maker *m, const struct step *s, struct err *err)
{
    own_buf struct buf text = BUF_INIT(512);

    plan_print_step(m->config, &m->config->process, s, &text);
    return err_wrap(err, "%s", buf_c(&text));
}

static int walk(struct maker *m, struct err *err)
{
    for (size_t i = 0; i < m->plan.maker_n; i++) {
        const struct step *s = &m->plan.maker[i];

        if (steps[s->kind](m, s->index, err) < 0)
            return wrap_step(m, s, err);
    }
    return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int open_start_socket(struct maker *m, struct err *err)
{
    const char *dir = state_path(m->arena, m->env, m->create->id);
    const char *path = arena_printf(m->arena, "%s/" STATE_SOCKET, dir);

    m->init.listen_fd = fd_unix_listen(path, SOCK_SEQPACKET, 0600, 1, err);
    return m->init.listen_fd < 0 ? -1 : 0;
}

int maker_write_config(const struct maker *m, struct str text, struct err *err)
{
    own_fd int fd =
        openat(m->state.dir_fd, STATE_CONFIG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set(err, errno, "make '" STATE_CONFIG "' of the state");
    return fd_write_all(fd, text, err) < 0 ? err_wrap(err, "'" STATE_CONFIG "' of the state") : 0;
}

int maker_write_state(struct maker *m, struct err *err)
{
    struct proc_stat st;

    if (proc_stat(m->child.pid, &st, err) < 0)
        return -1;
    m->state.public.pid = m->child.pid;
    m->state.public.pid_start = st.start;
    return state_write(m->state.dir_fd, &m->state, err);
}

static int start_hooks(struct maker *m, struct err *err)
{
    struct hook_moment now = {
        .state = &m->hook_state, .status = "running", .pid = m->child.pid, .files = &m->hook_files};

    return hooks_run(m->config, OCI_HOOK_POSTSTART, &now, err);
}

static int open_notify(struct maker *m, struct err *err)
{
    if (m->io->notify_host == NULL)
        return 0;
    if (notify_make(m->state.dir_fd, err) < 0)
        return -1;
    if (m->facts.wait) /* `start` binds the socket, for it will listen */
        return 0;
    m->child.notify_host = m->io->notify_host;
    m->child.notify_fd = notify_bind(state_path(m->arena, m->env, m->create->id), err);
    return m->child.notify_fd < 0 ? -1 : 0;
}

/* Who asks for the state while hooks of the runtime run is told "created", also in a `run`, which
 * has no socket for `start`: its name is enough. */
static bool needs_mark(const struct maker *m)
{
    const struct oci_hooks *h = m->config->hooks;

    return !m->facts.wait && (h[OCI_HOOK_PRESTART].n > 0 || h[OCI_HOOK_CREATE_RUNTIME].n > 0 ||
                              h[OCI_HOOK_CREATE_CONTAINER].n > 0);
}

static int mark_created(const struct maker *m, struct err *err)
{
    own_fd int fd = -1;

    if (!needs_mark(m))
        return 0;
    fd = openat(m->state.dir_fd, STATE_SOCKET, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? err_set(err, errno, "make '" STATE_SOCKET "' of the state") : 0;
}

static int mark_running(const struct maker *m, struct err *err)
{
    if (!needs_mark(m) || unlinkat(m->state.dir_fd, STATE_SOCKET, 0) == 0)
        return 0;
    return err_set(err, errno, "remove '" STATE_SOCKET "' of the state");
}

static int carry_out(struct maker *m, struct str text, struct err *err)
{
    if (maker_write_config(m, text, err) < 0 || open_notify(m, err) < 0)
        return -1;
    if (m->facts.wait ? open_start_socket(m, err) < 0 : mark_created(m, err) < 0)
        return -1;
    if (walk(m, err) < 0 || maker_go(m, err) < 0 || maker_write_state(m, err) < 0 ||
        maker_serve(m, err) < 0 || mark_running(m, err) < 0 || maker_publish(m, err) < 0)
        return -1;
    forget_nodes(m);
    maker_end_placeholder(m);
    return m->facts.wait ? 0 : start_hooks(m, err);
}

void maker_undo(struct maker *m)
{
    struct err ignored;

    maker_abort(m);
    usernet_end(&m->state.net);
    maker_end_placeholder(m);
    if (m->state.scope != NULL && scope_stop(m->state.scope, &ignored) < 0)
        err_reset(&ignored); /* the rest goes all the same */
    if (m->rdt_made && rdt_remove(&m->rdt, &ignored) < 0)
        err_reset(&ignored); /* the rest goes all the same */
    if (m->state.cgroup.n > 0) {
        if (cgroup_signal(&m->state.cgroup, SIGKILL, &ignored) < 0)
            return; /* what cannot be ended keeps its state, so that delete can try again */
        if (cgroup_remove(&m->state.cgroup, &ignored) < 0)
            return;
    }
    if (m->cgroup_begun)
        cgroup_unmake(&m->cgroup, CGROUP_V2);
    if (state_remove(m->env, m->create->id, &ignored) < 0)
        return;
}

/* The specification: after a hook that failed the container goes as if it were deleted, poststop
 * hooks included. They also take back what hooks did before a later step failed. */
static void undo_hooks(const struct maker *m, struct err *err)
{
    struct hook_moment now = {.state = &m->hook_state, .status = "stopped"};

    if (m->hooks_ran || err->code == HOOK_FAILED)
        hooks_run_all(m->config, OCI_HOOK_POSTSTOP, &now, m->env);
    if (err->code == HOOK_FAILED)
        err->code = 0;
}

static int make(struct maker *m, struct err *err)
{
    struct str text = STR_NONE;

    if (container_id_check(m->create->id, err) < 0 || maker_check_io(m, m->io, err) < 0 ||
        maker_init(m, err) < 0 || maker_prepare(m, &text, err) < 0)
        return -1;
    m->state.dir_fd = state_reserve(m->env, m->create->id, err);
    if (m->state.dir_fd < 0)
        return -1;
    if (carry_out(m, text, err) == 0)
        return 0;
    maker_undo(m);
    undo_hooks(m, err);
    return -1;
}

static int create(const struct container_env *env, const struct container_create *c, bool wait,
                  struct container_child *child, struct err *err)
{
    struct maker m = {.env = env, .create = c, .io = &c->io, .facts = {.wait = wait}};
    int r = make(&m, err);

    if (r == 0)
        *child = m.child;
    if (m.arena != NULL)
        maker_done(&m);
    return r;
}

int container_create(const struct container_env *env, const struct container_create *c,
                     struct container_child *child, struct err *err)
{
    return create(env, c, true, child, err);
}

int container_run(const struct container_env *env, const struct container_create *c,
                  struct container_child *child, struct err *err)
{
    return create(env, c, false, child, err);
}

int container_plan_text(const struct container_env *env, const struct container_create *c,
                        struct buf *out, struct err *err)
{
    struct container_env quiet = *env;
    struct maker m = {.env = &quiet, .create = c, .io = &c->io};
    struct str text = STR_NONE;
    int r = maker_init(&m, err);

    quiet.warn = NULL; /* the start itself will say it */
    if (r == 0)
        r = maker_prepare(&m, &text, err);
    if (r == 0)
        plan_print(m.config, &m.config->process, &m.plan, out);
    if (m.arena != NULL)
        maker_done(&m);
    return r;
}
