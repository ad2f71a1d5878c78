/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/base/rand.h"

#define READ_FIRST  2048 /* which holds most files */
#define READ_STEP   16384
#define SPARE_MIN   64
#define TMP_HEX_N   16
#define TREE_DEPTH  64 /* descriptors that the removal of a tree holds at most */
#define NAME_OF_CWD "."

/* --- reading --------------------------------------------------------------------------------- */

/* What is allocated is filled first: memory that is not touched costs nothing. */
static size_t read_size(const struct buf *b)
{
    size_t spare = b->cap > b->n ? b->cap - b->n - 1 : 0, most = buf_room(b);
    size_t n = spare >= SPARE_MIN ? spare : b->n == 0 ? READ_FIRST : READ_STEP;

    return n < most ? n : most;
}

/* One read into the room that is left; at the limit, one byte to see whether there is more. */
static ssize_t read_some(int fd, struct buf *out)
{
    size_t n = read_size(out);
    char *at = buf_reserve(out, n);
    char beyond;
    ssize_t got;

    do
        got = n == 0 ? read(fd, &beyond, 1) : read(fd, at, n);
    while (got < 0 && errno == EINTR);
    if (got > 0 && n == 0) {
        errno = EMSGSIZE;
        return -1;
    }
    if (got > 0)
        buf_commit(out, (size_t)got);
    return got;
}

int file_read(int dir_fd, const char *path, struct buf *out, struct err *err)
{
    own_fd int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n;

    if (fd < 0)
        return err_set(err, errno, "open '%s'", path);
    do
        n = read_some(fd, out);
    while (n > 0);
    return n < 0 ? err_set(err, errno, "read '%s'", path) : 0;
}

/* --- writing --------------------------------------------------------------------------------- */

int file_sync(int fd, const char *name, struct err *err)
{
    return fsync(fd) < 0 ? err_set(err, errno, "flush '%s'", name) : 0;
}

int file_sync_dir(int dir_fd, const char *path, struct err *err)
{
    own_fd int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_set(err, errno, "open '%s'", path);
    return file_sync(fd, path, err);
}

enum durable {
    NOT_DURABLE,
    DURABLE
};

struct target {
    int dir_fd;
    const char *path;
    const char *dir;
    const char *tmp; /* a name of its own in the same directory */
    enum durable durable;
};

/* Errors name the file that is meant: the other name is nobody's business. */
static int write_tmp(const struct target *t, struct str content, mode_t mode, struct err *err)
{
    own_fd int fd = openat(t->dir_fd, t->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

    if (fd < 0)
        return err_set(err, errno, "create '%s'", t->path);
    if (fchmod(fd, mode) < 0) /* whatever the umask */
        return err_set(err, errno, "set the mode of '%s'", t->path);
    if (fd_write_all(fd, content, err) < 0)
        return err_wrap(err, "'%s'", t->path);
    return t->durable == DURABLE ? file_sync(fd, t->path, err) : 0;
}

static int rename_tmp(const struct target *t, struct err *err)
{
    if (renameat(t->dir_fd, t->tmp, t->dir_fd, t->path) < 0)
        return err_set(err, errno, "replace '%s'", t->path);
    return 0;
}

static int put_target(const struct target *t, struct str content, mode_t mode, struct err *err)
{
    if (write_tmp(t, content, mode, err) < 0 || rename_tmp(t, err) < 0) {
        (void)unlinkat(t->dir_fd, t->tmp, 0); /* the first error is the one to tell */
        return -1;
    }
    return t->durable == DURABLE ? file_sync_dir(t->dir_fd, t->dir, err) : 0;
}

static int put(struct target t, struct str content, mode_t mode, struct err *err)
{
    own_buf struct buf dir = BUF_INIT(PATH_MAX);
    own_buf struct buf tmp = BUF_INIT(PATH_MAX);
    char hex[TMP_HEX_N + 1];

    rand_hex(hex, TMP_HEX_N);
    buf_append(&dir, path_dir(str_of(t.path)));
    buf_printf(&tmp, "%s/.tmp-%s", buf_c(&dir), hex);
    if (buf_check(&tmp, "a path", err) < 0)
        return -1;
    t.dir = buf_c(&dir);
    t.tmp = buf_c(&tmp);
    return put_target(&t, content, mode, err);
}

int file_replace(int dir_fd, const char *path, struct str content, mode_t mode, struct err *err)
{
    return put((struct target){.dir_fd = dir_fd, .path = path, .durable = DURABLE}, content, mode,
               err);
}

int file_put(int dir_fd, const char *path, struct str content, mode_t mode, struct err *err)
{
    return put((struct target){.dir_fd = dir_fd, .path = path}, content, mode, err);
}

int file_poke(int dir_fd, const char *path, struct str content, struct err *err)
{
    own_fd int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n;

    if (fd < 0)
        return err_set(err, errno, "open '%s'", path);
    do
        n = write(fd, content.p, content.n);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_set(err, errno, "write '%.*s' to '%s'", STR_ARG(str_head(content, 64)), path);
    if ((size_t)n < content.n)
        return err_set(err, EIO, "write to '%s': only %zd of %zu bytes went", path, n, content.n);
    return 0;
}

/* --- directories ----------------------------------------------------------------------------- */

static int make_dir(int dir_fd, const char *path, mode_t mode, struct err *err)
{
    struct stat st;

    if (mkdirat(dir_fd, path, mode) == 0)
        return 0;
    if (errno != EEXIST)
        return err_set(err, errno, "make the directory '%s'", path);
    if (fstatat(dir_fd, path, &st, 0) < 0)
        return err_set(err, errno, "look at '%s'", path);
    return S_ISDIR(st.st_mode) ? 0 : err_set(err, ENOTDIR, "make the directory '%s'", path);
}

int file_mkdir_p(int dir_fd, const char *path, mode_t mode, struct err *err)
{
    own_buf struct buf part = BUF_INIT(PATH_MAX);
    struct str rest = str_of(path);
    struct str name;

    if (path_is_absolute(rest))
        buf_append_char(&part, '/');
    while (str_next(&rest, '/', &name)) {
        if (name.n == 0)
            continue;
        buf_append(&part, name);
        if (buf_check(&part, "a path", err) < 0 || make_dir(dir_fd, buf_c(&part), mode, err) < 0)
            return -1;
        buf_append_char(&part, '/');
    }
    return 0;
}

/* A tree is removed depth first with a bounded number of descriptors: what lies deeper than
 * TREE_DEPTH is moved up into the top directory, which is gone through until it is empty. Nobody
 * can exhaust descriptors or stack by nesting directories. */
struct removal {
    int top_fd;
    unsigned depth;
    size_t gone; /* entries removed or moved in this pass */
};

static int remove_children(struct removal *r, int fd, const char *name, struct err *err);

static int lift(struct removal *r, int dir_fd, const char *name, struct err *err)
{
    char hex[TMP_HEX_N + 1];

    rand_hex(hex, TMP_HEX_N);
    if (renameat(dir_fd, name, r->top_fd, hex) < 0)
        return err_set(err, errno, "move '%s'", name);
    r->gone++;
    return 0;
}

static int remove_dir(struct removal *r, int dir_fd, const char *name, struct err *err)
{
    own_fd int fd = -1;

    if (r->depth == TREE_DEPTH)
        return lift(r, dir_fd, name, err);
    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno, "open '%s'", name);
    r->depth++;
    if (remove_children(r, take_fd(&fd), name, err) < 0)
        return -1;
    r->depth--;
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0)
        return err_set(err, errno, "remove the directory '%s'", name);
    r->gone++;
    return 0;
}

