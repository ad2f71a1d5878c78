/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/image_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/jv.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "images/lib/blob.h"

#define NEST_MAX 4 /* indexes within each other */

/* --- opening -----------------------------------------------------------------------------------*/

static int make_layout(int fd, struct err *err)
{
    own_buf struct buf text = BUF_INIT(256);

    if (faccessat(fd, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (blob_store_make(fd, err) < 0)
        return -1;
    doc_format_layout(&text);
    return file_replace(fd, "oci-layout", buf_str(&text), 0644, err);
}

static int check_layout(int fd, struct err *err)
{
    own_buf struct buf text = BUF_INIT(DOC_MAX);

    if (file_read(fd, "oci-layout", &text, err) < 0)
        return -1;
    return doc_check_layout(buf_str(&text), err);
}

struct image_store *image_store_open(const char *dir, enum image_open how, struct err *err)
{
    char real[PATH_MAX];

    if (how == IMAGE_CREATE && file_mkdir_p(AT_FDCWD, dir, 0755, err) < 0)
        return NULL;
    own_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || !realpath(dir, real)) {
        (void)err_set(err, errno, "open the images in '%s'", dir);
        return NULL;
    }
    if ((how == IMAGE_CREATE && make_layout(fd, err) < 0) || check_layout(fd, err) < 0) {
        (void)err_wrap(err, "open the images in '%s'", dir);
        return NULL;
    }
    struct image_store *s = mem_type(struct image_store);
    s->fd = take_fd(&fd);
    s->path = mem_dup_c(real);
    return s;
}

void image_store_close(struct image_store *s)
{
    if (!s)
        return;
    own_close_fd(&s->fd);
    free(s->path);
    free(s);
}

/* --- reading -----------------------------------------------------------------------------------*/

int image_layout_index(const struct image_store *s, struct arena *a, struct doc_index *out,
                       struct err *err)
{
    own_buf struct buf text = BUF_INIT(DOC_MAX);

    if (file_read(s->fd, "index.json", &text, err) < 0) {
        if (err->code != ENOENT)
            return -1;
        err_reset(err);
        *out = (struct doc_index){NULL, 0};
        return 0;
    }
    return doc_parse_index(buf_str(&text), a, out, err);
}

static int read_doc(const struct image_store *s, const struct doc_descriptor *d, struct buf *text,
                    struct err *err)
{
    if (d->size > DOC_MAX)
        return err_set(err, EMSGSIZE, "document %s has more than %u bytes", d->digest, DOC_MAX);
    return blob_read(s->fd, d->digest, text, err);
}

int image_layout_manifest(const struct image_store *s, struct arena *a,
                          const struct doc_descriptor *d, struct doc_manifest *out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(DOC_MAX);

    if (read_doc(s, d, &text, err) < 0)
        return -1;
    return doc_parse_manifest(buf_str(&text), a, out, err);
}

int image_layout_config(const struct image_store *s, struct arena *a,
                        const struct doc_descriptor *d, struct doc_config *out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(DOC_MAX);

    if (read_doc(s, d, &text, err) < 0)
        return -1;
    return doc_parse_config(buf_str(&text), a, out, err);
}

/* A descriptor without a platform may be anything, and is taken as ours. */
static bool fits(const struct doc_descriptor *d)
{
    if (*d->os && strcmp(d->os, "linux") != 0)
        return false;
    return !*d->architecture || strcmp(d->architecture, doc_architecture()) == 0;
}

static int nested(const struct image_store *s, struct arena *a, const struct doc_descriptor *from,
                  struct doc_index *out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(DOC_MAX);

    if (read_doc(s, from, &text, err) < 0)
        return -1;
    return doc_parse_index(buf_str(&text), a, out, err);
}

int image_layout_resolve(const struct image_store *s, struct arena *a,
                         const struct doc_descriptor *from, struct doc_descriptor *out, bool *found,
                         struct err *err)
{
    struct doc_descriptor d = *from;

    *found = false;
    for (unsigned depth = 0; doc_kind_of(d.media_type) == DOC_INDEX; depth++) {
        struct doc_index list;
        size_t i = 0;

        if (depth == NEST_MAX)
            return err_set(err, 0, "more than %d indexes within each other", NEST_MAX);
        if (nested(s, a, &d, &list, err) < 0)
            return -1;
        while (i < list.n && (!fits(&list.v[i]) || doc_kind_of(list.v[i].media_type) == DOC_OTHER))
            i++;
        if (i == list.n)
            return 0;
        d = list.v[i];
    }
    if (doc_kind_of(d.media_type) != DOC_MANIFEST || !fits(&d))
        return 0;
    d.ref = from->ref;
    *out = d;
    *found = true;
    return 0;
}

static bool is_named(const struct doc_descriptor *d, const char *ref)
{
    return strcmp(d->ref, ref) == 0 || strcmp(d->digest, ref) == 0;
}

int image_layout_find(const struct image_store *s, struct arena *a, const char *ref,
                      struct doc_descriptor *out, struct err *err)
{
    struct doc_index index;
    bool found = false;

    if (image_layout_index(s, a, &index, err) < 0)
        return -1;
    for (size_t i = 0; i < index.n && !found; i++)
        if (is_named(&index.v[i], ref) &&
            image_layout_resolve(s, a, &index.v[i], out, &found, err) < 0)
            return err_wrap(err, "image '%s'", ref);
    if (found)
        return 0;
    (void)err_set(err, 0, "there is no image '%s' for this machine in '%s'", ref, s->path);
    err->code = ENOENT;
    return -1;
}

/* --- changing the index ------------------------------------------------------------------------*/

static json_t *load_index(const struct image_store *s, struct err *err)
{
    json_t *doc = jv_load_file(s->fd, "index.json", DOC_MAX, err);

    if (doc || err->code != ENOENT)
        return doc;
    err_reset(err);
    return json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType", DOC_TYPE_INDEX,
                     "manifests");
}

