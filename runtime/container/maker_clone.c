/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STEP_CLONE: the process is made where it has to be. In the usual case that is one clone3, with
 * the pid namespace joined for the moment. A user namespace cannot be left again, so it is joined
 * by a stage, a process in between. And an exec that could be seen from inside the container too
 * early is made by a stage that has left the host before (clone_inside).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/child.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/container/join.h"
#include "runtime/container/maker.h"
#include "runtime/container/steps.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/environ.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/self.h"
#include "runtime/kernel/sys.h"

static pid_t clone_now(const struct maker *m, uint64_t extra, int cgroup_fd, int *pid_fd)
{
    struct clone_args args = {.flags = m->plan.clone_flags | extra | CLONE_PIDFD,
                              .pidfd = (uintptr_t)pid_fd,
                              .exit_signal = (extra & CLONE_PARENT) != 0 ? 0 : SIGCHLD};

    if (cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (unsigned)cgroup_fd;
    }
    return sys_clone3(&args);
}

static bool has_scope(const struct maker *m)
{
    return m->state.scope != NULL && m->state.scope[0] != '\0';
}

/* Into the v2 group right away where there is one and the kernel can; else it is moved later. An
 * ordinary user may do neither from a login's session, which is no part of what is delegated. */
static pid_t clone_into(struct maker *m, uint64_t extra, int *pid_fd)
{
    pid_t pid = -1;

    if (m->cgroup_fd >= 0) {
        m->init.in_v2 = true; /* the child sees it, too */
        pid = clone_now(m, extra, m->cgroup_fd, pid_fd);
        if (pid >= 0)
            return pid;
        m->attach = errno == EACCES && has_scope(m);
    }
    m->init.in_v2 = m->attach;
    return clone_now(m, extra, -1, pid_fd);
}

static no_return void run_child(struct maker *m)
{
    fd_close(&m->sync_fd);
    fd_close(&m->cgroup_fd);
    init_main(&m->init);
}

/* A pid namespace is entered by children only, so the maker joins it for the moment of the clone.
 */
static int clone_plain(struct maker *m, int pid_ns_fd, struct err *err)
{
    own_fd int back_fd = -1;
    int r = 0;

    if (pid_ns_fd >= 0) {
        back_fd = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        if (back_fd < 0 || setns(pid_ns_fd, CLONE_NEWPID) < 0)
            return err_set(err, errno, "join the pid namespace");
    }
    m->child.pid = clone_into(m, 0, &m->child.pid_fd);
    if (m->child.pid == 0)
        run_child(m);
    if (m->child.pid < 0)
        r = err_set(err, errno, "clone");
    if (back_fd >= 0 && setns(back_fd, CLONE_NEWPID) < 0 && r == 0)
        r = err_set(err, errno, "return to the own pid namespace");
    return r;
}

/* The stage: a process that joins the user namespace (and the pid namespace, which it owns) and
 * then makes the child as its own sibling. */
static no_return void run_stage(struct maker *m, int user_fd, int pid_ns_fd, int flags)
{
    struct err err;
    struct sync_msg ignored;
    int r = flags != 0 ? setns(m->init.join_fd, flags) : setns(user_fd, CLONE_NEWUSER);

    (void)ignored;
    if (r == 0 && pid_ns_fd >= 0)
        r = setns(pid_ns_fd, CLONE_NEWPID);
    if (r < 0) {
        (void)err_set(&err, errno, "join the user namespace");
        sync_send_error(m->init.sync_fd, &err);
        _exit(1);
    }
    m->child.pid = clone_into(m, CLONE_PARENT, &m->child.pid_fd);
    if (m->child.pid == 0)
        run_child(m);
    if (m->child.pid < 0) {
        (void)err_set(&err, errno, "clone");
        sync_send_error(m->init.sync_fd, &err);
        _exit(1);
    }
    _exit(sync_send(m->init.sync_fd, SYNC_STAGE, m->child.pid * 4 + 2 * m->attach + m->init.in_v2,
                    m->child.pid_fd, &err) < 0);
}

static int clone_by_stage(struct maker *m, int user_fd, int pid_ns_fd, int flags, struct err *err)
{
    struct sync_msg msg;
    int status = 0, r = 0;
    pid_t stage = fork();

    if (stage == 0)
        run_stage(m, user_fd, pid_ns_fd, flags);
    if (stage < 0)
        return err_set(err, errno, "fork");
    r = sync_recv(m->sync_fd, &msg, err);
    while (waitpid(stage, &status, 0) < 0 && errno == EINTR)
        continue;
    if (r < 0)
        return -1;
    if (r == 1 && msg.kind == SYNC_STAGE && msg.fd >= 0) {
        m->child.pid = msg.number / 4;
        m->attach = (msg.number & 2) != 0;
        m->init.in_v2 = (msg.number & 1) != 0;
        m->child.pid_fd = msg.fd;
        return 0;
    }
    return r == 1 && msg.kind == SYNC_ERROR ? err_set(err, 0, "%s", msg.text)
                                            : err_set(err, EPIPE, "join the user namespace");
}