/* A mount point is refused by unlinkat with EBUSY before anything beneath it is touched. */
static int remove_entry(struct removal *r, int dir_fd, const char *name, struct err *err)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT) {
        r->gone++;
        return 0;
    }
    if (errno != EISDIR && errno != EPERM)
        return err_set(err, errno, "remove '%s'", name);
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0) {
        r->gone++;
        return 0;
    }
    if (errno != ENOTEMPTY && errno != EEXIST)
        return err_set(err, errno, "remove '%s'", name);
    return remove_dir(r, dir_fd, name, err);
}

static bool is_self_or_parent(const char *name)
{
    return str_eq_c(str_of(name), NAME_OF_CWD) || str_eq_c(str_of(name), "..");
}

static void close_dir(DIR *const *dir)
{
    if (*dir != NULL)
        (void)closedir(*dir); /* opened for reading: nothing can be lost */
}

/* A root file system has directories that their owner may not write to; root need not ask. */
static void make_writable(int fd)
{
    if (geteuid() != 0 && faccessat(fd, NAME_OF_CWD, W_OK | X_OK, AT_EACCESS) < 0)
        (void)fchmod(fd, 0700); /* what it does not help is told by what fails next */
}

static int remove_children(struct removal *r, int fd, const char *name, struct err *err)
{
    __attribute__((cleanup(close_dir))) DIR *dir = fdopendir(fd);
    const struct dirent *e;

    make_writable(fd);
    if (dir == NULL) {
        own_close_fd(&fd);
        return err_set(err, errno, "list '%s'", name);
    }
    for (;;) {
        errno = 0;
        e = readdir(dir); /* NOLINT(concurrency-mt-unsafe): the stream is ours alone */
        if (e == NULL)
            break;
        if (!is_self_or_parent(e->d_name) && remove_entry(r, fd, e->d_name, err) < 0)
            return err_wrap(err, "in '%s'", name);
    }
    return errno != 0 ? err_set(err, errno, "list '%s'", name) : 0;
}

static int remove_top(int dir_fd, const char *path, struct err *err)
{
    own_fd int top_fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct removal r = {.top_fd = top_fd};

    if (top_fd < 0)
        return err_set(err, errno, "open '%s'", path);
    for (;;) {
        int fd = openat(top_fd, NAME_OF_CWD, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
            return err_set(err, errno, "open '%s'", path);
        r.gone = 0;
        r.depth = 0;
        if (remove_children(&r, fd, path, err) < 0)
            return -1;
        if (unlinkat(dir_fd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (r.gone == 0 || errno != ENOTEMPTY)
            return err_set(err, errno, "remove the directory '%s'", path);
    }
}

int file_remove_tree(int dir_fd, const char *path, struct err *err)
{
    if (unlinkat(dir_fd, path, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_set(err, errno, "remove '%s'", path);
    if (unlinkat(dir_fd, path, AT_REMOVEDIR) == 0)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return err_set(err, errno, "remove '%s'", path);
    return remove_top(dir_fd, path, err);
}
