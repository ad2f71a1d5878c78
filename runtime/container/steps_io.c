/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal, standard input and output, and the other descriptors of the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/device.h"

/* As config.json says; else as large as the caller's, which it follows from now on, so that the
 * process never sees another size. */
static int size_terminal(const struct init *in, struct err *err)
{
    const struct oci_process *p = in->process;
    struct winsize size;

    if (p->console_rows != 0 || p->console_cols != 0)
        return tty_resize(in->tty.master_fd, p->console_rows, p->console_cols, err);
    if (in->io->console_socket != NULL || ioctl(0, TIOCGWINSZ, &size) < 0)
        return 0;
    return tty_resize(in->tty.master_fd, size.ws_row, size.ws_col, err);
}

int step_terminal(struct init *in, size_t index, struct err *err)
{
    int r = 0;

    (void)index;
    if (tty_open(in->root_fd, &in->tty, err) < 0)
        return -1;
    r = size_terminal(in, err);
    if (r == 0 && in->io->console_socket == NULL)
        r = tty_keep_lines(in->tty.slave_fd, err);
    if (r == 0 && in->config != NULL)
        r = tty_bind_console(in->root_fd, in->tty.slave_fd, err);
    if (r == 0)
        r = sync_send(in->sync_fd, SYNC_CONSOLE, 0, in->tty.master_fd, err);
    fd_close(&in->tty.master_fd);
    return r;
}

/* Files are given with the right to write that comes with it only where it was there before;
 * devices other than terminals, /dev/null for one, and directories are the host's. */
static bool may_be_given(int fd, const struct stat *st)
{
    if (S_ISREG(st->st_mode))
        return (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
    return S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode) ||
           (S_ISCHR(st->st_mode) && isatty(fd) == 1);
}

/* The process must be able to open its own /dev/stdout again, so it is given what it writes to;
 * what cannot be given stays as it is. */
static void own_stdio(int fd, const struct oci_user *u)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !may_be_given(fd, &st))
        return;
    /* A terminal keeps its group, which decides over messages to it. */
    if (fchown(fd, u->uid, S_ISCHR(st.st_mode) ? (gid_t)-1 : u->gid) < 0)
        return;
}

/* The host's /dev/null becomes that of the container, so that no descriptor leads to a mount of the
 * host. */
static int reopen_null(const struct init *in, int fd, struct err *err)
{
    own_fd int own_null = -1;

    if (!device_is_null(fd))
        return 0;
    own_null = device_open_null(in->root_fd);
    if (own_null < 0) /* it has none: the host's is as good */
        return 0;
    return dup3(own_null, fd, 0) < 0 ? err_set(err, errno, "make descriptor %d", fd) : 0;
}

int step_stdio(struct init *in, size_t index, struct err *err)
{
    (void)index;
    if (in->process->terminal) {
        if (tty_adopt(in->tty.slave_fd, err) < 0)
            return -1;
    } else {
        for (int i = 0; i < 3; i++)
            if (in->io->stdio[i] >= 0 && in->io->stdio[i] != i && dup3(in->io->stdio[i], i, 0) < 0)
                return err_set(err, errno, "make descriptor %d", i);
    }
    for (int i = 0; i < 3; i++)
        if (reopen_null(in, i, err) < 0)
            return -1;
    for (int i = 0; i < 3; i++) {
        if (!in->process->terminal && fcntl(i, F_SETFD, 0) < 0 && errno != EBADF)
            return err_set(err, errno, "keep descriptor %d", i);
        if (in->process->user.uid != 0)
            own_stdio(i, &in->process->user);
    }
    return 0;
}

static bool is_preserved(const struct init *in, int fd)
{
    unsigned i = (unsigned)fd - 3;

    return fd >= 3 && i < in->io->preserve_fds && i < INIT_KEEP_MAX &&
           (in->keep[i / 8] >> i % 8 & 1) != 0;
}

static int highest(const struct container_io *io)
{
    int top = 2 + (int)io->preserve_fds;

    for (size_t i = 0; i < io->fds_n; i++)
        if (io->fds[i].at > top)
            top = io->fds[i].at;
    return top;
}

static bool is_kept(const struct init *in, int fd)
{
    if (is_preserved(in, fd))
        return true;
    for (size_t i = 0; i < in->io->fds_n; i++)
        if (in->io->fds[i].at == fd)
            return true;
    return false;
}

/* The descriptors are first moved out of each other's way, above all targets, then put in place. */
static int place_fds(struct init *in, int base, struct err *err)
{
    int moved[CONTAINER_FDS_MAX];

    for (size_t i = 0; i < in->io->fds_n; i++) {
        moved[i] = fcntl(in->io->fds[i].fd, F_DUPFD_CLOEXEC, base);
        if (moved[i] < 0)
            return err_set(err, errno, "move descriptor %d", in->io->fds[i].fd);
    }
    for (size_t i = 0; i < in->io->fds_n; i++)
        if (dup3(moved[i], in->io->fds[i].at, 0) < 0)
            return err_set(err, errno, "make descriptor %d", in->io->fds[i].at);
    for (int fd = 3; fd < 3 + (int)in->io->preserve_fds; fd++)
        if (is_preserved(in, fd) && fcntl(fd, F_SETFD, 0) < 0)
            return err_set(err, errno, "keep descriptor %d", fd);
    return 0;
}

static int move_up(int *fd, int base, const char *what, struct err *err)
{
    int moved = -1;

    if (*fd < 0 || *fd >= base)
        return 0;
    moved = fcntl(*fd, F_DUPFD_CLOEXEC, base);
    if (moved < 0)
        return err_set(err, errno, "move %s", what);
    *fd = moved;
    return 0;
}

/* The marks take effect at execve, so this may come at any time after the last descriptor that must
 * not be there was opened without one; those that are still needed are moved out of the way. */
int step_descriptors(struct init *in, size_t index, struct err *err)
{
    int base = highest(in->io) + 1;

    (void)index;
    if (move_up(&in->sync_fd, base, "the socket to the runtime", err) < 0 ||
        move_up(&in->listen_fd, base, "the socket for start", err) < 0 ||
        (in->hook_files != NULL &&
         (move_up(&in->hook_files->out_fd, base, "the hooks' output", err) < 0 ||
          move_up(&in->hook_files->err_fd, base, "the hooks' output", err) < 0)) ||
        place_fds(in, base, err) < 0)
        return -1;
    /* Whatever else is open goes at execve, whatever its own mark said. */
    for (int fd = 3; fd < base; fd++)
        if (!is_kept(in, fd))
            (void)close_range((unsigned)fd, (unsigned)fd, CLOSE_RANGE_CLOEXEC);
    if (close_range((unsigned)base, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return err_set(err, errno, "close_range");
    return 0;
}
