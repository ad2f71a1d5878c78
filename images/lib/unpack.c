/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories are made with 0700 and get their modes and times at the very end (unpack_finish): a
 * mode without write permission would keep a caller who is not root from filling the directory,
 * and filling it changes its time. The last word on a directory wins.
 */
#include "images/lib/unpack.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "images/lib/beneath.h"
#include "images/lib/source.h"
#include "images/lib/tar_read.h"
#include "images/lib/unpack_mark.h"

#define WHITEOUT ".wh."
#define OPAQUE   ".wh..wh..opq"

struct late_dir {
    char *path;
    size_t turn; /* its place in the order of the archives */
    uint32_t mode;
    struct timespec mtime;
};

struct unpack {
    int root_fd;
    enum unpack_owner owner;
    struct unpack_mark *mark;
    struct late_dir *late;
    size_t late_n;
    size_t late_cap;
    uint64_t entries;
    uint64_t bytes;
    uint64_t skipped;
    char *chunk;
};

enum unpack_owner unpack_owner_default(void)
{
    return geteuid() == 0 ? UNPACK_OWNER_KEEP : UNPACK_OWNER_SELF;
}

struct unpack *unpack_new(int root_fd, enum unpack_owner owner)
{
    struct unpack *u = mem_type(struct unpack);

    u->root_fd = root_fd;
    u->owner = owner;
    u->chunk = mem_new(SOURCE_CHUNK);
    u->mark = unpack_mark_new();
    return u;
}

void unpack_free(struct unpack *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->late_n; i++)
        free(u->late[i].path);
    free(u->late);
    free(u->chunk);
    unpack_mark_free(u->mark);
    free(u);
}

uint64_t unpack_skipped(const struct unpack *u)
{
    return u->skipped;
}

/* --- attributes --------------------------------------------------------------------------------*/

struct place {        /* where an entry goes */
    const char *path; /* relative to the root, clean */
    int dir_fd;       /* the directory that holds it, O_PATH */
    const char *base; /* its name there */
};

static bool xattr_is_wanted(struct str name)
{
    static const struct str wanted[] = {
        STR_INIT("security.capability"),
        STR_INIT("system.posix_acl_access"),
        STR_INIT("system.posix_acl_default"),
    };

    for (size_t i = 0; i < ARRAY_N(wanted); i++)
        if (str_eq(name, wanted[i]))
            return true;
    /* user.overlay.* would speak to an overlay mounted with userxattr over this tree. */
    return str_starts(name, STR("user.")) && !str_starts(name, STR("user.overlay."));
}

/* By the way of /proc: there is no call that sets attributes of a name beneath a descriptor. */
static int set_xattr(struct unpack *u, const struct place *at, const struct tar_xattr *x,
                     struct err *err)
{
    char path[PATH_MAX];
    char name[XATTR_NAME_MAX + 1];

    if (!xattr_is_wanted(x->name)) {
        u->skipped++;
        return 0;
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d/%s", at->dir_fd, at->base);
    (void)snprintf(name, sizeof name, "%.*s", STR_ARG(x->name));
    if (lsetxattr(path, name, x->value.p, x->value.n, 0) == 0)
        return 0;
    if (errno != ENOTSUP && errno != EPERM && errno != ENOSPC && errno != E2BIG)
        return err_set(err, errno, "set attribute '%s' of '%s'", name, at->path);
    u->skipped++;
    return 0;
}

static int set_owner(const struct unpack *u, const struct place *at, const struct tar_entry *e,
                     struct err *err)
{
    if (u->owner == UNPACK_OWNER_KEEP &&
        fchownat(at->dir_fd, at->base, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, errno, "change owner of '%s'", at->path);
    return 0;
}

/* A time that the file system cannot hold is clamped by the kernel; one out of time_t's sense is
 * not worth failing for. */
static int set_mtime(int dir_fd, const char *base, const char *path, struct timespec mtime,
                     struct err *err)
{
    struct timespec times[2] = {mtime, mtime};

