/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mark and sweep. All that the index leads to is marked, also for other machines; a document that
 * is damaged or not understood ends the sweep before anything is removed, one that is absent (a
 * copy of a part of an index) leads nowhere.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/map.h"
#include "runtime/base/own.h"

#include "images/lib/blob.h"
#include "images/lib/image_layout.h"

struct marks {
    const struct image_store *s;
    struct arena *a;
    struct map *m;
};

static bool is_marked(void *ctx, const char *digest)
{
    const struct marks *k = ctx;

    return map_get(k->m, str_of(digest)) != NULL;
}

static int mark_manifest(struct marks *k, const struct doc_descriptor *d, struct err *err)
{
    struct doc_manifest m;

    if (image_layout_manifest(k->s, k->a, d, &m, err) < 0)
        return -1;
    (void)map_put(k->m, str_of(m.config.digest), k);
    for (size_t i = 0; i < m.layers_n; i++)
        (void)map_put(k->m, str_of(m.layers[i].digest), k);
    return 0;
}

static int mark(struct marks *k, const struct doc_index *index, unsigned depth, struct err *err);

static int mark_nested(struct marks *k, const struct doc_descriptor *d, unsigned depth,
                       struct err *err)
{
    own_buf struct buf text = BUF_INIT(DOC_MAX);
    struct doc_index inner;

    if (blob_read(k->s->fd, d->digest, &text, err) < 0 ||
        doc_parse_index(buf_str(&text), k->a, &inner, err) < 0)
        return -1;
    return mark(k, &inner, depth + 1, err);
}

static int mark_one(struct marks *k, const struct doc_descriptor *d, unsigned depth,
                    struct err *err)
{
    enum doc_kind kind = doc_kind_of(d->media_type);

    (void)map_put(k->m, str_of(d->digest), k);
    if (!blob_has(k->s->fd, d->digest, d->size))
        return 0;
    if (kind == DOC_INDEX)
        return mark_nested(k, d, depth, err);
    /* Artifacts have manifests of this shape too, whatever their type is called. */
    return kind == DOC_MANIFEST ? mark_manifest(k, d, err)
                                : err_set(err, ENOTSUP, "media type '%s'", d->media_type);
}

static int mark(struct marks *k, const struct doc_index *index, unsigned depth, struct err *err)
{
    if (depth > 4)
        return err_set(err, 0, "indexes within each other");
    for (size_t i = 0; i < index->n; i++)
        if (mark_one(k, &index->v[i], depth, err) < 0)
            return -1;
    return 0;
}

/* What imports left that died: nobody writes now. */
static int sweep_imports(const struct image_store *s, struct err *err)
{
    own_fd int fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int result = 0;

    if (!dir)
        return err_set(err, errno, "open '%s'", s->path);
    (void)take_fd(&fd); /* closedir closes it */
    for (struct dirent *d = readdir(dir); d && result == 0; d = readdir(dir))
        if (strncmp(d->d_name, IMAGE_LAYOUT_IMPORT_PREFIX, sizeof IMAGE_LAYOUT_IMPORT_PREFIX - 1) ==
            0)
            result = file_remove_tree(s->fd, d->d_name, err);
    (void)closedir(dir); /* it was only read */
    return result;
}

static int sweep(struct marks *k, struct err *err)
{
    struct doc_index index;

    if (image_layout_index(k->s, k->a, &index, err) < 0 || mark(k, &index, 0, err) < 0)
        return err_wrap(err, "look for unused blobs in '%s'", k->s->path);
    if (sweep_imports(k->s, err) < 0)
        return -1;
    return blob_sweep(k->s->fd, is_marked, k, err);
}

int image_layout_sweep(const struct image_store *s, struct arena *a, struct err *err)
{
    own_fd int lock = openat(s->fd, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct marks k = {s, a, NULL};

    if (lock < 0)
        return err_set(err, errno, "open the blobs of '%s'", s->path);
    if (flock(lock, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? 0 : err_set(err, errno, "lock the blobs of '%s'", s->path);
    k.m = map_new();
    int result = sweep(&k, err);
    map_free(k.m);
    return result;
}
