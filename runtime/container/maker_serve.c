/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maker's side of the conversation over the sync socket, from its word "go" to execve; and of
 * what the process ended if it never got there.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/child.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/container/held.h"
#include "runtime/container/listener.h"
#include "runtime/container/maker.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/proc.h"
#include "runtime/kernel/self.h"
#include "runtime/kernel/sys.h"

#define MAKER_CAUSE_MAX 160

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
    struct hook_moment now = maker_moment(m, "created");

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

/* The process has made the one that goes on for it, in the pid namespace, and ends. */
static int take_over(struct maker *m, struct sync_msg *msg, struct err *err)
{
    if (msg->fd < 0 || msg->number <= 0)
        return err_set(err, EBADMSG, "an unexpected message from the container's process");
    while (waitpid(m->child.pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    fd_close(&m->child.pid_fd);
    m->child.pid = msg->number;
    m->child.pid_fd = take_fd(&msg->fd);
    m->entered = true;
    if (maker_walk_entered(m, err) < 0)
        return -1;
    return maker_write_state(m, err) < 0 ? -1 : sync_send(m->sync_fd, SYNC_GO, 0, -1, err);
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

/* In a container that may look into others somebody may have got hold of the process, or of its end
 * of the socket: nothing is done on his word that this kind of process has no use for. */
static bool is_expected(const struct maker *m, enum sync_kind kind)
{
    switch (kind) {
    case SYNC_READY:
    case SYNC_ERROR:
        return true;
    case SYNC_CONSOLE:
        return m->init.process != NULL && m->init.process->terminal;
    case SYNC_LISTENER:
        return m->seccomp != NULL && m->seccomp->listener_path != NULL;
    case SYNC_MOVED:
    case SYNC_HOOKS:
        return m->create != NULL;
    case SYNC_ENTER:
    case SYNC_STAGE: /* or another process of the host would be the container's first */
        return m->plan.enters_late && !m->entered;
    case SYNC_GO:
        break;
    }
    return false;
}

/* One message: 1 to go on, 0 when done. */
static int serve_one(struct maker *m, struct sync_msg *msg, struct err *err)
{
    if (!is_expected(m, msg->kind))
        return err_set(err, EBADMSG, "an unexpected message from the container's process");
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
    case SYNC_ENTER:
        return sync_send(m->sync_fd, SYNC_GO, 0, -1, err) < 0 ? -1 : 1;
    case SYNC_STAGE:
        return take_over(m, msg, err) < 0 ? -1 : 1;
    case SYNC_GO:
        break;
    }
    return -1;
}

int maker_go(struct maker *m, struct err *err)
{
    /* What a child that has ended said before is heard by maker_serve. */
    if (!m->gone && !m->plan.side_by_side &&
        sync_send(m->sync_fd, SYNC_GO, (int)maker_groups(m), -1, err) < 0 && !sync_is_gone(err))
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
    return !m->facts.wait && !m->facts.no_pivot && !m->plan.enters_late &&
           m->init.process != NULL && !m->init.process->terminal &&
           (m->seccomp == NULL || m->seccomp->listener_path == NULL);
}

static int give_up(struct maker *m, struct err *err)
{
    /* One that cannot be ended yet is not waited for. */
    if (held_end(&m->cgroup, m->child.pid, m->child.pid_fd) < 0)
        fd_close(&m->child.pid_fd);
    return err_set(err, 0, m->create == NULL ? "the container is paused" : "its cgroup is frozen");
}

/* Who is patient waits in recvmsg. */
static int await(struct maker *m, short events, struct err *err)
{
    struct pollfd sock = {.fd = m->sync_fd, .events = events};
    bool held = false;

    if (m->patient)
        return 0;
    if (held_await(&m->cgroup, m->child.pid, &sock, &held, err) < 0)
        return -1;
    return held ? give_up(m, err) : 0;
}

int maker_serve(struct maker *m, struct err *err)
{
    int r = maker_go(m, err);

    if (r < 0)
        return -1;
    self_release();
    /* It says that it is ready a moment before it executes: to be woken twice would take a
     * processor from it. */
    if (only_listens(m) && await(m, 0, err) < 0)
        return -1;
    for (r = 1; r > 0;) {
        struct sync_msg msg;

        r = await(m, POLLIN, err) < 0 ? -1 : sync_recv(m->sync_fd, &msg, err);
        if (r == 0)
            return m->ready ? check_executed(m, err) : died(m, err);
        if (r < 0)
            return -1;
        r = serve_one(m, &msg, err);
        fd_close(&msg.fd);
    }
    return r;
}