    if (utimensat(dir_fd, base, times, AT_SYMLINK_NOFOLLOW) < 0 && errno != EINVAL)
        return err_set(err, errno, "set time of '%s'", path);
    return 0;
}

static struct timespec entry_mtime(const struct tar_entry *e)
{
    return (struct timespec){.tv_sec = e->mtime_s, .tv_nsec = e->mtime_ns};
}

/* Owner before mode and attributes: a change of owner takes set-user-id and capabilities away. */
static int set_all(struct unpack *u, const struct place *at, const struct tar_entry *e,
                   struct err *err)
{
    if (set_owner(u, at, e, err) < 0)
        return -1;
    if (e->type != TAR_SYMLINK && e->type != TAR_DIR &&
        fchmodat(at->dir_fd, at->base, e->mode, 0) < 0)
        return err_set(err, errno, "change mode of '%s'", at->path);
    for (size_t i = 0; i < e->xattrs_n; i++)
        if (set_xattr(u, at, &e->xattrs[i], err) < 0)
            return -1;
    return set_mtime(at->dir_fd, at->base, at->path, entry_mtime(e), err);
}

static void late_add(struct unpack *u, const char *path, const struct tar_entry *e)
{
    if (u->late_n == u->late_cap) {
        u->late_cap = u->late_cap ? 2 * u->late_cap : 64;
        u->late = mem_grow(u->late, u->late_cap, sizeof *u->late);
    }
    u->late[u->late_n] = (struct late_dir){mem_dup_c(path), u->late_n, e->mode, entry_mtime(e)};
    u->late_n++;
}

/* --- one entry ---------------------------------------------------------------------------------*/

static int write_file(struct unpack *u, struct tar_reader *r, int fd, struct err *err)
{
    ssize_t got;

    do {
        got = tar_data(r, u->chunk, SOURCE_CHUNK, err);
        if (got > 0 && fd_write_all(fd, (struct str){u->chunk, (size_t)got}, err) < 0)
            return -1;
    } while (got > 0);
    return (int)got;
}

static int make_file(struct unpack *u, struct tar_reader *r, const struct place *at,
                     const struct tar_entry *e, struct err *err)
{
    if (e->size > UNPACK_BYTES_MAX - u->bytes)
        return err_set(err, EMSGSIZE, "the files are larger than %llu bytes together",
                       UNPACK_BYTES_MAX);
    u->bytes += e->size;
    own_fd int fd =
        openat(at->dir_fd, at->base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, errno, "create '%s'", at->path);
    return write_file(u, r, fd, err);
}

static int make_hardlink(struct unpack *u, const struct place *at, const struct tar_entry *e,
                         struct err *err)
{
    own_buf struct buf path = BUF_INIT(PATH_MAX);
    const char *base;

