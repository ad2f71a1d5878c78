/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive is unpacked like a layer, into a directory of its own in the store, and is a layout
 * (or what `docker save` makes) from then on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/base/rand.h"

#include "images/lib/beneath.h"
#include "images/lib/blob.h"
#include "images/lib/doc.h"
#include "images/lib/image.h"
#include "images/lib/image_layout.h"
#include "images/lib/unpack.h"

struct origin {
    const char *path;
    const char *ref; /* NULL: the only one */
};

struct import {
    struct image_store *s;
    struct arena *a;
    const char *ref;  /* in the source, or NULL */
    const char *name; /* wanted, or NULL */
};

static void close_store(struct image_store *const *s)
{
    image_store_close(*s);
}

#define own_store __attribute__((cleanup(close_store)))

/* --- from a layout -----------------------------------------------------------------------------*/

static int copy_blob(const struct image_store *from, const struct image_store *to,
                     const struct doc_descriptor *d, struct err *err)
{
    struct sink_sum sum;

    if (blob_has(to->fd, d->digest, d->size))
        return 0;
    own_source struct source *blob = blob_source(from->fd, d->digest, d->size, err);
    return blob ? blob_put_source(to->fd, blob, &sum, err) : -1;
}

static int copy_image(const struct image_store *from, const struct import *i,
                      const struct doc_descriptor *d, struct err *err)
{
    struct doc_manifest m;

    if (image_layout_manifest(from, i->a, d, &m, err) < 0)
        return -1;
    for (size_t k = 0; k < m.layers_n; k++)
        if (copy_blob(from, i->s, &m.layers[k], err) < 0)
            return -1;
    if (copy_blob(from, i->s, &m.config, err) < 0)
        return -1;
    return copy_blob(from, i->s, d, err);
}

static int find_only(const struct image_store *from, struct arena *a, struct doc_descriptor *out,
                     struct err *err)
{
    struct doc_index index;
    size_t n = 0;

    if (image_layout_index(from, a, &index, err) < 0)
        return -1;
    for (size_t i = 0; i < index.n; i++) {
        bool found;

        if (image_layout_resolve(from, a, &index.v[i], out, &found, err) < 0)
            return -1;
        n += found;
    }
    if (n == 1)
        return 0;
    return err_set(err, 0, "'%s' holds %zu images for this machine: name one of them", from->path,
                   n);
}

static int set_name(const struct import *i, struct doc_descriptor *d, const char *there,
                    struct err *err)
{
    d->ref = i->name ? i->name : there;
    if (!*d->ref)
        return err_set(err, 0, "the image has no name there: give it one");
    if (!doc_ref_is_sound(str_of(d->ref)))
        return err_set(err, 0, "'%.100s' is no sound name of an image", d->ref);
    return 0;
}

static int from_layout(const struct import *i, const char *dir, struct err *err)
{
    own_store struct image_store *from = image_store_open(dir, IMAGE_READ, err);
    struct doc_descriptor d;
    struct image_info info;

    if (!from)
        return -1;
    int found =
        i->ref ? image_layout_find(from, i->a, i->ref, &d, err) : find_only(from, i->a, &d, err);
    /* image_load: what cannot be used is not taken in. */
    if (found < 0 || set_name(i, &d, d.ref, err) < 0 ||
        image_load(from, i->a, d.digest, &info, err) < 0 || copy_image(from, i, &d, err) < 0)
        return -1;
    return image_layout_set(i->s, &d, err);
}

/* --- from what `docker save` makes -------------------------------------------------------------*/

static const char *layer_type(const unsigned char magic[4])
{
    if (magic[0] == 0x1f && magic[1] == 0x8b)
        return DOC_TYPE_TAR_GZIP;
    if (magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd)
        return DOC_TYPE_TAR_ZSTD;
    return DOC_TYPE_TAR;
}

static int put_file(const struct import *i, int dir_fd, const char *path, struct doc_descriptor *d,
                    struct err *err)
{
    unsigned char magic[4] = {0};
    struct sink_sum sum;
    own_fd int fd = beneath_open(dir_fd, path, O_RDONLY | O_NONBLOCK, err);

    if (fd < 0)
        return -1;
    if (pread(fd, magic, sizeof magic, 0) < 0)
        return err_set(err, errno, "read '%s'", path);
    own_source struct source *content = source_of_fd(take_fd(&fd));
    if (blob_put_source(i->s->fd, content, &sum, err) < 0)
        return err_wrap(err, "'%s'", path);
    *d = (struct doc_descriptor){.media_type = layer_type(magic),
                                 .digest = arena_copy(i->a, str_of(sum.digest)),
                                 .size = sum.size};
    return 0;
}

static bool has_tag(const struct doc_saved *v, const char *tag)
{
    for (size_t i = 0; i < v->tags.n; i++)
        if (strcmp(v->tags.v[i], tag) == 0)
            return true;
    return false;
}

static int choose_saved(const struct import *i, int dir_fd, struct doc_saved *out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(DOC_MAX);
    struct doc_saved *v;
    size_t n;

    if (file_read(dir_fd, "manifest.json", &text, err) < 0 ||
        doc_parse_saved(buf_str(&text), i->a, &v, &n, err) < 0)
        return -1;
    if (!i->ref && n != 1)
        return err_set(err, 0, "the archive holds %zu images: name one of them", n);
    for (size_t k = 0; k < n; k++)
        if (!i->ref || has_tag(&v[k], i->ref)) {
            *out = v[k];
            return 0;
        }
    return err_set(err, 0, "the archive has no image '%s'", i->ref);
}

