/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/queue/qdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/base/rand.h"

#define TIME_DIGITS   11 /* of 5 bits: 55 bits of microseconds */
#define RANDOM_DIGITS 3

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static int open_dir(int at_fd, const char *name, struct err *err)
{
    int fd;

    if (mkdirat(at_fd, name, 0700) < 0 && errno != EEXIST)
        return err_set(err, errno, "make '%s' in the spool", name);
    fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_set(err, errno, "open '%s' in the spool", name) : fd;
}

static int take_lock(int at_fd, struct err *err)
{
    own_fd int fd = openat(at_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set(err, errno, "open 'lock' in the spool");
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, errno, "lock the spool");
    return take_fd(&fd);
}

/* Walks the names that are ids; others (".", "..", a stranger's) are passed over. */
static int walk(int dir_fd, int (*fn)(void *ctx, const char *id), void *ctx, struct err *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    int rc = 0;

    if (!d) {
        (void)err_set(err, errno, "read the spool");
        own_close_fd(&fd);
        return -1;
    }
    while (rc == 0 && (errno = 0, e = readdir(d)) != NULL) {
        if (qfile_is_id(str_of(e->d_name)))
            rc = fn(ctx, e->d_name);
    }
    if (rc == 0 && errno)
        rc = err_set(err, errno, "read the spool");
    (void)closedir(d); /* only read */
    return rc;
}

static int sweep_one(void *ctx, const char *id)
{
    const struct qdir *q = ctx;

    (void)unlinkat(q->tmp_fd, id, 0); /* what stays is swept the next time, and harms nobody */
    return 0;
}

static int open_all(struct qdir *q, int fd, struct err *err)
{
    q->lock_fd = take_lock(fd, err);
    if (q->lock_fd < 0)
        return -1;
    q->tmp_fd = open_dir(fd, "tmp", err);
    q->msg_fd = open_dir(fd, "msg", err);
    q->bad_fd = open_dir(fd, "bad", err);
    if (q->tmp_fd < 0 || q->msg_fd < 0 || q->bad_fd < 0 || file_sync(fd, "the spool", err) < 0)
        return -1;
    return walk(q->tmp_fd, sweep_one, q, err);
}

int qdir_open(struct qdir *q, const char *path, struct err *err)
{
    own_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *q = (struct qdir){-1, -1, -1, -1};
    if (fd < 0)
        return err_set(err, errno, "open the spool '%s'", path);
    if (open_all(q, fd, err) < 0) {
        qdir_close(q);
        return err_wrap(err, "'%s'", path);
    }
    return 0;
}

void qdir_close(struct qdir *q)
{
    own_close_fd(&q->tmp_fd);
    own_close_fd(&q->msg_fd);
    own_close_fd(&q->bad_fd);
    own_close_fd(&q->lock_fd);
    *q = (struct qdir){-1, -1, -1, -1};
}

void qdir_new_id(char out[QFILE_ID_MAX + 1])
{
    uint64_t t = (uint64_t)clock_wall_us();

    for (int i = TIME_DIGITS; i-- > 0; t >>= 5)
        out[i] = digits[t & 31];
    for (int i = 0; i < RANDOM_DIGITS; i++)
        out[TIME_DIGITS + i] = digits[rand_below(32)];
    out[TIME_DIGITS + RANDOM_DIGITS] = '\0';
}

bool qdir_has(const struct qdir *q, const char *id)
{
    return faccessat(q->msg_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int qdir_scan(const struct qdir *q, int (*fn)(void *ctx, const char *id), void *ctx,
              struct err *err)
{
    return walk(q->msg_fd, fn, ctx, err);
}

int qdir_remove(const struct qdir *q, const char *id, struct err *err)
{
    if (unlinkat(q->msg_fd, id, 0) < 0 && errno != ENOENT)
        return err_set(err, errno, "remove '%s' from the spool", id);
    return 0;
}

int qdir_set_aside(const struct qdir *q, const char *id, struct err *err)
{
    if (renameat(q->msg_fd, id, q->bad_fd, id) < 0)
        return err_set(err, errno, "set '%s' aside", id);
    return 0;
}
