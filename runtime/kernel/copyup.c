/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/copyup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"

#define ENTRIES_MAX 4096      /* bytes of names read at once */
#define CHUNK       (1 << 20) /* bytes copied by one call */

static int copy_dir(int from_fd, int to_fd, unsigned depth, struct err *err);

static int copy_bytes(int from_fd, int to_fd, const char *name, struct err *err)
{
    ssize_t n = 0;

    do
        n = sendfile(to_fd, from_fd, NULL, CHUNK);
    while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 ? err_set(err, errno, "copy '%s'", name) : 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, mode_t mode, struct err *err)
{
    own_fd int from_fd =
        openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    own_fd int to_fd = -1;
    struct stat st;

    if (from_fd < 0 || fstat(from_fd, &st) < 0)
        return err_set(err, errno, "open '%s'", name);
    /* In a running container it may be another by now: a device, whose content has no end. */
    if (!S_ISREG(st.st_mode))
        return err_set(err, EEXIST, "'%s' is no file any more", name);
    to_fd = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 07777);
    if (to_fd < 0)
        return err_set(err, errno, "make '%s'", name);
    return copy_bytes(from_fd, to_fd, name, err);
}

static int copy_link(int from_dir, int to_dir, const char *name, struct err *err)
{
    char text[PATH_MAX];
    ssize_t n = readlinkat(from_dir, name, text, sizeof text - 1);

    if (n < 0)
        return err_set(err, errno, "read the link '%s'", name);
    text[n] = '\0';
    return symlinkat(text, to_dir, name) < 0 ? err_set(err, errno, "make link '%s'", name) : 0;
}

static int copy_subdir(int from_dir, int to_dir, const char *name, unsigned depth, struct err *err)
{
    own_fd int from_fd = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    own_fd int to_fd = -1;

    if (from_fd < 0)
        return err_set(err, errno, "open directory '%s'", name);
    if (mkdirat(to_dir, name, 0700) < 0)
        return err_set(err, errno, "make directory '%s'", name);
    to_fd = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to_fd < 0)
        return err_set(err, errno, "open directory '%s'", name);
    return copy_dir(from_fd, to_fd, depth + 1, err);
}

static int copy_kind(int from_dir, int to_dir, const char *name, const struct stat *st,
                     unsigned depth, struct err *err)
{
    if (S_ISDIR(st->st_mode))
        return copy_subdir(from_dir, to_dir, name, depth, err);
    if (S_ISREG(st->st_mode))
        return copy_file(from_dir, to_dir, name, st->st_mode, err);
    if (S_ISLNK(st->st_mode))
        return copy_link(from_dir, to_dir, name, err);
    if (mknodat(to_dir, name, st->st_mode, st->st_rdev) < 0)
        return err_set(err, errno, "make '%s'", name);
    return 0;
}

static int copy_entry(int from_dir, int to_dir, const char *name, unsigned depth, struct err *err)
{
    struct stat st;

    if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, errno, "look at '%s'", name);
    if (copy_kind(from_dir, to_dir, name, &st, depth, err) < 0)
        return -1;
    if (fchownat(to_dir, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, errno, "give '%s' to its owner", name);
    if (!S_ISLNK(st.st_mode) && fchmodat(to_dir, name, st.st_mode & 07777, 0) < 0)
        return err_set(err, errno, "set the mode of '%s'", name);
    if (utimensat(to_dir, name, (struct timespec[]){st.st_atim, st.st_mtim}, AT_SYMLINK_NOFOLLOW) <
        0)
        return err_set(err, errno, "set the times of '%s'", name);
    return 0;
}

static int copy_entries(int from_fd, int to_fd, const char *p, size_t n, unsigned depth,
                        struct err *err)
{
    for (size_t at = 0; at < n;) {
        const struct dirent64 *e = (const struct dirent64 *)(const void *)(p + at);

        at += e->d_reclen;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (copy_entry(from_fd, to_fd, e->d_name, depth, err) < 0)
            return -1;
    }
    return 0;
}

static int copy_dir(int from_fd, int to_fd, unsigned depth, struct err *err)
{
    _Alignas(struct dirent64) char entries[ENTRIES_MAX];
    ssize_t n = 0;

    if (depth > COPYUP_DEPTH_MAX)
        return err_set(err, ELOOP, "copy more than %d levels", COPYUP_DEPTH_MAX);
    while ((n = getdents64(from_fd, entries, sizeof entries)) > 0)
        if (copy_entries(from_fd, to_fd, entries, (size_t)n, depth, err) < 0)
            return -1;
    return n < 0 ? err_set(err, errno, "read a directory") : 0;
}

int copyup(int from_fd, int to_fd, struct err *err)
{
    own_fd int dir_fd = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0)
        return err_set(err, errno, "open the directory to copy");
    return copy_dir(dir_fd, to_fd, 0, err);
}
