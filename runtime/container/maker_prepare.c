/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is decided of a new container before anything is done: the configuration is loaded and
 * checked, paths are resolved, labels and groups judged, and the plan made of it. What is opened
 * here is opened to be looked at; nothing is made but memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/filter.h"
#include "runtime/container/limits.h"
#include "runtime/container/maker.h"
#include "runtime/container/sources.h"
#include "runtime/kernel/idmap.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/netdev.h"
#include "runtime/kernel/proc.h"

static int resolve(struct maker *m, const char *path, const char **out, struct err *err)
{
    own_free char *real = realpath(path, NULL);

    if (real == NULL)
        return err_set(err, errno, "open '%s'", path);
    *out = arena_copy(m->arena, str_of(real));
    return *out == NULL ? err_set(err, ENOMEM, "'%s'", path) : 0;
}

/* To join a namespace that one is in already is to have none of one's own: all that is not done to
 * the host's is not done to it under another name either. A user namespace is told apart later. */
static int see_through_paths(struct maker *m, struct err *err)
{
    static const char *const names[OCI_NS_KINDS] = {
        [OCI_NS_CGROUP] = "cgroup", [OCI_NS_IPC] = "ipc", [OCI_NS_UTS] = "uts",
        [OCI_NS_NETWORK] = "net",   [OCI_NS_PID] = "pid", [OCI_NS_MOUNT] = "mnt",
        [OCI_NS_TIME] = "time",
    };
    struct oci_config *seen = NULL;

    for (int i = 0; i < OCI_NS_KINDS; i++) {
        const struct oci_namespace *ns = &m->config->linux_.ns[i];

        if (ns->mode != OCI_NS_JOIN || names[i] == NULL || !proc_is_own_ns(ns->path, names[i]))
            continue;
        if (seen == NULL) {
            seen = arena_alloc(m->arena, sizeof *seen);
            if (seen == NULL)
                return err_set(err, ENOMEM, "the configuration");
            *seen = *m->config;
            m->config = seen;
        }
        seen->linux_.ns[i] = (struct oci_namespace){.mode = OCI_NS_HOST};
    }
    return 0;
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
    if (buf_check(&raw, "the configuration", err) < 0 || see_through_paths(m, err) < 0 ||
        oci_check(m->config, err) < 0)
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
    if (!sources_path(s->bundle, c->root.path, path, sizeof path))
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
        .scope = m->env->cgroups == CONTAINER_SYSTEMD,
        .wait = m->facts.wait,
        .network = m->create->network != CONTAINER_NETWORK_CONFIG,
    };
    m->inside = geteuid() == 0 && idmap_is_inside();
    m->groups_denied_to_us = m->inside && idmap_denies_groups(0);
    if (!m->config->process.set && !m->facts.wait)
        return err_set(err, 0, "$.process: expected an object, found nothing");
    if (maker_check_labels(&m->config->process, m->config->process.apparmor_profile, err) < 0)
        return -1;
    if (maker_decide_ids(m, err) < 0)
        return -1;
    if (!m->facts.cgroup && !limits_is_empty(&m->config->linux_.resources))
        return err_set(err, 0, "$.linux.resources: cannot be honoured with cgroups disabled");
    if (maker_decide_network(m, err) < 0)
        return err_wrap(err, "the network");
    if (decide_cgroup(m, err) < 0)
        return err_wrap(err, "$.linux.cgroupsPath");
    /* Whether the groups can be made at all must be known first where they might not be. */
    m->facts.slow_cgroups = m->env->cgroups == CONTAINER_CGROUPFS && m->facts.root && !m->inside;
    m->facts.unified = m->cgroup.unified;
    maker_warn_labels(m);
    m->groups_kept = oci_annotation_is_on(m->config, OCI_KEEP_GROUPS);
    if (m->config->linux_.ns[OCI_NS_USER].mode == OCI_NS_HOST)
        maker_warn_caps(m, &m->config->process);
    maker_warn_ambient(m, &m->config->process);
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
    in->personality = m->config->linux_.personality;
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
