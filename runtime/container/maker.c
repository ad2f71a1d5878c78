/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/maker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/child.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/container/join.h"
#include "runtime/container/listener.h"
#include "runtime/container/steps.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/proc.h"
#include "runtime/kernel/self.h"
#include "runtime/kernel/sys.h"

#define MAKER_CAUSE_MAX 160

static void close_one(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

int maker_init(struct maker *m, struct err *err)
{
    struct init *in = &m->init;

    m->sync_fd = m->cgroup_fd = m->state.dir_fd = -1;
    m->child = (struct container_child){.pid_fd = -1, .console_fd = -1, .notify_fd = -1};
    in->sync_fd = in->listen_fd = in->proc_fd = in->root_fd = in->join_fd = -1;
    in->dev_fd = in->mask_fd = in->null_fd = in->tty.master_fd = in->tty.slave_fd = -1;
    for (size_t i = 0; i < OCI_NS_KINDS; i++)
        in->ns_fds[i] = -1;
    m->hook_files = HOOK_FILES_NONE;
    m->arena = arena_new(MAKER_ARENA_MAX);
    return m->arena == NULL ? err_set(err, ENOMEM, "start a container") : 0;
}

void maker_done(struct maker *m)
{
    struct init *in = &m->init;
    int *fds[] = {&m->sync_fd,    &m->cgroup_fd, &m->state.dir_fd, &in->sync_fd,
                  &in->listen_fd, &in->proc_fd,  &in->root_fd,     &in->join_fd};

    for (size_t i = 0; i < ARRAY_N(fds); i++)
        close_one(fds[i]);
    for (size_t i = 0; i < OCI_NS_KINDS; i++)
        close_one(&in->ns_fds[i]);
    for (size_t i = 0; in->source_fds != NULL && i < m->config->mounts_n; i++)
        close_one(&in->source_fds[i]);
    for (size_t i = 0; in->device_fds != NULL && i < m->config->linux_.devices_n; i++)
        close_one(&in->device_fds[i]);
    cgroup_doors_close(&in->doors);
    hook_files_close(&m->hook_files);
    seccomp_done(&in->filter);
    arena_free(m->arena);
    m->arena = NULL;
}

/* --- before anything is opened ---------------------------------------------------------------- */

static int fill_stdio(struct err *err)
{
    for (int i = 0; i < 3; i++) {
        int fd = -1;

        if (fcntl(i, F_GETFD) >= 0)
            continue;
        fd = open("/dev/null", O_RDWR); /* the lowest free number, which is i */
        if (fd != i)
            return err_set(err, errno, "open '/dev/null' as descriptor %d", i);
    }
    return 0;
}

/* What is open now without close-on-exec came from whoever started this program; everything that
 * is opened from here on is close-on-exec, whichever number it gets. */
static void note_preserved(struct init *in, unsigned n)
{
    for (unsigned i = 0; i < n && i < INIT_KEEP_MAX; i++) {
        int flags = fcntl((int)i + 3, F_GETFD);

        if (flags >= 0 && (flags & FD_CLOEXEC) == 0)
            in->keep[i / 8] |= (uint8_t)(1U << i % 8);
    }
}

int maker_check_io(struct maker *m, const struct container_io *io, struct err *err)
{
    if (io->fds_n > CONTAINER_FDS_MAX || io->preserve_fds > INIT_KEEP_MAX)
        return err_set(err, E2BIG, "more than %d descriptors for the container", CONTAINER_FDS_MAX);
    for (size_t i = 0; i < io->fds_n; i++) {
        if (io->fds[i].at < 3 || io->fds[i].at > 4096)
            return err_set(err, EINVAL, "descriptor number %d for the container", io->fds[i].at);
        if (fcntl(io->fds[i].fd, F_GETFD) < 0)
            return err_set(err, errno, "descriptor %d for the container", io->fds[i].fd);
    }
    note_preserved(&m->init, io->preserve_fds);
    return fill_stdio(err);
}

int maker_env(struct maker *m, const struct oci_process *p, struct err *err)
{
    m->init.env = arena_array(m->arena, p->env.n + INIT_ENV_SPARE + 1, sizeof *m->init.env);
    if (m->init.env == NULL)
        return err_set(err, ENOMEM, "the environment");
    if (p->env.n > 0)
        memcpy(m->init.env, p->env.v, p->env.n * sizeof *m->init.env);
    m->init.env_n = p->env.n;
    return 0;
}

/* "unconfined" is what a process is where there is no AppArmor. */
int maker_check_labels(const struct oci_process *p, const char *profile_of_container,
                       struct err *err)
{
    const char *profile = p->apparmor_profile;

    if (profile != NULL && strcmp(profile, "unconfined") != 0 && !lsm_is_on(LSM_APPARMOR) &&
        (profile_of_container == NULL || strcmp(profile, profile_of_container) != 0))
        return err_set(err, 0, "$.process.apparmorProfile: AppArmor is not enabled on this host");
    if (p->selinux_label != NULL && !lsm_is_on(LSM_SELINUX))
        return err_set(err, 0, "$.process.selinuxLabel: SELinux is not enabled on this host");
    return 0;
}

void maker_warn(const struct maker *m, const char *text)
{
    if (m->env->warn != NULL)
        m->env->warn(m->env->warn_ctx, text);
}

void maker_warn_labels(const struct maker *m)
{
    const char *profile = m->config->process.apparmor_profile;

    if (profile != NULL && strcmp(profile, "unconfined") != 0 && !lsm_is_on(LSM_APPARMOR))
        maker_warn(m, "$.process.apparmorProfile: AppArmor is not enabled on this host: the "
                      "process is not confined");
    if (m->config->linux_.mount_label != NULL && !lsm_is_on(LSM_SELINUX))
        maker_warn(m, "$.linux.mountLabel: SELinux is not enabled on this host: the mounts go "
                      "without a label");
}

/* In a user namespace of its own a process begins with all capabilities. */
void maker_warn_caps(const struct maker *m, const struct oci_process *p)
{
    own_buf struct buf text = BUF_INIT(ERR_TEXT_MAX);
    uint64_t asked = 0;
    struct caps held;
    struct err ignored;

    for (size_t i = 0; i < OCI_CAP_SETS; i++)
        asked |= p->caps.mask[i];
    if (!p->caps.set || m->env->warn == NULL || caps_get(&held, &ignored) < 0)
        return;
    for (int cap = 0; oci_cap_name(cap) != NULL; cap++)
        if ((asked >> cap & 1) != 0 && (held.permitted >> cap & 1) == 0)
            buf_printf(&text, "%s %s", text.n > 0 ? "," : "", oci_cap_name(cap));
    if (text.n == 0)
        return;
    buf_append_c(&text, " (not held by this runtime): the process goes without");
    maker_warn(m, arena_printf(m->arena, "$.process.capabilities:%s", buf_c(&text)));
}

void maker_warn_memlock(const struct maker *m, const struct oci_process *p)
{
    struct rlimit now;
    struct caps held;
    struct err ignored;

    for (size_t i = 0; i < p->rlimits_n; i++)
        if (p->rlimits[i].resource == RLIMIT_MEMLOCK && getrlimit(RLIMIT_MEMLOCK, &now) == 0 &&
            p->rlimits[i].hard > now.rlim_max && caps_get(&held, &ignored) == 0 &&
            (held.effective >> CAP_SYS_RESOURCE & 1) == 0)
            maker_warn(m, "$.process.rlimits: RLIMIT_MEMLOCK is above the limit of this runtime: "
                          "the process has that one");
}

struct idmaps maker_idmaps(const struct maker *m, const struct oci_idmaps *from)
{
    struct idmap *v = arena_array(m->arena, from->n + 1, sizeof *v);

    for (size_t i = 0; v != NULL && i < from->n; i++)
        v[i] = (struct idmap){from->v[i].container_id, from->v[i].host_id, from->v[i].size};
    return (struct idmaps){v, v == NULL ? 0 : from->n};
}

/* --- clone ------------------------------------------------------------------------------------ */

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
    close_one(&m->sync_fd);
    close_one(&m->cgroup_fd);
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

/* What is to become an exec in the container, but is not in its pid namespace yet. The label is set
 * here, and inherited, so that nothing need be kept by which the host's /proc could be reached. */
static no_return void run_entry(struct maker *m, struct err *err)
{
    struct init *in = &m->init;

    if (step_label(in, 0, err) == 0) {
        close_one(&in->proc_fd);
        if (join_container(in, in->join_flags & ~CLONE_NEWCGROUP, err) == 0)
            m->child.pid = clone_into(m, CLONE_PARENT, &m->child.pid_fd);
    }
    if (m->child.pid == 0)
        run_child(m);
    if (m->child.pid < 0 && err->text[0] == '\0')
        (void)err_set(err, errno, "clone");
    _exit(m->child.pid < 0);
}

/* From the moment a process is in the container's pid namespace it is seen from inside, and one
 * with CAP_SYS_PTRACE there may take hold of it: by then it must have left the host. So a stage
 * enters all namespaces but that one, and makes the process. It shares our memory, not our
 * descriptors, while we wait. */
static int clone_inside(struct maker *m, struct err *err)
{
    struct init *in = &m->init;
    const int proc_fd = in->proc_fd, root_fd = in->root_fd;
    int status = 0;
    pid_t stage = -1;

    m->child.pid = -1;
    err_reset(err);
    stage = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): it never returns */
    if (stage == 0)
        run_entry(m, err); /* NOLINT(clang-analyzer-unix.Vfork): the memory is meant to be one */
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

static enum init_groups groups_of(const struct maker *m)
{
    if (m->groups_kept)
        return INIT_GROUPS_KEPT;
    return m->groups_denied || m->groups_denied_to_us ? INIT_GROUPS_DENIED : INIT_GROUPS_SET;
}

int maker_clone(struct maker *m, struct err *err)
{
    struct init *in = &m->init;
    int ends[2], flags = in->join_flags & (CLONE_NEWUSER | CLONE_NEWPID);
    bool exec = in->join_fd >= 0;

    in->groups = groups_of(m);
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
        if (clone_plain(m,
                        exec && (flags & CLONE_NEWPID) != 0 ? in->join_fd : in->ns_fds[OCI_NS_PID],
                        err) < 0)
            return -1;
    }
    close_one(&in->sync_fd);
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

/* --- from outside ----------------------------------------------------------------------------- */

int maker_enter_cgroup(struct maker *m, struct err *err)
{
    if (m->cgroup.n == 0)
        return 0;
    return cgroup_enter(&m->cgroup, m->child.pid,
                        m->init.in_v2 ? CGROUP_ENTER_V1 : CGROUP_ENTER_ALL, err);
}

/* Lowering needs a privilege that even root may lack in a container of its own: what cannot be
 * lowered stays as it is for an unprivileged caller, as other runtimes have it. */
int maker_oom_score(struct maker *m, struct err *err)
{
    char path[64], text[16];
    own_fd int proc_fd = proc_open(err);

    if (proc_fd < 0)
        return -1;
    (void)snprintf(path, sizeof path, "%d/oom_score_adj", m->child.pid);
    (void)snprintf(text, sizeof text, "%d", (int)m->init.process->oom_score_adj.v);
    if (proc_write(proc_fd, path, text, err) == 0)
        return 0;
    return err->code == EACCES && (geteuid() != 0 || idmap_is_inside()) ? 0 : -1;
}

/* --- serving ---------------------------------------------------------------------------------- */

static int send_console(struct maker *m, int fd, struct err *err)
{
    own_fd int sock = fd_unix_connect(m->io->console_socket, SOCK_STREAM, err);

    if (sock < 0 || fd_send(sock, STR("/dev/ptmx"), &fd, 1, err) < 0)
        return err_wrap(err, "hand the terminal to '%s'", m->io->console_socket);
    return 0;
}

static int take_console(struct maker *m, int *fd, struct err *err)
{
    if (*fd < 0)
        return err_set(err, EBADMSG, "a terminal did not come with its message");
    if (m->io->console_socket != NULL)
        return send_console(m, *fd, err);
    m->child.console_fd = take_fd(fd);
    return 0;
}

static int runtime_hooks(struct maker *m, struct err *err)
{
    struct hook_moment now = {
        .state = &m->hook_state, .status = "created", .pid = m->child.pid, .files = &m->hook_files};

    m->hooks_ran = true;
    if (hooks_run(m->config, OCI_HOOK_PRESTART, &now, err) < 0 ||
        hooks_run(m->config, OCI_HOOK_CREATE_RUNTIME, &now, err) < 0)
        return -1;
    return sync_send(m->sync_fd, SYNC_GO, 0, -1, err);
}

/* Before anything is executed there, for an exec must know. */
static int note_moved(struct maker *m, struct err *err)
{
    m->state.root_moved = true;
    return state_write(m->state.dir_fd, &m->state, err) < 0
               ? -1
               : sync_send(m->sync_fd, SYNC_GO, 0, -1, err);
}

#define EVENTS_MAX 4096

/* Did the kernel kill somebody in the container's group for want of memory? */
static bool ran_out_of_memory(const struct maker *m)
{
    const struct cgroup_hier *h = cgroup_find(&m->cgroup, "memory");
    own_buf struct buf text = BUF_INIT(EVENTS_MAX);
    struct str rest, line, count;
    struct err ignored;

    if (h == NULL ||
        cgroup_read(h, h->v2 ? "memory.events" : "memory.oom_control", &text, &ignored) < 0)
        return false;
    rest = buf_str(&text);
    while (str_next(&rest, '\n', &line))
        if (str_starts(line, STR("oom_kill ")) && str_cut(line, ' ', &line, &count))
            return !str_eq_c(count, "0");
    return false;
}

/* Why a signal may have come; "" where nothing is known. */
static void guess_cause(const struct maker *m, int signo, char out[MAKER_CAUSE_MAX])
{
    const struct oci_i64 *limit =
        m->config != NULL ? &m->config->linux_.resources.memory.limit : NULL;

    *out = '\0';
    if (signo == SIGKILL && ran_out_of_memory(m))
        (void)snprintf(out, MAKER_CAUSE_MAX, ": it ran out of memory");
    if (*out != '\0' && limit != NULL && limit->set)
        (void)snprintf(out, MAKER_CAUSE_MAX,
                       ": $.linux.resources.memory.limit, %lld bytes, is too low for the start",
                       (long long)limit->v);
    /* SIGSEGV is how it ends where even exit is forbidden. */
    if ((signo == SIGSYS || signo == SIGSEGV) && m->seccomp != NULL && m->seccomp->set)
        (void)snprintf(out, MAKER_CAUSE_MAX,
                       ": the seccomp profile forbids a system call that the start needs, such as "
                       "execve");
}

static int tell_of_end(const struct maker *m, const siginfo_t *info, struct err *err)
{
    char how[CHILD_TEXT_MAX], cause[MAKER_CAUSE_MAX];

    if (info->si_code == CLD_EXITED)
        return err_set(err, 0, "the container's process exited with %d before it could start",
                       info->si_status);
    child_describe(info->si_status, how);
    guess_cause(m, info->si_status, cause);
    return err_set(err, 0, "the container's process was %s before it could start%s", how, cause);
}

static int look_at_end(const struct maker *m, siginfo_t *info, struct err *err)
{
    *info = (siginfo_t){.si_pid = 0};
    if (waitid(P_PIDFD, (id_t)m->child.pid_fd, info, WEXITED | WNOWAIT) < 0)
        return err_set(err, errno, "wait for the container's process");
    return 0;
}

/* What became of a child that said nothing more. */
static int died(const struct maker *m, struct err *err)
{
    siginfo_t info;

    return look_at_end(m, &info, err) < 0 ? -1 : tell_of_end(m, &info, err);
}

/* The socket is closed by execve, and also by the end of a process that never got there. One whose
 * plan has another end (mounts) exits with 0. */
static int check_executed(const struct maker *m, struct err *err)
{
    siginfo_t info;
    struct proc_stat st;
    struct err ignored;

    if (proc_stat(m->child.pid, &st, &ignored) < 0 || st.executed)
        return 0;
    if (look_at_end(m, &info, err) < 0)
        return -1;
    return info.si_code == CLD_EXITED && info.si_status == 0 ? 0 : tell_of_end(m, &info, err);
}

/* One message: 1 to go on, 0 when done. */
static int serve_one(struct maker *m, struct sync_msg *msg, struct err *err)
{
    switch (msg->kind) {
    case SYNC_READY:
        m->ready = true;
        return m->facts.wait ? 0 : 1;
    case SYNC_CONSOLE:
        return take_console(m, &msg->fd, err) < 0 ? -1 : 1;
    case SYNC_MOVED:
        return note_moved(m, err) < 0 ? -1 : 1;
    case SYNC_HOOKS:
        return runtime_hooks(m, err) < 0 ? -1 : 1;
    case SYNC_LISTENER:
        if (listener_hand(m->seccomp, &m->state.public, m->child.pid, msg->fd, err) < 0)
            return -1;
        return sync_send(m->sync_fd, SYNC_GO, 0, -1, err) < 0 ? -1 : 1;
    case SYNC_ERROR:
        (void)err_set(err, 0, "%s", msg->text);
        err->code = msg->number;
        return -1;
    case SYNC_GO:
    case SYNC_STAGE:
        break;
    }
    return err_set(err, EBADMSG, "an unexpected message from the container's process");
}

int maker_go(struct maker *m, struct err *err)
{
    /* What a child that has ended said before is heard by maker_serve. */
    if (!m->gone && !m->plan.side_by_side &&
        sync_send(m->sync_fd, SYNC_GO, (int)groups_of(m), -1, err) < 0 && err->code != EPIPE &&
        err->code != ECONNRESET)
        return -1;
    m->gone = true;
    return 0;
}

/* Nothing that the new process may say asks for an answer. */
static bool only_listens(const struct maker *m)
{
    const struct oci_config *c = m->config; /* NULL: of an exec, which has no hooks */

    if (c != NULL && (c->hooks[OCI_HOOK_PRESTART].n > 0 || c->hooks[OCI_HOOK_CREATE_RUNTIME].n > 0))
        return false;
    return !m->facts.wait && !m->facts.no_pivot && m->init.process != NULL &&
           !m->init.process->terminal && (m->seccomp == NULL || m->seccomp->listener_path == NULL);
}

/* It says that it is ready a moment before it executes: to be woken twice would take a processor
 * from it. */
static void await_end(const struct maker *m)
{
    struct pollfd end = {.fd = m->sync_fd};

    while (poll(&end, 1, -1) < 0 && errno == EINTR)
        continue;
}

int maker_serve(struct maker *m, struct err *err)
{
    int r = maker_go(m, err);

    if (r < 0)
        return -1;
    self_release();
    if (only_listens(m))
        await_end(m);
    for (r = 1; r > 0;) {
        struct sync_msg msg;

        r = sync_recv(m->sync_fd, &msg, err);
        if (r == 0)
            return m->ready ? check_executed(m, err) : died(m, err);
        if (r < 0)
            return -1;
        r = serve_one(m, &msg, err);
        close_one(&msg.fd);
    }
    return r;
}

static bool is_stream(const struct stat *st)
{
    return S_ISFIFO(st->st_mode) || S_ISCHR(st->st_mode);
}

/* A file, or a link in its place, is replaced, so that a reader never sees half a number and
 * nothing is written through the link; a pipe or a terminal is written to. What is opened is looked
 * at once more, for it may be another by then. */
static int write_pid(const char *path, pid_t pid, struct err *err)
{
    struct stat st;
    char text[16];
    int n = snprintf(text, sizeof text, "%d", pid);
    struct str s = {text, (size_t)n};
    own_fd int fd = -1;

    if (stat(path, &st) < 0 || !is_stream(&st))
        return file_put(AT_FDCWD, path, s, 0644, err);
    fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(err, errno, "open '%s'", path);
    return is_stream(&st) ? fd_write_all(fd, s, err)
                          : err_set(err, EEXIST, "'%s' is no pipe any more", path);
}

int maker_publish(struct maker *m, struct err *err)
{
    own_fd int sock = -1;

    if (m->io->pid_file != NULL && write_pid(m->io->pid_file, m->child.pid, err) < 0)
        return err_wrap(err, "the pid file '%s'", m->io->pid_file);
    if (m->io->pidfd_socket == NULL)
        return 0;
    sock = fd_unix_connect(m->io->pidfd_socket, SOCK_STREAM, err);
    if (sock < 0 || fd_send(sock, STR("pidfd"), &m->child.pid_fd, 1, err) < 0)
        return err_wrap(err, "hand the pidfd to '%s'", m->io->pidfd_socket);
    return 0;
}

void maker_abort(struct maker *m)
{
    siginfo_t info;

    if (m->child.pid_fd >= 0) {
        (void)pidfd_send_signal(m->child.pid_fd, SIGKILL, NULL, 0);
        while (waitid(P_PIDFD, (id_t)m->child.pid_fd, &info, WEXITED | __WALL) < 0 &&
               errno == EINTR)
            continue;
    }
    close_one(&m->child.pid_fd);
    close_one(&m->child.console_fd);
    close_one(&m->child.notify_fd);
}
