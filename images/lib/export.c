/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/base/rand.h"

#include "images/lib/blob.h"
#include "images/lib/doc.h"
#include "images/lib/image.h"
#include "images/lib/image_layout.h"
#include "images/lib/tar_write.h"

static int put_blob(const struct image_store *s, struct arena *a, struct sink *to,
                    const struct doc_descriptor *d, struct err *err)
{
    struct tar_item item = {
        .name = str_of(arena_printf(a, "blobs/sha256/%s", digest_hex(d->digest))), .mode = 0644};
    own_source struct source *blob = blob_source(s->fd, d->digest, d->size, err);

    if (!blob || tar_write_file(to, &item, blob, d->size, err) < 0)
        return -1;
    return source_drain(blob, err); /* its end tells whether the digest is right */
}

static int put_text(struct sink *to, const char *name, const struct buf *text, struct err *err)
{
    struct tar_item item = {.name = str_of(name), .mode = 0644};
    own_source struct source *content = source_of_str(buf_str(text));

    if (buf_check(text, name, err) < 0)
        return -1;
    return tar_write_file(to, &item, content, text->n, err);
}

static int put_documents(struct sink *to, struct doc_descriptor *d, struct err *err)
{
    own_buf struct buf layout = BUF_INIT(256);
    own_buf struct buf index = BUF_INIT(DOC_MAX);

    doc_format_layout(&layout);
    doc_format_index(&(struct doc_index){d, 1}, &index);
    if (put_text(to, "oci-layout", &layout, err) < 0)
        return -1;
    return put_text(to, "index.json", &index, err);
}

static int put_dirs(struct sink *to, struct err *err)
{
    static const struct tar_item dirs[] = {
        {.name = STR_INIT("blobs"), .mode = 0755},
        {.name = STR_INIT("blobs/sha256"), .mode = 0755},
    };

    for (size_t i = 0; i < ARRAY_N(dirs); i++)
        if (tar_write_dir(to, &dirs[i], err) < 0)
            return -1;
    return 0;
}

/* A layer may be listed twice, but its blob is written once. */
static bool is_repeated(const struct doc_manifest *m, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (str_eq_c(str_of(m->layers[k].digest), m->layers[i].digest))
            return true;
    return false;
}

static int put_all(const struct image_store *s, struct arena *a, struct sink *to,
                   struct doc_descriptor *d, struct err *err)
{
    struct doc_manifest m;

    if (image_layout_manifest(s, a, d, &m, err) < 0 || put_documents(to, d, err) < 0 ||
        put_dirs(to, err) < 0 || put_blob(s, a, to, d, err) < 0 ||
        put_blob(s, a, to, &m.config, err) < 0)
        return -1;
    for (size_t i = 0; i < m.layers_n; i++)
        if (!is_repeated(&m, i) && put_blob(s, a, to, &m.layers[i], err) < 0)
            return -1;
    if (tar_write_end(to, err) < 0)
        return -1;
    return sink_end(to, err);
}

static int write_to(const struct image_store *s, struct arena *a, const char *tmp,
                    struct doc_descriptor *d, struct err *err)
{
    own_fd int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0)
        return err_set(err, errno, "create '%s'", tmp);
    own_sink struct sink *to = sink_to_fd(fd);
    if (put_all(s, a, to, d, err) < 0)
        return -1;
    return file_sync(fd, tmp, err);
}

int image_export(struct image_store *s, struct arena *a, const char *ref, const char *file,
                 struct err *err)
{
    struct doc_descriptor d;
    char id[9];

    if (image_layout_find(s, a, ref, &d, err) < 0)
        return -1;
    rand_hex(id, sizeof id - 1);
    const char *tmp = arena_printf(a, "%s.%s", file, id);
    if (!tmp)
        return err_set(err, 0, "the image needs too much memory");
    if (write_to(s, a, tmp, &d, err) < 0) {
        (void)unlink(tmp); /* it may not be there at all */
        return err_wrap(err, "export '%s'", ref);
    }
    if (rename(tmp, file) < 0)
        return err_set(err, errno, "rename '%s' to '%s'", tmp, file);
    const char *dir = arena_copy(a, path_dir(str_of(file)));
    return file_sync_dir(AT_FDCWD, dir ? dir : ".", err);
}