/* Entered later: a cgroup namespace in the group, a time namespace by who shares no memory. */
#define LATER_FLAGS (CLONE_NEWCGROUP | CLONE_NEWTIME)

/* The descriptors that the new process needs. It has them from its first moment, and the container
 * can see them from then on, so it has no others: not what our caller left open. */
struct kept {
    int *v;
    size_t n;
};

static int list_kept(const struct maker *m, struct kept *k, struct err *err)
{
    const struct init *in = &m->init;
    const size_t sources_n = in->source_fds != NULL ? m->config->mounts_n : 0;

    k->n = 0;
    k->v = arena_array(m->arena, 4 + in->doors.n + sources_n, sizeof *k->v);
    if (k->v == NULL)
        return err_set(err, ENOMEM, "the descriptors of the process");
    k->v[k->n++] = in->root_fd; /* which the stage exchanges */
    k->v[k->n++] = in->sync_fd;
    k->v[k->n++] = in->join_fd;
    k->v[k->n++] = m->cgroup_fd;
    for (size_t i = 0; i < in->doors.n; i++)
        k->v[k->n++] = in->doors.fds[i];
    for (size_t i = 0; i < sources_n; i++)
        k->v[k->n++] = in->source_fds[i];
    return 0;
}

/* The process closes some of these itself: no number is used again until then. */
static int let_go(const struct init *in, struct kept *k, struct err *err)
{
    k->v[0] = in->root_fd;
    return close_all_else(in, k->v, k->n, err);
}

/* With nothing of our caller's environment in its memory. */
static int clone_bare(struct maker *m, struct err *err)
{
    struct environ_hidden hidden;

    if (environ_hide(&hidden, err) < 0)
        return -1;
    m->child.pid = clone_into(m, CLONE_PARENT, &m->child.pid_fd);
    if (m->child.pid == 0)
        run_child(m);
    if (m->child.pid < 0)
        (void)err_set(err, errno, "clone");
    environ_show(&hidden);
    return m->child.pid < 0 ? -1 : 0;
}

/* Of v1: the file by which the group is entered that says which devices may be used, or -1. *opened
 * is closed by the caller. */
static int devices_door(const struct maker *m, int *opened, struct err *err)
{
    const struct cgroup_hier *h = cgroup_find(&m->cgroup, "devices");
    const struct cgroup_doors *d = &m->init.doors;
    size_t i = h == NULL ? 0 : (size_t)(h - m->cgroup.v);

    if (h == NULL || h->v2)
        return -1;
    if (i < d->n && d->fds[i] >= 0)
        return d->fds[i];
    *opened = cgroup_open(h, "tasks", err);
    return *opened;
}

/* What is to become an exec in the container, but is not in its pid namespace yet. The label is set
 * here, and inherited, so that nothing need be kept by which the host's /proc could be reached. */
static no_return void run_entry(struct maker *m, struct kept *k, int door_fd, struct err *err)
{
    struct init *in = &m->init;
    int r = step_label(in, 0, err);

    if (r == 0)
        fd_close(&in->proc_fd);
    if (r == 0)
        r = join_container(in, in->join_flags & ~LATER_FLAGS, err);
    /* Whoever takes hold of the new process may do what it may: all devices would be open to him.
     * Of the other groups it enters those itself, for in them the stage would count, or stand
     * still. */
    if (r == 0 && door_fd >= 0)
        r = cgroup_door_enter(door_fd, err);
    if (r == 0)
        r = let_go(in, k, err);
    if (r == 0)
        r = clone_bare(m, err);
    _exit(r < 0);
}

