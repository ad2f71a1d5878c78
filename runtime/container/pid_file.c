/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"

static bool is_stream(const struct stat *st)
{
    return S_ISFIFO(st->st_mode) || S_ISCHR(st->st_mode);
}

/* One of the caller's, not of ours, which go at execve. */
static int descriptor_named(struct str path)
{
    static const struct str dirs[] = {STR_INIT("/dev/fd/"), STR_INIT("/proc/self/fd/")};
    struct err ignored;
    uint32_t fd = 0;

    for (size_t i = 0; i < ARRAY_N(dirs); i++)
        if (str_starts(path, dirs[i]) &&
            num_parse_u32(str_skip(path, dirs[i].n), 0, INT32_MAX, &fd, &ignored) == 0) {
            int flags = fcntl((int)fd, F_GETFD);

            return flags >= 0 && (flags & FD_CLOEXEC) == 0 ? (int)fd : -1;
        }
    return -1;
}

/* -1: it is no name of one. */
static int descriptor_of(const char *path)
{
    char link[PATH_MAX];
    int fd = descriptor_named(str_of(path));
    ssize_t n = fd >= 0 ? -1 : readlink(path, link, sizeof link);

    return n < 0 ? fd : descriptor_named((struct str){link, (size_t)n});
}

static const char *kind_name(mode_t mode)
{
    return S_ISDIR(mode) ? "a directory" : S_ISBLK(mode) ? "a block device" : "a socket";
}

int pid_file_check(const char *path, struct err *err)
{
    struct stat st;

    if (descriptor_of(path) >= 0 || stat(path, &st) < 0 || S_ISREG(st.st_mode) || is_stream(&st))
        return 0;
    return err_set(err, 0, "it is %s", kind_name(st.st_mode));
}

/* What is opened is looked at once more, for it may be another by then. */
static int write_stream(const char *path, struct str text, struct err *err)
{
    own_fd int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(err, errno, "open '%s'", path);
    return is_stream(&st) ? fd_write_all(fd, text, err)
                          : err_set(err, EEXIST, "'%s' is no pipe any more", path);
}

int pid_file_write(const char *path, pid_t pid, struct err *err)
{
    struct stat st;
    char text[16];
    int n = snprintf(text, sizeof text, "%d", pid);
    struct str s = {text, (size_t)n};
    int fd = descriptor_of(path);

    if (fd >= 0)
        return fd_write_all(fd, s, err);
    if (pid_file_check(path, err) < 0)
        return -1;
    return stat(path, &st) == 0 && is_stream(&st) ? write_stream(path, s, err)
                                                  : file_put(AT_FDCWD, path, s, 0644, err);
}
