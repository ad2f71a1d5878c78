/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The usual case, a path that is all there, is one openat2. Only where something is missing the
 * path is walked: `done` holds the components already resolved, free of links, `rest` what is still
 * to be looked at. Every step opens `done` from the root again with RESOLVE_NO_SYMLINKS, so that a
 * link put in place meanwhile is an error and never followed.
 */
#include "runtime/kernel/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/kernel/sys.h"

#define LINKS_MAX 40
#define TRIES_MAX 128 /* EAGAIN: a rename raced with "..": the kernel asks to try again */

struct walk {
    int root_fd;
    unsigned links;
    char done[PATH_MAX];
    size_t done_n;
    char rest[PATH_MAX];
};

static int try_open(int root_fd, const char *path, int flags, uint64_t resolve)
{
    int fd = -1;

    for (int i = 0; i < TRIES_MAX; i++) {
        fd = sys_openat2(root_fd, path, (uint64_t)(unsigned)flags | O_CLOEXEC, 0,
                         resolve | RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        if (fd >= 0 || errno != EAGAIN)
            break;
    }
    return fd;
}

int dir_try_beneath(int root_fd, const char *path, int flags)
{
    return try_open(root_fd, path, flags, 0);
}

int dir_open_beneath(int root_fd, const char *path, int flags, struct err *err)
{
    int fd = try_open(root_fd, path, flags, 0);

    return fd >= 0 ? fd : err_set(err, errno, "open '%s' beneath the root", path);
}

/* The directory `done` itself. */
static int open_done(const struct walk *w)
{
    return try_open(w->root_fd, w->done_n == 0 ? "." : w->done, O_PATH | O_DIRECTORY,
                    RESOLVE_NO_SYMLINKS);
}

static void pop_done(struct walk *w)
{
    while (w->done_n > 0 && w->done[w->done_n - 1] != '/')
        w->done_n--;
    if (w->done_n > 0)
        w->done_n--;
    w->done[w->done_n] = '\0';
}

static int push_done(struct walk *w, const char *name, struct err *err)
{
    size_t n = strlen(name);

    if (w->done_n + n + 2 > sizeof w->done)
        return err_set(err, ENAMETOOLONG, "resolve '%s'", name);
    if (w->done_n > 0)
        w->done[w->done_n++] = '/';
    memcpy(w->done + w->done_n, name, n + 1);
    w->done_n += n;
    return 0;
}

/* Takes the next component off rest: 1, or 0 at the end; -1 if it is too long. */
static int next_component(struct walk *w, char name[NAME_MAX + 1], struct err *err)
{
    size_t skip = strspn(w->rest, "/");
    size_t n = strcspn(w->rest + skip, "/");

    if (n == 0)
        return 0;
    if (n > NAME_MAX)
        return err_set(err, ENAMETOOLONG, "resolve '%.64s...'", w->rest + skip);
    memcpy(name, w->rest + skip, n);
    name[n] = '\0';
    memmove(w->rest, w->rest + skip + n, strlen(w->rest + skip + n) + 1);
    return 1;
}

static bool is_last(const struct walk *w)
{
    return w->rest[strspn(w->rest, "/")] == '\0';
}

/* The link's text takes the place of its name in front of rest. */
static int follow(struct walk *w, int link_fd, const char *name, struct err *err)
{
    char text[PATH_MAX];
    ssize_t n = readlinkat(link_fd, "", text, sizeof text - 1);
    size_t rest_n = strlen(w->rest);

    if (n < 0)
        return err_set(err, errno, "read the link '%s'", name);
    if (++w->links > LINKS_MAX)
        return err_set(err, ELOOP, "resolve '%s'", name);
    if ((size_t)n + rest_n + 2 > sizeof w->rest)
        return err_set(err, ENAMETOOLONG, "resolve '%s'", name);
    memmove(w->rest + n + 1, w->rest, rest_n + 1);
    memcpy(w->rest, text, (size_t)n);
    w->rest[n] = '/';
    if (text[0] == '/') {
        w->done_n = 0;
        w->done[0] = '\0';
    }
    return 0;
}

static int make_entry(int dir_fd, const char *name, enum dir_kind kind, struct err *err)
{
    if (kind == DIR_DIRECTORY) {
        if (mkdirat(dir_fd, name, 0755) < 0 && errno != EEXIST)
            return err_set(err, errno, "make directory '%s'", name);
        return 0;
    }
    own_fd int fd =
        openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0 && errno != EEXIST)
        return err_set(err, errno, "make file '%s'", name);
    return 0;
}

/* One component: what it is now, be it a link, made if missing. */
static int open_entry(int dir_fd, const char *name, enum dir_kind kind, struct err *err)
{
    int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        if (make_entry(dir_fd, name, kind, err) < 0)
            return -1;
        fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
    return fd >= 0 ? fd : err_set(err, errno, "open '%s'", name);
}