/* As the container sees it, where it does; else -1. */
static int group_inside(const struct maker *m)
{
    static const char *const places[] = {"sys/fs/cgroup", "sys/fs/cgroup/unified"};

    for (size_t i = 0; i < ARRAY_N(places); i++) {
        own_fd int fd = sys_openat2(m->init.root_fd, places[i], O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
                                    RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

        if (fd >= 0 && dir_is_same(fd, m->cgroup_fd))
            return take_fd(&fd);
    }
    return -1;
}

/* By a mount that is attached nowhere, so that ".." leads to nothing, and through which nobody can
 * write, to raise his own limits; nor make it writable, for it is dissolved by then. */
static int group_alone(const struct maker *m)
{
    const struct mount_change read_only = {.set = MOUNT_ATTR_RDONLY};
    struct err ignored;
    own_fd int fd = mount_clone(m->cgroup_fd, "", MOUNT_ONE, &ignored);

    if (fd < 0 || mount_set(fd, MOUNT_ONE, &read_only, &ignored) < 0)
        return -1;
    return openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* The group's directory is in the new process until it is closed there, and leads to all that is
 * above it in its mount. The container's own mount leads to nothing new. */
static void hide_group(struct maker *m)
{
    int fd = -1;

    if (m->cgroup_fd < 0)
        return;
    fd = group_inside(m);
    if (fd < 0)
        fd = group_alone(m); /* if that fails, the process puts itself in */
    fd_close(&m->cgroup_fd);
    m->cgroup_fd = fd;
}

/* From the moment a process is in the container's pid namespace it is seen from inside, and one
 * with CAP_SYS_PTRACE there may take hold of it: by then it must have left the host. So a stage
 * enters all namespaces but that one, and makes the process. It shares our memory, not our
 * descriptors, while we wait. */
static int clone_inside(struct maker *m, struct err *err)
{
    struct init *in = &m->init;
    const int proc_fd = in->proc_fd, root_fd = in->root_fd;
    own_fd int opened = -1;
    int status = 0, door_fd = -1;
    pid_t stage = -1;
    struct kept kept;

    hide_group(m);
    err_reset(err);
    door_fd = devices_door(m, &opened, err);
    if ((door_fd < 0 && err->text[0] != '\0') || list_kept(m, &kept, err) < 0)
        return -1;
    m->child.pid = -1;
    stage = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): it never returns */
    if (stage == 0)  /* the memory is meant to be one: */
        run_entry(m, &kept, door_fd, err); /* NOLINT(clang-analyzer-unix.Vfork) */
    in->proc_fd = proc_fd;
    in->root_fd = root_fd;
    if (stage < 0)
        return err_set(err, errno, "vfork");
    while (waitpid(stage, &status, 0) < 0 && errno == EINTR)
        continue;
    if (m->child.pid < 0)
        return err->text[0] != '\0' ? -1 : err_set(err, 0, "the stage of the start was ended");
    m->child.pid_fd = pidfd_open(m->child.pid, 0);
    if (m->child.pid_fd >= 0)
        return 0;
    (void)err_set(err, errno, "watch process %d", m->child.pid);
    (void)kill(m->child.pid, SIGKILL); /* our own child, which nobody has reaped */
    (void)waitpid(m->child.pid, NULL, 0);
    return -1;
}

/* It waits for our word, so that it is in the group before it does anything. */
static int attach(const struct maker *m, struct err *err)
{
    const char *sub = "";

    if (!m->attach)
        return 0;
    for (size_t i = 0; i < m->cgroup.n; i++)
        if (m->cgroup.v[i].v2)
            sub = m->cgroup.v[i].path + strlen(m->state.cgroup.v[i].path);
    return scope_attach(m->state.scope, sub, m->child.pid, err);
}

enum init_groups maker_groups(const struct maker *m)
{
    if (m->groups_kept)
        return INIT_GROUPS_KEPT;
    return m->groups_denied || m->groups_denied_to_us ? INIT_GROUPS_DENIED : INIT_GROUPS_SET;
}

/* That the process is cloned into; -1: the maker's, or it is entered later. */
static int pid_ns_of(const struct maker *m, int flags)
{
    if (m->init.join_fd >= 0 && (flags & CLONE_NEWPID) != 0)
        return m->init.join_fd;
    return m->plan.enters_late ? -1 : m->init.ns_fds[OCI_NS_PID];
}

int maker_clone(struct maker *m, struct err *err)
{
    struct init *in = &m->init;
    int ends[2], flags = in->join_flags & (CLONE_NEWUSER | CLONE_NEWPID);
    bool exec = in->join_fd >= 0;

    in->groups = maker_groups(m);
    /* Others may be there who can look into it: by then there must be no detached mount of our
     * program left that they could make writable. */
    if ((m->plan.clone_flags & CLONE_NEWPID) == 0)
        self_release();
    if (fd_socketpair(SOCK_SEQPACKET, ends, err) < 0)
        return -1;
    m->sync_fd = ends[0];
    in->sync_fd = ends[1];
    if (join_is_seen(in)) {
        if (clone_inside(m, err) < 0)
            return -1;
    } else if (in->ns_fds[OCI_NS_USER] >= 0 ||
               (exec && (flags & CLONE_NEWUSER) != 0 && geteuid() != 0)) {
        if (exec)
            in->join_flags &= ~flags;
        if (clone_by_stage(m, in->ns_fds[OCI_NS_USER], in->ns_fds[OCI_NS_PID], exec ? flags : 0,
                           err) < 0)
            return -1;
    } else {
        if (exec)
            in->join_flags &= ~CLONE_NEWPID;
        if (clone_plain(m, pid_ns_of(m, flags), err) < 0)
            return -1;
    }
    fd_close(&in->sync_fd);
    return attach(m, err);
}

int maker_clone_undumpable(struct maker *m, struct err *err)
{
    int before = prctl(PR_GET_DUMPABLE), r = 0;

    if (prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) < 0)
        return err_set(err, errno, "become undumpable");
    r = maker_clone(m, err);
    if (before == 1)
        (void)prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL);
    return r;
}
