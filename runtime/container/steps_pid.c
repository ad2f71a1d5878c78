/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entering a pid namespace that others are in already. They see each process there from its clone
 * on, and one with CAP_SYS_PTRACE reaches whatever it holds, undumpable or not. So the container is
 * made by a process outside, as far as its root; then that one lets go of all that is the host's
 * and makes the process that stays, inside, which goes on with the plan. Its maker is told.
 *
 * A procfs shows the namespace of who makes it: that takes a process inside for a moment. Its root
 * is an empty directory, which is also all that there is in its mount namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/environ.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

/* --- a procfs of that namespace --------------------------------------------------------------- */

/* Where the host's root cannot be left, at least the process's own is another. */
static int leave_for_nothing(const struct init *in, struct err *err)
{
    struct mount_new nothing = {.type = "tmpfs", .source = "tmpfs", .data = "mode=0,nr_inodes=1"};
    own_fd int top_fd = -1, fd = -1;

    if (unshare(CLONE_NEWNS) < 0)
        return err_set(err, errno, "unshare");
    if (in->in_chroot && root_of_namespace(err) < 0)
        return -1;
    top_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (top_fd < 0)
        return err_set(err, errno, "open '/'");
    fd = mount_new(&nothing, err);
    if (fd < 0 || mount_attach(fd, top_fd, err) < 0)
        return -1;
    if (root_pivot(fd, err) == 0)
        return 0;
    if (err->code != EINVAL || !in->no_pivot)
        return -1;
    err_reset(err);
    return root_change(fd, err);
}

static no_return void make_inside(const struct mount_new *n, int sock)
{
    struct err err;
    int fd = mount_new(n, &err);

    if (fd < 0)
        sync_send_error(sock, &err);
    _exit(fd < 0 || sync_send(sock, SYNC_STAGE, 0, fd, &err) < 0);
}

#define SOCK 0 /* where the two descriptors are that are all it has */
#define NS   1

static no_return void send_inside(const struct init *in, const struct mount_new *n, int sock)
{
    struct err err;
    pid_t inside = -1;

    if (leave_for_nothing(in, &err) < 0) {
        sync_send_error(sock, &err);
        _exit(1);
    }
    if (dup2(sock, SOCK) < 0 || dup2(in->ns_fds[OCI_NS_PID], NS) < 0 ||
        close_range(NS + 1, ~0U, 0) < 0)
        _exit(1);
    environ_forget();
    if (setns(NS, CLONE_NEWPID) == 0 && close(NS) == 0)
        inside = fork();
    if (inside == 0)
        make_inside(n, SOCK);
    if (inside < 0) {
        (void)err_set(&err, errno, "join the pid namespace");
        sync_send_error(SOCK, &err);
        _exit(1);
    }
    while (waitpid(inside, NULL, 0) < 0 && errno == EINTR)
        continue;
    _exit(0);
}