static int step(struct walk *w, const char *name, enum dir_kind last, int *out_fd, struct err *err)
{
    struct stat st;
    own_fd int dir_fd = -1, fd = -1;

    if (strcmp(name, ".") == 0)
        return 0;
    if (strcmp(name, "..") == 0) {
        pop_done(w);
        return 0;
    }
    dir_fd = open_done(w);
    if (dir_fd < 0)
        return err_set(err, errno, "open '/%s' beneath the root", w->done);
    fd = open_entry(dir_fd, name, is_last(w) ? last : DIR_DIRECTORY, err);
    fd_close(&dir_fd); /* before a link is read, which may be that of this descriptor in procfs */
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return err_set(err, errno, "look at '%s'", name);
    if (S_ISLNK(st.st_mode))
        return follow(w, fd, name, err);
    if (!is_last(w) && !S_ISDIR(st.st_mode))
        return err_set(err, ENOTDIR, "open '%s'", name);
    if (is_last(w))
        *out_fd = take_fd(&fd);
    return push_done(w, name, err);
}

static int walk(struct walk *w, const char *path, enum dir_kind last, struct err *err)
{
    char name[NAME_MAX + 1];
    size_t n = strlen(path);
    int out_fd = -1, r = 0;

    if (n >= sizeof w->rest)
        return err_set(err, ENAMETOOLONG, "resolve '%.64s...'", path);
    memcpy(w->rest, path, n + 1);
    while ((r = next_component(w, name, err)) > 0) {
        if (step(w, name, last, &out_fd, err) < 0)
            return -1;
        if (out_fd >= 0)
            return out_fd;
    }
    if (r < 0)
        return -1;
    out_fd = open_done(w);
    return out_fd >= 0 ? out_fd : err_set(err, errno, "open '%s' beneath the root", path);
}

/* Apart, for its stack is four pages that the usual case need not touch. */
static __attribute__((noinline)) int make_missing(int root_fd, const char *path, enum dir_kind last,
                                                  struct err *err)
{
    struct walk w;
    int fd = -1;

    w.root_fd = root_fd;
    w.links = 0;
    w.done_n = 0;
    w.done[0] = '\0';
    fd = walk(&w, path, last, err);
    return fd >= 0 ? fd : err_wrap(err, "make '%s' beneath the root", path);
}

/* The usual case of those: only the last component is missing, and is no link. -1: it is not so, or
 * there is something else to tell. */
static int make_last(int root_fd, const char *path, enum dir_kind last)
{
    const char *slash = strrchr(path, '/');
    char parent[PATH_MAX];
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    own_fd int dir_fd = -1, fd = -1;
    struct err ignored;
    struct stat st;

    if (n == 0 || n >= sizeof parent || slash[1] == '\0' || strcmp(slash + 1, ".") == 0 ||
        strcmp(slash + 1, "..") == 0)
        return -1;
    memcpy(parent, path, n);
    parent[n] = '\0';
    dir_fd = try_open(root_fd, parent, O_PATH | O_DIRECTORY, 0);
    if (dir_fd < 0 || make_entry(dir_fd, slash + 1, last, &ignored) < 0)
        return -1;
    fd = openat(dir_fd, slash + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && fstat(fd, &st) == 0 && !S_ISLNK(st.st_mode) ? take_fd(&fd) : -1;
}

int dir_make_beneath(int root_fd, const char *path, enum dir_kind last, struct err *err)
{
    int fd = try_open(root_fd, path, O_PATH, 0);

    if (fd >= 0)
        return fd;
    if (errno != ENOENT)
        return err_set(err, errno, "open '%s' beneath the root", path);
    fd = make_last(root_fd, path, last);
    if (fd >= 0)
        return fd;
    return make_missing(root_fd, path, last, err);
}

int dir_open_parent(int root_fd, const char *path, char *name, size_t name_max, struct err *err)
{
    const char *slash = strrchr(path, '/');
    const char *last = slash == NULL ? path : slash + 1;
    char parent[PATH_MAX];
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);

    if (last[0] == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
        return err_set(err, EINVAL, "'%s' names no file", path);
    if (n >= sizeof parent || strlen(last) >= name_max)
        return err_set(err, ENAMETOOLONG, "resolve '%.64s...'", path);
    memcpy(parent, path, n);
    parent[n] = '\0';
    memcpy(name, last, strlen(last) + 1);
    return dir_make_beneath(root_fd, n == 0 ? "." : parent, DIR_DIRECTORY, err);
}

int dir_make_nofollow(int root_fd, const char *path, enum dir_kind last, struct err *err)
{
    char name[NAME_MAX + 1];
    own_fd int dir_fd = dir_open_parent(root_fd, path, name, sizeof name, err);

    return dir_fd < 0 ? -1 : open_entry(dir_fd, name, last, err);
}

bool dir_is_on(int fd, uint64_t magic)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && (uint64_t)fs.f_type == magic;
}

bool dir_is_private(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0))
        return false;
    return (st.st_mode & 0022) == 0 || (st.st_mode & S_ISVTX) != 0;
}

bool dir_is_secret(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 0077) == 0;
}

bool dir_is_same(int a_fd, int b_fd)
{
    struct stat a, b;

    return fstat(a_fd, &a) == 0 && fstat(b_fd, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}