static int put_manifest(const struct import *i, const struct doc_manifest *m,
                        struct doc_descriptor *d, struct err *err)
{
    own_buf struct buf text = BUF_INIT(DOC_MAX);
    char digest[DIGEST_TEXT_MAX];

    doc_format_manifest(m, &text);
    if (buf_check(&text, "the manifest", err) < 0 ||
        blob_put(i->s->fd, buf_str(&text), digest, err) < 0)
        return -1;
    d->media_type = DOC_TYPE_MANIFEST;
    d->digest = arena_copy(i->a, str_of(digest));
    d->size = text.n;
    return 0;
}

static int from_saved(const struct import *i, int dir_fd, struct err *err)
{
    struct doc_saved saved = {0};
    struct doc_manifest m;
    struct doc_descriptor d = {0};
    struct image_info info;

    if (choose_saved(i, dir_fd, &saved, err) < 0 || set_name(i, &d,
                                                             i->ref         ? i->ref
                                                             : saved.tags.n ? saved.tags.v[0]
                                                                            : "",
                                                             err) < 0)
        return -1;
    m.layers_n = saved.layers.n;
    m.layers = arena_array(i->a, m.layers_n, sizeof *m.layers);
    for (size_t k = 0; m.layers && k < m.layers_n; k++)
        if (put_file(i, dir_fd, saved.layers.v[k], &m.layers[k], err) < 0)
            return -1;
    if (put_file(i, dir_fd, saved.config, &m.config, err) < 0)
        return -1;
    m.config.media_type = DOC_TYPE_CONFIG;
    if (arena_failed(i->a))
        return err_set(err, 0, "the image needs too much memory");
    if (put_manifest(i, &m, &d, err) < 0 || image_layout_set(i->s, &d, err) < 0)
        return -1;
    if (image_load(i->s, i->a, d.ref, &info, err) == 0)
        return 0;
    struct err quiet;
    if (image_layout_unset(i->s, d.ref, &quiet) < 0)
        err_reset(&quiet); /* what cannot be used does not stay */
    return -1;
}

/* --- from an archive ---------------------------------------------------------------------------*/

static int expand_archive(const char *file, int dir_fd, struct err *err)
{
    own_fd int fd = open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_set(err, errno, "open '%s'", file);
    own_source struct source *s = source_expand(source_of_fd(take_fd(&fd)), err);
    if (!s)
        return -1;
    struct unpack *u = unpack_new(dir_fd, UNPACK_OWNER_SELF);
    int result = unpack_layer(u, s, err);
    unpack_free(u); /* modes and times of directories do not matter here */
    return result < 0 ? err_wrap(err, "'%s'", file) : 0;
}

static int from_expanded(const struct import *i, const char *file, const char *dir, struct err *err)
{
    own_fd int fd = openat(i->s->fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return err_set(err, errno, "open '%s'", dir);
    if (expand_archive(file, fd, err) < 0)
        return -1;
    if (faccessat(fd, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return from_layout(i, arena_printf(i->a, "%s/%s", i->s->path, dir), err);
    if (faccessat(fd, "manifest.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return from_saved(i, fd, err);
    return err_set(err, 0, "'%s' is neither an OCI archive nor one of docker save", file);
}

static int from_archive(const struct import *i, const char *file, struct err *err)
{
    char dir[] = IMAGE_LAYOUT_IMPORT_PREFIX "0123456789abcdef";
    struct err quiet;

    rand_hex(dir + sizeof IMAGE_LAYOUT_IMPORT_PREFIX - 1, 16);
    if (mkdirat(i->s->fd, dir, 0700) < 0)
        return err_set(err, errno, "make directory '%s/%s'", i->s->path, dir);
    int result = from_expanded(i, file, dir, err);
    if (file_remove_tree(i->s->fd, dir, &quiet) < 0)
        err_reset(&quiet); /* else the next sweep takes it */
    return result;
}

/* --- which of them -----------------------------------------------------------------------------*/

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* PATH or PATH:REF; a path that exists as it stands has no REF. */
static struct origin split(struct arena *a, const char *text)
{
    struct str path;
    struct str ref;

    if (exists(text) || !str_cut(str_of(text), ':', &path, &ref))
        return (struct origin){text, NULL};
    return (struct origin){arena_copy(a, path), arena_copy(a, ref)};
}

static const char *without_prefix(const char *source)
{
    static const char *const prefixes[] = {"oci:", "oci-archive:", "docker-archive:"};

    for (size_t i = 0; i < ARRAY_N(prefixes); i++)
        if (strncmp(source, prefixes[i], strlen(prefixes[i])) == 0)
            return source + strlen(prefixes[i]);
    return source;
}

int image_import(struct image_store *s, struct arena *a, const char *source, const char *name,
                 struct err *err)
{
    struct origin from = split(a, without_prefix(source));
    struct import i = {s, a, from.ref, name};
    struct stat st;
    struct err quiet;

    if (!from.path || stat(from.path, &st) < 0)
        return err_set(err, errno, "open '%s'", from.path ? from.path : source);
    int lock = image_layout_write_lock(s, err);
    if (lock < 0)
        return -1;
    int result =
        S_ISDIR(st.st_mode) ? from_layout(&i, from.path, err) : from_archive(&i, from.path, err);
    own_close_fd(&lock);
    if (image_layout_sweep(s, a, &quiet) < 0)
        err_reset(&quiet); /* unused blobs cost space, and are no failure of this */
    return result < 0 ? err_wrap(err, "import '%s'", source) : 0;
}
