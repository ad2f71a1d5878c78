/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory the process begins in. Nothing of the host is open any more when it is entered.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/kernel/dir.h"

static int make_cwd(const struct init *in, struct err *err)
{
    own_fd int fd = dir_make_beneath(in->root_fd, in->process->cwd, DIR_DIRECTORY, err);

    if (fd < 0)
        return -1;
    return fchdir(fd) < 0 ? err_set(err, errno, "chdir") : 0;
}

/* While the root can be written to. What cannot be made here is told when it is entered. */
int step_make_cwd(struct init *in, size_t index, struct err *err)
{
    struct err ignored;
    int fd = dir_make_beneath(in->root_fd, in->process->cwd, DIR_DIRECTORY, &ignored);

    (void)index;
    (void)err;
    own_close_fd(&fd);
    return 0;
}

/* A path like /proc/self/fd/7 leads out of the root if a descriptor of the host is open: all of
 * them are closed by now, and the kernel is asked whether the directory is beneath the root. */
static int check_cwd(struct err *err)
{
    char path[PATH_MAX];
    long n = syscall(SYS_getcwd, path, sizeof path);

    if (n < 0)
        return err_set(err, errno, "getcwd");
    return path[0] == '/' ? 0 : err_set(err, EXDEV, "it is outside of the root");
}

static void close_host(struct init *in)
{
    int *fds[] = {&in->proc_fd, &in->join_fd, &in->dev_fd, &in->mask_fd, &in->null_fd};

    for (size_t i = 0; i < ARRAY_N(fds); i++)
        fd_close(fds[i]);
}

int step_cwd(struct init *in, size_t index, struct err *err)
{
    int r = 0;

    (void)index;
    close_host(in);
    r = chdir(in->process->cwd);
    /* A directory that only its owner may enter: tried again as the user. */
    in->cwd_later = r < 0 && errno == EACCES;
    if (in->cwd_later)
        return 0;
    if (r < 0 && errno == ENOENT && in->config != NULL)
        return make_cwd(in, err) < 0 ? -1 : check_cwd(err);
    return r < 0 ? err_set(err, errno, "chdir") : check_cwd(err);
}

int enter_cwd_as_user(const struct init *in, struct err *err)
{
    if (!in->cwd_later)
        return 0;
    if (chdir(in->process->cwd) < 0)
        return err_set(err, errno, "enter '%s'", in->process->cwd);
    return check_cwd(err);
}
