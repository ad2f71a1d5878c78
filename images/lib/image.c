/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/image.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"

#include "images/lib/image_layout.h"

const char *image_default_store(struct arena *a)
{
    const char *store = getenv("MAILBOX_RUN_STORE");
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");

    if (store && *store)
        return arena_copy(a, str_of(store));
    if (geteuid() == 0)
        return "/var/lib/mailbox-run/images";
    if (data && *data == '/')
        return arena_printf(a, "%s/mailbox-run/images", data);
    return arena_printf(a, "%s/.local/share/mailbox-run/images", home && *home ? home : "");
}

const char *image_bundled_store(struct arena *a, struct err *err)
{
    static const char *const places[] = {"images", "../share/mailbox-run/images",
                                         "../../share/mailbox-run/images"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self);

    if (n < 0 || n == (ssize_t)sizeof self) {
        (void)err_set(err, errno, "read '/proc/self/exe'");
        return NULL;
    }
    struct str dir = path_dir((struct str){self, (size_t)n});
    for (size_t i = 0; i < ARRAY_N(places); i++) {
        own_buf struct buf path = BUF_INIT(2 * PATH_MAX);
        own_buf struct buf mark = BUF_INIT(2 * PATH_MAX);

        path_join(dir, str_of(places[i]), &path);
        path_join(buf_str(&path), STR("oci-layout"), &mark);
        if (access(buf_c(&mark), R_OK) == 0)
            return arena_copy(a, buf_str(&path));
    }
    (void)err_set(err, 0, "there are no images beside '%.*s', nor in ../share/mailbox-run/images",
                  (int)n, self);
    return NULL;
}

/* --- what is in the store ----------------------------------------------------------------------*/

static int fill_layers(struct arena *a, const struct doc_manifest *m, const struct doc_config *c,
                       struct image_info *out, struct err *err)
{
    if (c->diff_ids.n != m->layers_n)
        return err_set(err, 0, "the manifest has %zu layers, the configuration %zu", m->layers_n,
                       c->diff_ids.n);
    out->layers = arena_array(a, m->layers_n, sizeof *out->layers);
    if (!out->layers)
        return err_set(err, 0, "the image needs too much memory");
    out->layers_n = m->layers_n;
    for (size_t i = 0; i < m->layers_n; i++) {
        const struct doc_descriptor *d = &m->layers[i];

        out->layers[i] = (struct image_layer){d->media_type, d->digest, c->diff_ids.v[i], d->size};
        out->size += d->size; /* DOC_LAYERS_MAX times BLOB_SIZE_MAX fits */
    }
    return 0;
}

static int load(struct image_store *s, struct arena *a, const struct doc_descriptor *d,
                struct image_info *out, struct err *err)
{
    struct doc_manifest m;
    struct doc_config c;
    struct image_info info = {.ref = d->ref, .digest = d->digest};

    if (image_layout_manifest(s, a, d, &m, err) < 0 ||
        image_layout_config(s, a, &m.config, &c, err) < 0)
        return -1;
    info.config_digest = m.config.digest;
    info.config = c.image;
    info.size = d->size + m.config.size;
    if (fill_layers(a, &m, &c, &info, err) < 0)
        return -1;
    *out = info;
    return 0;
}

int image_load(struct image_store *s, struct arena *a, const char *ref, struct image_info *out,
               struct err *err)
{
    struct doc_descriptor d;

    if (image_layout_find(s, a, ref, &d, err) < 0)
        return -1;
    if (load(s, a, &d, out, err) < 0)
        return err_wrap(err, "image '%s'", ref);
    return 0;
}

int image_list(struct image_store *s, struct arena *a, struct image_info **out, size_t *out_n,
               struct err *err)
{
    struct doc_index index;
    size_t n = 0;

    if (image_layout_index(s, a, &index, err) < 0)
        return -1;
    struct image_info *v = arena_array(a, index.n, sizeof *v);
    if (!v)
        return err_set(err, 0, "the index needs too much memory");
    for (size_t i = 0; i < index.n; i++) {
        struct doc_descriptor d;
        bool found;

        if (image_layout_resolve(s, a, &index.v[i], &d, &found, err) < 0 ||
            (found && load(s, a, &d, &v[n], err) < 0))
            return err_wrap(err, "image '%s'", index.v[i].ref);
        n += found;
    }
    *out = v;
    *out_n = n;
    return 0;
}

int image_remove(struct image_store *s, struct arena *a, const char *ref, struct err *err)
{
    if (image_layout_unset(s, ref, err) < 0)
        return -1;
    return image_layout_sweep(s, a, err);
}
