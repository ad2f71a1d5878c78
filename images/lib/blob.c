/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/base/rand.h"

#define BLOB_DIR   "blobs/sha256"
#define TMP_PREFIX ".tmp-"
#define PATH_N     128
#define TMP_OLD_S  86400 /* a temporary file of that age belongs to a writer that died */

int blob_store_make(int layout_fd, struct err *err)
{
    return file_mkdir_p(layout_fd, BLOB_DIR, 0755, err);
}

static int blob_path(const char *digest, char out[PATH_N], struct err *err)
{
    if (!digest_is_sound(str_of(digest)))
        return err_set(err, EBADMSG, "'%.100s' is no sha256 digest", digest);
    (void)snprintf(out, PATH_N, BLOB_DIR "/%s", digest_hex(digest));
    return 0;
}

static int blob_open(int layout_fd, const char *digest, struct err *err)
{
    char path[PATH_N];
    struct stat st;

    if (blob_path(digest, path, err) < 0)
        return -1;
    own_fd int fd = openat(layout_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, errno, "open blob '%s'", digest);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, 0, "blob '%s' is no regular file", digest);
    return take_fd(&fd);
}

struct source *blob_source(int layout_fd, const char *digest, uint64_t size, struct err *err)
{
    own_fd int fd = blob_open(layout_fd, digest, err);
    char what[PATH_N];

    if (fd < 0)
        return NULL;
    (void)snprintf(what, sizeof what, "blob %s", digest);
    return source_check(source_of_fd(take_fd(&fd)), digest, size, what);
}

int blob_read(int layout_fd, const char *digest, struct buf *out, struct err *err)
{
    own_fd int fd = blob_open(layout_fd, digest, err);
    char what[PATH_N];
    ssize_t got;

    if (fd < 0)
        return -1;
    (void)snprintf(what, sizeof what, "blob %s", digest);
    own_source struct source *s =
        source_check_max(source_of_fd(take_fd(&fd)), digest, buf_room(out), what);
    do {
        char chunk[4096];

        got = source_read(s, chunk, sizeof chunk, err);
        if (got > 0)
            buf_append_n(out, chunk, (size_t)got);
    } while (got > 0);
    return got < 0 ? -1 : buf_check(out, what, err);
}

bool blob_has(int layout_fd, const char *digest, uint64_t size)
{
    char path[PATH_N];
    struct stat st;
    struct err err;

    return blob_path(digest, path, &err) == 0 &&
           fstatat(layout_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           (uint64_t)st.st_size == size;
}

/* --- writing -----------------------------------------------------------------------------------*/

int blob_begin(struct blob_writer *w, int layout_fd, struct err *err)
{
    char name[17];

    *w = (struct blob_writer){.layout_fd = layout_fd, .fd = -1};
    rand_hex(name, 16);
    (void)snprintf(w->tmp, sizeof w->tmp, BLOB_DIR "/" TMP_PREFIX "%s", name);
    w->fd = openat(layout_fd, w->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (w->fd < 0) {
        int code = errno;

        w->tmp[0] = '\0';
        return err_set(err, code, "create a file in '" BLOB_DIR "'");
    }
    w->to = sink_sum(sink_to_fd(w->fd), &w->sum);
    return 0;
}

int blob_commit(struct blob_writer *w, struct err *err)
{
    char path[PATH_N];

    if (sink_end(w->to, err) < 0 || blob_path(w->sum.digest, path, err) < 0)
        return -1;
    if (blob_has(w->layout_fd, w->sum.digest, w->sum.size))
        return 0; /* it was there: blob_writer_done removes the second copy */
    if (file_sync(w->fd, w->tmp, err) < 0)
        return -1;
    if (renameat(w->layout_fd, w->tmp, w->layout_fd, path) < 0)
        return err_set(err, errno, "rename to '%s'", path);
    w->tmp[0] = '\0';
    return file_sync_dir(w->layout_fd, BLOB_DIR, err);
}

void blob_writer_done(struct blob_writer *w)
{
    if (w->tmp[0])
        (void)unlinkat(w->layout_fd, w->tmp, 0); /* blob_sweep takes what stays */
    sink_free(w->to);
    own_close_fd(&w->fd);
    *w = (struct blob_writer){.fd = -1};
}

int blob_put(int layout_fd, struct str content, char digest[DIGEST_TEXT_MAX], struct err *err)
{
    struct sink_sum sum;
    own_source struct source *s = source_of_str(content);

    if (blob_put_source(layout_fd, s, &sum, err) < 0)
        return -1;
    memcpy(digest, sum.digest, DIGEST_TEXT_MAX);
    return 0;
}

static int copy(struct blob_writer *w, struct source *from, struct err *err)
{
    own_free char *chunk = mem_new(SOURCE_CHUNK);
    ssize_t got;

    do {
        got = source_read(from, chunk, SOURCE_CHUNK, err);
        if (got > 0 && sink_write(w->to, (struct str){chunk, (size_t)got}, err) < 0)
            return -1;
    } while (got > 0);
    return got < 0 ? -1 : blob_commit(w, err);
}

int blob_put_source(int layout_fd, struct source *from, struct sink_sum *out, struct err *err)
{
    struct blob_writer w;
    int result;

    if (blob_begin(&w, layout_fd, err) < 0)
        return -1;
    result = copy(&w, from, err);
    if (result == 0)
        *out = w.sum;
    blob_writer_done(&w);
    return result;
}

/* --- sweeping ----------------------------------------------------------------------------------*/

static bool is_old(int dir_fd, const char *name)
{
    struct stat st;

    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           time(NULL) - st.st_mtime > TMP_OLD_S;
}

static bool may_go(int dir_fd, const char *name, bool (*keep)(void *, const char *), void *ctx)
{
    char digest[DIGEST_TEXT_MAX];

    if (strncmp(name, TMP_PREFIX, sizeof TMP_PREFIX - 1) == 0)
        return is_old(dir_fd, name);
    int n = snprintf(digest, sizeof digest, "sha256:%s", name);
    return n == DIGEST_TEXT_MAX - 1 && digest_is_sound(str_of(digest)) && !keep(ctx, digest);
}

int blob_sweep(int layout_fd, bool (*keep)(void *ctx, const char *digest), void *ctx,
               struct err *err)
{
    own_fd int fd = openat(layout_fd, BLOB_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int result = 0;

    if (!dir)
        return err_set(err, errno, "open '" BLOB_DIR "'");
    int dir_fd = take_fd(&fd);
    for (struct dirent *d = readdir(dir); d && result == 0; d = readdir(dir))
        if (may_go(dir_fd, d->d_name, keep, ctx) && unlinkat(dir_fd, d->d_name, 0) < 0 &&
            errno != ENOENT)
            result = err_set(err, errno, "remove '%s'", d->d_name);
    (void)closedir(dir); /* it was only read */
    return result;
}