int pid_mount_proc(const struct init *in, const struct mount_new *n, struct err *err)
{
    own_fd int ours = -1, theirs = -1;
    struct sync_msg msg = {.fd = -1};
    int ends[2], r = 0;
    pid_t stage = -1;

    if (fd_socketpair(SOCK_SEQPACKET, ends, err) < 0)
        return -1;
    ours = ends[0];
    theirs = ends[1];
    stage = fork();
    if (stage == 0)
        send_inside(in, n, theirs);
    if (stage < 0)
        return err_set(err, errno, "fork");
    own_close_fd(&theirs);
    theirs = -1;
    r = sync_recv(ours, &msg, err);
    while (waitpid(stage, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (r < 0)
        return -1;
    if (r == 1 && msg.kind == SYNC_STAGE && msg.fd >= 0)
        return msg.fd;
    if (r == 0 || msg.kind != SYNC_ERROR)
        return err_set(err, EPIPE, "the process that was to make it in the pid namespace ended");
    (void)err_set(err, 0, "%s", msg.text);
    err->code = msg.number;
    return -1;
}

/* --- the process that stays ------------------------------------------------------------------- */

static bool is_of_caller(const struct init *in, int fd)
{
    unsigned i = (unsigned)fd - 3;

    for (size_t k = 0; k < in->io->fds_n; k++)
        if (in->io->fds[k].fd == fd)
            return true;
    for (int k = 0; k < 3; k++)
        if (in->io->stdio[k] == fd)
            return true;
    return i < in->io->preserve_fds && i < INIT_KEEP_MAX && (in->keep[i / 8] >> i % 8 & 1) != 0;
}

#define OWN_MAX 7

/* What the process still needs of its own. Hooks of the container are run by it, and what they
 * print goes where the host wants it. */
static size_t own_fds(const struct init *in, int v[OWN_MAX])
{
    const int always[] = {in->sync_fd, in->listen_fd, in->root_fd, in->tty.slave_fd,
                          in->ns_fds[OCI_NS_PID]};
    size_t n = ARRAY_N(always);

    memcpy(v, always, sizeof always);
    if (in->config->hooks[OCI_HOOK_START_CONTAINER].n > 0) {
        v[n++] = in->hook_files->out_fd;
        v[n++] = in->hook_files->err_fd;
    }
    return n;
}

static bool is_one_of(int fd, const int *fds, size_t n)
{
    size_t i = 0;

    while (i < n && fds[i] != fd)
        i++;
    return i < n;
}

static int top_of(const struct init *in, const int *kept, size_t n)
{
    int top = 2 + (int)in->io->preserve_fds;

    for (size_t i = 0; i < n; i++)
        top = kept[i] > top ? kept[i] : top;
    for (size_t i = 0; i < in->io->fds_n; i++)
        top = in->io->fds[i].fd > top ? in->io->fds[i].fd : top;
    for (int i = 0; i < 3; i++)
        top = in->io->stdio[i] > top ? in->io->stdio[i] : top;
    return top;
}

static void forget(struct init *in)
{
    in->proc_fd = in->join_fd = in->dev_fd = in->mask_fd = in->null_fd = -1;
    in->groups_fs_fd = in->mask_fs_fd = -1;
    for (int i = 0; i < OCI_NS_KINDS; i++)
        in->ns_fds[i] = i == OCI_NS_PID ? in->ns_fds[i] : -1;
    for (size_t i = 0; i < in->config->mounts_n; i++)
        in->source_fds[i] = -1;
    for (size_t i = 0; i < in->config->linux_.devices_n; i++)
        in->device_fds[i] = -1;
    if (in->config->hooks[OCI_HOOK_START_CONTAINER].n == 0)
        *in->hook_files = HOOK_FILES_NONE;
}

int close_all_else(const struct init *in, const int *kept, size_t n, struct err *err)
{
    int top = top_of(in, kept, n);

    for (int fd = 3; fd < top; fd++)
        if (!is_one_of(fd, kept, n) && !is_of_caller(in, fd))
            (void)close(fd); /* most are not open */
    return close_range((unsigned)top + 1, ~0U, 0) < 0 ? err_set(err, errno, "close_range") : 0;
}

static int let_go(struct init *in, struct err *err)
{
    int own[OWN_MAX];
    size_t n = own_fds(in, own);

    if (close_all_else(in, own, n, err) < 0)
        return -1;
    forget(in);
    return 0;
}

/* The one outside has done its part when it has told of the other. */
static no_return void hand_over(const struct init *in, pid_t pid, int pid_fd)
{
    struct err ignored;

    if (sync_send(in->sync_fd, SYNC_STAGE, pid, pid_fd, &ignored) == 0)
        _exit(0);
    (void)pidfd_send_signal(pid_fd, SIGKILL, NULL, 0);
    _exit(1);
}

int step_enter_pid(struct init *in, size_t index, struct err *err)
{
    int pid_fd = -1, ignored = 0;
    struct clone_args args = {.flags = CLONE_PARENT | CLONE_PIDFD, .pidfd = (uintptr_t)&pid_fd};
    pid_t pid = -1;

    (void)index;
    /* What its maker still does to this process is inherited. */
    if (sync_send(in->sync_fd, SYNC_ENTER, 0, -1, err) < 0 ||
        sync_wait_go(in->sync_fd, &ignored, err) < 0)
        return -1;
    if (step_label(in, 0, err) < 0 || let_go(in, err) < 0)
        return -1;
    if (setns(in->ns_fds[OCI_NS_PID], CLONE_NEWPID) < 0)
        return err_set(err, errno, "setns");
    (void)close(in->ns_fds[OCI_NS_PID]);
    in->ns_fds[OCI_NS_PID] = -1;
    environ_forget();
    pid = sys_clone3(&args);
    if (pid < 0)
        return err_set(err, errno, "clone");
    if (pid > 0)
        hand_over(in, pid, pid_fd);
    return sync_wait_go(in->sync_fd, &ignored, err);
}