    if (beneath_clean(e->target, &path, err) < 0)
        return -1;
    if (strcmp(buf_c(&path), ".") == 0 || strcmp(buf_c(&path), at->path) == 0)
        return err_set(err, EBADMSG, "a hard link to itself");
    own_fd int dir = beneath_parent(u->root_fd, buf_c(&path), &base, err);
    if (dir < 0)
        return -1;
    if (linkat(dir, base, at->dir_fd, at->base, 0) < 0)
        return err_set(err, errno, "link '%s' to '%s'", at->path, buf_c(&path));
    return 0;
}

static int make_symlink(const struct place *at, const struct tar_entry *e, struct err *err)
{
    char target[PATH_MAX];

    (void)snprintf(target, sizeof target, "%.*s", STR_ARG(e->target));
    if (symlinkat(target, at->dir_fd, at->base) < 0)
        return err_set(err, errno, "make link '%s'", at->path);
    return 0;
}

static int make_dir(const struct place *at, struct err *err)
{
    if (mkdirat(at->dir_fd, at->base, 0700) < 0 && errno != EEXIST)
        return err_set(err, errno, "make directory '%s'", at->path);
    return 0;
}

static int make_fifo(const struct place *at, struct err *err)
{
    if (mkfifoat(at->dir_fd, at->base, 0600) < 0)
        return err_set(err, errno, "make fifo '%s'", at->path);
    return 0;
}

static int make(struct unpack *u, struct tar_reader *r, const struct place *at,
                const struct tar_entry *e, struct err *err)
{
    switch (e->type) {
    case TAR_FILE:
        return make_file(u, r, at, e, err);
    case TAR_HARDLINK:
        return make_hardlink(u, at, e, err);
    case TAR_SYMLINK:
        return make_symlink(at, e, err);
    case TAR_DIR:
        return make_dir(at, err);
    case TAR_FIFO:
        return make_fifo(at, err);
    case TAR_CHAR:
    case TAR_BLOCKDEV:
        break; /* passed over before */
    }
    return err_set(err, ENOTSUP, "a device");
}

/* A directory stays where a directory is wanted; anything else makes room. */
static int make_room(const struct place *at, const struct tar_entry *e, struct err *err)
{
    struct stat st;

    if (fstatat(at->dir_fd, at->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_set(err, errno, "look at '%s'", at->path);
    if (!S_ISDIR(st.st_mode))
        return unlinkat(at->dir_fd, at->base, 0) < 0 ? err_set(err, errno, "remove '%s'", at->path)
                                                     : 0;
    return e->type == TAR_DIR ? 0 : file_remove_tree(at->dir_fd, at->base, err);
}

static int put_entry(struct unpack *u, struct tar_reader *r, const struct place *at,
                     const struct tar_entry *e, struct err *err)
{
    if (make_room(at, e, err) < 0 || make(u, r, at, e, err) < 0)
        return -1;
    if (unpack_mark_add(u->mark, at->dir_fd, at->base, err) < 0)
        return -1;
    if (e->type == TAR_HARDLINK)
        return 0; /* its attributes are the target's */
    if (e->type == TAR_DIR)
        late_add(u, at->path, e);
    return set_all(u, at, e, err);
}

static int whiteout(struct unpack *u, const struct place *at, struct err *err)
{
    const char *hidden = at->base + sizeof WHITEOUT - 1;

    if (strcmp(at->base, OPAQUE) == 0)
        return unpack_mark_clear_dir(u->mark, at->dir_fd, err);
    if (strncmp(hidden, WHITEOUT, sizeof WHITEOUT - 1) == 0)
        return 0; /* ".wh..wh.": for aufs itself, of no meaning here */
    if (!path_is_hideable(hidden))
        return err_set(err, EBADMSG, "'%s' hides no name", at->path);
    return unpack_mark_clear(u->mark, at->dir_fd, hidden, err);
}

static int take_root(struct unpack *u, const struct tar_entry *e, struct err *err)
{
    const struct place at = {".", u->root_fd, "."};

    if (e->type != TAR_DIR)
        return err_set(err, EBADMSG, "the root of a layer is no directory");
    late_add(u, ".", e);
    return set_owner(u, &at, e, err);
}

static int take_entry(struct unpack *u, struct tar_reader *r, const struct tar_entry *e,
                      struct err *err)
{
    own_buf struct buf path = BUF_INIT(PATH_MAX);
    struct place at = {.dir_fd = -1};

    if (++u->entries > UNPACK_ENTRIES_MAX)
        return err_set(err, EMSGSIZE, "more than %d entries", UNPACK_ENTRIES_MAX);
    if (beneath_clean(e->name, &path, err) < 0)
        return -1;
    at.path = buf_c(&path);
    if (strcmp(at.path, ".") == 0)
        return take_root(u, e, err);
    if (e->type == TAR_CHAR || e->type == TAR_BLOCKDEV) {
        u->skipped++;
        return 0;
    }
    own_fd int dir = unpack_mark_parent(u->mark, u->root_fd, at.path, &at.base, err);
    if (dir < 0)
        return -1;
    at.dir_fd = dir;
    if (strncmp(at.base, WHITEOUT, sizeof WHITEOUT - 1) == 0)
        return whiteout(u, &at, err);
    return put_entry(u, r, &at, e, err);
}

int unpack_layer(struct unpack *u, struct source *from, struct err *err)
{
    struct tar_reader *r = tar_reader_new(from);
    struct tar_entry e;
    bool more = true;
    int result = 0;

    unpack_mark_reset(u->mark);
    while (result == 0 && more) {
        result = tar_next(r, &e, &more, err);
        if (result == 0 && more && take_entry(u, r, &e, err) < 0)
            result = err_wrap(err, "entry '%.*s'", STR_ARG(str_head(e.name, 200)));
    }
    tar_reader_free(r);
    if (result < 0)
        return -1;
    return source_drain(from, err);
}

/* A directory that a later layer has removed or replaced has nothing to say any more. */
static int finish_dir(struct unpack *u, const struct late_dir *d, struct err *err)
{
    struct err quiet;
    own_fd int fd = beneath_open(u->root_fd, d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &quiet);

    if (fd < 0)
        return quiet.code == ENOENT || quiet.code == ENOTDIR || quiet.code == ELOOP
                   ? 0
                   : err_set(err, quiet.code, "open '%s'", d->path);
    struct timespec times[2] = {d->mtime, d->mtime};
    if (futimens(fd, times) < 0 && errno != EINVAL)
        return err_set(err, errno, "set time of '%s'", d->path);
    if (fchmod(fd, d->mode) < 0)
        return err_set(err, errno, "change mode of '%s'", d->path);
    return 0;
}

/* Descending by path, so that a directory comes after those inside it (a mode without search
 * permission would bar the way to them); of two for one path the later one first. */
static int late_cmp(const void *a, const void *b)
{
    const struct late_dir *x = a;
    const struct late_dir *y = b;
    int order = strcmp(y->path, x->path);

    if (order != 0)
        return order;
    return x->turn > y->turn ? -1 : 1;
}

int unpack_finish(struct unpack *u, struct err *err)
{
    if (u->late_n > 0)
        qsort(u->late, u->late_n, sizeof *u->late, late_cmp);
    for (size_t i = 0; i < u->late_n; i++)
        if ((i == 0 || strcmp(u->late[i].path, u->late[i - 1].path) != 0) &&
            finish_dir(u, &u->late[i], err) < 0)
            return -1;
    return 0;
}
