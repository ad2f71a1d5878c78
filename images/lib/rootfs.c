/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root file systems are unpacked under a flock of the cache, into a directory of another name that
 * is flushed and renamed when it is complete. What an unpacking that died has left is removed by
 * the next one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#include "images/lib/blob.h"
#include "images/lib/doc.h"
#include "images/lib/image.h"
#include "images/lib/image_layout.h"
#include "images/lib/unpack.h"

#define TMP_NAME "unpacking"

static int unpack_one(const struct image_store *s, struct unpack *u, const struct image_layer *l,
                      struct err *err)
{
    if (doc_kind_of(l->media_type) != DOC_LAYER)
        return err_set(err, ENOTSUP, "layers of type '%s'", l->media_type);
    struct source *blob = blob_source(s->fd, l->digest, l->size, err);
    struct source *plain = blob ? source_expand(blob, err) : NULL;
    if (!plain)
        return -1;
    own_source struct source *checked =
        source_check_max(plain, l->diff_id, 2 * UNPACK_BYTES_MAX, "the archive");
    return unpack_layer(u, checked, err);
}

static int unpack_all(const struct image_store *s, const struct image_info *info, int root_fd,
                      struct err *err)
{
    struct unpack *u = unpack_new(root_fd, unpack_owner_default());
    int result = 0;

    for (size_t i = 0; i < info->layers_n && result == 0; i++)
        if (unpack_one(s, u, &info->layers[i], err) < 0)
            result = err_wrap(err, "image '%s': layer %zu", info->ref, i + 1);
    if (result == 0)
        result = unpack_finish(u, err);
    unpack_free(u);
    return result;
}

static int unpack_at(const struct image_store *s, const struct image_info *info, int dir_fd,
                     const char *name, struct err *err)
{
    own_fd int root_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (root_fd < 0)
        return err_set(err, errno, "open '%s'", name);
    if (fchmod(root_fd, 0755) < 0)
        return err_set(err, errno, "change mode of '%s'", name);
    if (unpack_all(s, info, root_fd, err) < 0)
        return -1;
    if (syncfs(root_fd) < 0) /* one flush of all, and not one a file */
        return err_set(err, errno, "flush '%s'", name);
    return 0;
}

/* --- the cache ---------------------------------------------------------------------------------*/

static bool is_there(int cache_fd, const char *hex)
{
    struct stat st;

    return fstatat(cache_fd, hex, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int make_rootfs(const struct image_store *s, const struct image_info *info, int cache_fd,
                       const char *hex, struct err *err)
{
    if (file_remove_tree(cache_fd, TMP_NAME, err) < 0)
        return -1;
    if (mkdirat(cache_fd, TMP_NAME, 0700) < 0)
        return err_set(err, errno, "make directory '" TMP_NAME "'");
    if (unpack_at(s, info, cache_fd, TMP_NAME, err) < 0) {
        struct err quiet;

        if (file_remove_tree(cache_fd, TMP_NAME, &quiet) < 0)
            err_reset(&quiet); /* else the next one removes it */
        return -1;
    }
    if (renameat(cache_fd, TMP_NAME, cache_fd, hex) < 0)
        return err_set(err, errno, "rename to '%s'", hex);
    return file_sync(cache_fd, "the cache", err);
}

static int open_cache(const char *cache, struct err *err)
{
    if (file_mkdir_p(AT_FDCWD, cache, 0755, err) < 0)
        return -1;
    int fd = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_set(err, errno, "open '%s'", cache) : fd;
}

static const char *cache_path(const struct image_store *s, struct arena *a, const char *cache)
{
    return cache ? cache : arena_printf(a, "%s/rootfs", s->path);
}

static int fill_cache(const struct image_store *s, const struct image_info *info, int cache_fd,
                      struct err *err)
{
    const char *hex = digest_hex(info->digest);

    if (is_there(cache_fd, hex))
        return 0;
    if (flock(cache_fd, LOCK_EX) < 0)
        return err_set(err, errno, "lock the cache");
    int result = is_there(cache_fd, hex) ? 0 : make_rootfs(s, info, cache_fd, hex, err);
    (void)flock(cache_fd, LOCK_UN); /* closing it would do the same */
    return result;
}

int image_rootfs(struct image_store *s, struct arena *a, const char *cache, const char *ref,
                 struct image_rootfs *out, struct err *err)
{
    char real[PATH_MAX];
    struct image_rootfs r;

    if (image_load(s, a, ref, &r.info, err) < 0)
        return -1;
    cache = cache_path(s, a, cache);
    own_fd int cache_fd = open_cache(cache, err);
    if (cache_fd < 0)
        return -1;
    if (fill_cache(s, &r.info, cache_fd, err) < 0)
        return err_wrap(err, "unpack into '%s'", cache);
    if (!realpath(cache, real))
        return err_set(err, errno, "find '%s'", cache);
    r.path = arena_printf(a, "%s/%s", real, digest_hex(r.info.digest));
    *out = r;
    return 0;
}

static bool is_used(const char *name, const struct image_info *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(digest_hex(v[i].digest), name) == 0)
            return true;
    return false;
}

int image_rootfs_prune(struct image_store *s, struct arena *a, const char *cache, struct err *err)
{
    struct image_info *v;
    size_t n;
    int result = 0;

    if (image_list(s, a, &v, &n, err) < 0)
        return -1;
    own_fd int cache_fd = open_cache(cache_path(s, a, cache), err);
    if (cache_fd < 0 || flock(cache_fd, LOCK_EX) < 0)
        return cache_fd < 0 ? -1 : err_set(err, errno, "lock the cache");
    own_fd int fd = openat(cache_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return err_set(err, errno, "open the cache");
    (void)take_fd(&fd); /* closedir closes it */
    for (struct dirent *d = readdir(dir); d && result == 0; d = readdir(dir))
        if (strlen(d->d_name) == DIGEST_HEX_N && !is_used(d->d_name, v, n))
            result = file_remove_tree(cache_fd, d->d_name, err);
    (void)closedir(dir); /* it was only read */
    return result;
}

/* --- into a directory of the caller's ----------------------------------------------------------*/

static int is_empty(const char *path, struct err *err)
{
    DIR *dir = opendir(path);
    int n = 0;

    if (!dir)
        return err_set(err, errno, "open '%s'", path);
    while (readdir(dir))
        n++;
    (void)closedir(dir); /* it was only read */
    return n <= 2 ? 0 : err_set(err, ENOTEMPTY, "unpack into '%s'", path);
}

int image_unpack(struct image_store *s, struct arena *a, const char *ref, const char *dir,
                 struct err *err)
{
    struct image_info info;

    if (image_load(s, a, ref, &info, err) < 0)
        return -1;
    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return err_set(err, errno, "make directory '%s'", dir);
    if (is_empty(dir, err) < 0)
        return -1;
    if (unpack_at(s, &info, AT_FDCWD, dir, err) == 0)
        return 0;
    struct err quiet;
    if (file_remove_tree(AT_FDCWD, dir, &quiet) < 0)
        err_reset(&quiet); /* half an image is of no use */
    return -1;
}