static int save_index(const struct image_store *s, const json_t *doc, struct err *err)
{
    own_buf struct buf text = BUF_INIT(DOC_MAX);

    jv_dump(doc, JV_COMPACT, &text);
    if (buf_check(&text, "the index", err) < 0)
        return -1;
    return file_replace(s->fd, "index.json", buf_str(&text), 0644, err);
}

static const char *ref_of(const json_t *entry)
{
    const char *ref =
        json_string_value(json_object_get(json_object_get(entry, "annotations"), DOC_REF_KEY));

    return ref ? ref : "";
}

/* How many entries of that reference (or digest) were taken out. */
static size_t drop(json_t *list, const char *ref)
{
    size_t n = 0;

    for (size_t i = json_array_size(list); i > 0; i--) {
        const json_t *e = json_array_get(list, i - 1);
        const char *digest = json_string_value(json_object_get(e, "digest"));

        if (strcmp(ref_of(e), ref) == 0 || (digest && strcmp(digest, ref) == 0)) {
            (void)json_array_remove(list, i - 1); /* the index is in range */
            n++;
        }
    }
    return n;
}

static int insert(json_t *list, const struct doc_descriptor *d, struct err *err)
{
    size_t at = 0;
    json_t *e =
        json_pack("{s:s, s:s, s:I, s:{s:s}}", "mediaType", d->media_type, "digest", d->digest,
                  "size", (json_int_t)d->size, "annotations", DOC_REF_KEY, d->ref);

    while (at < json_array_size(list) && strcmp(ref_of(json_array_get(list, at)), d->ref) < 0)
        at++;
    if (!e || json_array_insert_new(list, at, e) < 0)
        return err_set(err, 0, "put '%s' into the index", d->ref);
    return 0;
}

static int lock_index(const struct image_store *s, struct err *err)
{
    own_fd int fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return err_set(err, errno, "lock '%s'", s->path);
    return take_fd(&fd);
}

int image_layout_set(const struct image_store *s, const struct doc_descriptor *d, struct err *err)
{
    own_fd int lock = lock_index(s, err);
    own_json json_t *doc = lock < 0 ? NULL : load_index(s, err);

    if (!doc)
        return -1;
    json_t *list = json_object_get(doc, "manifests");
    if (!json_is_array(list))
        return err_set(err, 0, "the index of '%s' has no list of manifests", s->path);
    (void)drop(list, d->ref);
    if (insert(list, d, err) < 0)
        return -1;
    return save_index(s, doc, err);
}

int image_layout_unset(const struct image_store *s, const char *ref, struct err *err)
{
    own_fd int lock = lock_index(s, err);
    own_json json_t *doc = lock < 0 ? NULL : load_index(s, err);

    if (!doc)
        return -1;
    if (drop(json_object_get(doc, "manifests"), ref) == 0) {
        (void)err_set(err, 0, "there is no image '%s' in '%s'", ref, s->path);
        err->code = ENOENT;
        return -1;
    }
    return save_index(s, doc, err);
}

/* --- sweeping ----------------------------------------------------------------------------------*/

int image_layout_write_lock(const struct image_store *s, struct err *err)
{
    own_fd int fd = openat(s->fd, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || flock(fd, LOCK_SH) < 0)
        return err_set(err, errno, "lock the blobs of '%s'", s->path);
    return take_fd(&fd);
}
