/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/doc.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/jv.h"

#include "images/lib/blob.h"

enum doc_kind doc_kind_of(const char *media_type)
{
    static const struct {
        const char *type;
        enum doc_kind kind;
    } kinds[] = {
        {DOC_TYPE_INDEX, DOC_INDEX},
        {DOC_TYPE_MANIFEST, DOC_MANIFEST},
        {DOC_TYPE_CONFIG, DOC_CONFIG},
        {DOC_TYPE_TAR, DOC_LAYER},
        {DOC_TYPE_TAR_GZIP, DOC_LAYER},
        {DOC_TYPE_TAR_ZSTD, DOC_LAYER},
        {"application/vnd.oci.image.layer.nondistributable.v1.tar", DOC_LAYER},
        {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", DOC_LAYER},
        {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", DOC_LAYER},
        {"application/vnd.docker.distribution.manifest.list.v2+json", DOC_INDEX},
        {"application/vnd.docker.distribution.manifest.v2+json", DOC_MANIFEST},
        {"application/vnd.docker.container.image.v1+json", DOC_CONFIG},
        {"application/vnd.docker.image.rootfs.diff.tar.gzip", DOC_LAYER},
        {"application/vnd.docker.image.rootfs.diff.tar", DOC_LAYER},
    };

    for (size_t i = 0; i < ARRAY_N(kinds); i++)
        if (strcmp(kinds[i].type, media_type) == 0)
            return kinds[i].kind;
    return DOC_OTHER;
}

bool doc_ref_is_sound(struct str ref)
{
    if (ref.n == 0 || ref.n > DOC_REF_MAX || !ascii_is_alnum(ref.p[0]))
        return false;
    for (size_t i = 0; i < ref.n; i++)
        if (!ascii_is_alnum(ref.p[i]) && str_find(STR("-._:@/+"), ref.p[i]) < 0)
            return false;
    return true;
}

const char *doc_architecture(void)
{
#if defined(__x86_64__)
    return "amd64";
#elif defined(__aarch64__)
    return "arm64";
#elif defined(__riscv) && __riscv_xlen == 64
    return "riscv64";
#elif defined(__arm__)
    return "arm";
#elif defined(__i386__)
    return "386";
#else
    return "unknown"; /* then only images without a platform fit */
#endif
}

/* --- parsing -----------------------------------------------------------------------------------*/

static int get_text(const struct jv *at, const char *key, struct arena *a, const char **out,
                    struct err *err)
{
    struct str s;

    if (jv_opt_str(at, key, STR(""), &s, err) < 0)
        return -1;
    *out = arena_copy(a, s);
    return *out ? 0 : err_set(err, 0, "the document needs too much memory");
}

static int get_strings(const struct jv *at, const char *key, struct arena *a,
                       struct image_strings *out, struct err *err)
{
    struct jv list;

    if (jv_opt_array(at, key, &list, err) < 0)
        return -1;
    size_t n = jv_n(&list);
    if (n > DOC_STRINGS_MAX)
        return jv_err(&list, err, "more than %d strings", DOC_STRINGS_MAX);
    const char **v = arena_array(a, n + 1, sizeof *v);
    for (size_t i = 0; v && i < n; i++) {
        struct jv e = jv_elem(&list, i);
        struct str s;

        if (jv_as_str(&e, &s, err) < 0)
            return -1;
        v[i] = arena_copy(a, s);
    }
    if (!v || arena_failed(a))
        return err_set(err, 0, "the document needs too much memory");
    *out = (struct image_strings){v, n};
    return 0;
}

static int get_annotations(const struct jv *at, struct arena *a, struct doc_descriptor *d,
                           struct err *err)
{
    struct jv o;

    if (jv_opt_object(at, "annotations", &o, err) < 0)
        return -1;
    d->ref = "";
    return o.v ? get_text(&o, DOC_REF_KEY, a, &d->ref, err) : 0;
}

static int get_platform(const struct jv *at, struct arena *a, struct doc_descriptor *d,
                        struct err *err)
{
    struct jv o;

    if (jv_opt_object(at, "platform", &o, err) < 0)
        return -1;
    d->os = "";
    d->architecture = "";
    if (!o.v)
        return 0;
    if (get_text(&o, "os", a, &d->os, err) < 0)
        return -1;
    return get_text(&o, "architecture", a, &d->architecture, err);
}

static int get_descriptor(const struct jv *at, struct arena *a, struct doc_descriptor *d,
                          struct err *err)
{
    int64_t size;

    if (jv_is_object(at, err) < 0 || get_text(at, "mediaType", a, &d->media_type, err) < 0 ||
        get_text(at, "digest", a, &d->digest, err) < 0 ||
        jv_int(at, "size", (struct jv_range){0, (int64_t)BLOB_SIZE_MAX}, &size, err) < 0)
        return -1;
    if (!digest_is_sound(str_of(d->digest)))
        return jv_err(at, err, "'%.100s' is no sha256 digest", d->digest);
    d->size = (uint64_t)size;
    if (get_annotations(at, a, d, err) < 0)
        return -1;
    return get_platform(at, a, d, err);
}

static int get_descriptors(const struct jv *at, const char *key, size_t max, struct arena *a,
                           struct doc_index *out, struct err *err)
{
    struct jv list;

    if (jv_array(at, key, &list, err) < 0)
        return -1;
    size_t n = jv_n(&list);
    if (n > max)
        return jv_err(&list, err, "more than %zu entries", max);
    struct doc_descriptor *v = arena_array(a, n, sizeof *v);
    if (!v)
        return err_set(err, 0, "the document needs too much memory");
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(&list, i);

        if (get_descriptor(&e, a, &v[i], err) < 0)
            return -1;
    }
    *out = (struct doc_index){v, n};
    return 0;
}

static int check_version(const struct jv *at, struct err *err)
{
    int64_t version;

    return jv_int(at, "schemaVersion", (struct jv_range){2, 2}, &version, err);
}

int doc_parse_index(struct str text, struct arena *a, struct doc_index *out, struct err *err)
{
    own_json json_t *doc = jv_load_str(text, "the index", err);

    if (!doc)
        return -1;
    struct jv root = jv_root(doc);
    if (jv_is_object(&root, err) < 0 || check_version(&root, err) < 0)
        return -1;
    return get_descriptors(&root, "manifests", DOC_MANIFESTS_MAX, a, out, err);
}

int doc_parse_manifest(struct str text, struct arena *a, struct doc_manifest *out, struct err *err)
{
    own_json json_t *doc = jv_load_str(text, "the manifest", err);
    struct doc_manifest m;
    struct doc_index layers;
    struct jv config;

    if (!doc)
        return -1;
    struct jv root = jv_root(doc);
    if (jv_is_object(&root, err) < 0 || check_version(&root, err) < 0 ||
        jv_object(&root, "config", &config, err) < 0 ||
        get_descriptor(&config, a, &m.config, err) < 0 ||
        get_descriptors(&root, "layers", DOC_LAYERS_MAX, a, &layers, err) < 0)
        return -1;
    m.layers = layers.v;
    m.layers_n = layers.n;
    *out = m;
    return 0;
}

static int cmp_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int get_labels(const struct jv *at, struct arena *a, struct image_strings *out,
                      struct err *err)
{
    struct jv o;
    struct jv m;
    void *it = NULL;
    size_t n = 0;

    if (jv_opt_object(at, "Labels", &o, err) < 0)
        return -1;
    if (jv_n(&o) > DOC_STRINGS_MAX)
        return jv_err(&o, err, "more than %d labels", DOC_STRINGS_MAX);
    const char **v = arena_array(a, jv_n(&o) + 1, sizeof *v);
    while (v && o.v && jv_next(&o, &it, &m)) {
        struct str value;

        if (jv_as_str(&m, &value, err) < 0)
            return -1;
        v[n++] = arena_printf(a, "%s=%.*s", m.key, STR_ARG(value));
    }
    if (!v || arena_failed(a))
        return err_set(err, 0, "the document needs too much memory");
    if (n > 0)
        qsort(v, n, sizeof *v, cmp_text);
    *out = (struct image_strings){v, n};
    return 0;
}

static int get_run(const struct jv *root, struct arena *a, struct image_config *c, struct err *err)
{
    static const json_t *const absent = NULL;
    struct jv o;

    if (jv_opt_object(root, "config", &o, err) < 0)
        return -1;
    if (!o.v)
        o = jv_root(absent);
    if (get_strings(&o, "Entrypoint", a, &c->entrypoint, err) < 0 ||
        get_strings(&o, "Cmd", a, &c->cmd, err) < 0 || get_strings(&o, "Env", a, &c->env, err) < 0)
        return -1;
    if (get_text(&o, "User", a, &c->user, err) < 0 ||
        get_text(&o, "WorkingDir", a, &c->workdir, err) < 0 ||
        get_text(&o, "StopSignal", a, &c->stop_signal, err) < 0)
        return -1;
    return get_labels(&o, a, &c->labels, err);
}

int doc_parse_config(struct str text, struct arena *a, struct doc_config *out, struct err *err)
{
    own_json json_t *doc = jv_load_str(text, "the configuration", err);
    struct doc_config c;
    struct jv rootfs;

    if (!doc)
        return -1;
    struct jv root = jv_root(doc);
    if (jv_is_object(&root, err) < 0 || get_text(&root, "os", a, &c.image.os, err) < 0 ||
        get_text(&root, "architecture", a, &c.image.architecture, err) < 0 ||
        get_text(&root, "created", a, &c.image.created, err) < 0 ||
        get_run(&root, a, &c.image, err) < 0 || jv_object(&root, "rootfs", &rootfs, err) < 0 ||
        get_strings(&rootfs, "diff_ids", a, &c.diff_ids, err) < 0)
        return -1;
    for (size_t i = 0; i < c.diff_ids.n; i++)
        if (!digest_is_sound(str_of(c.diff_ids.v[i])))
            return jv_err(&rootfs, err, "'%.100s' is no sha256 digest", c.diff_ids.v[i]);
    *out = c;
    return 0;
}

int doc_check_layout(struct str text, struct err *err)
{
    own_json json_t *doc = jv_load_str(text, "'oci-layout'", err);
    struct str version;

    if (!doc)
        return -1;
    struct jv root = jv_root(doc);
    if (jv_is_object(&root, err) < 0 || jv_str(&root, "imageLayoutVersion", &version, err) < 0)
        return -1;
    if (!str_starts(version, STR("1.")))
        return err_set(err, 0, "version '%.*s' of the image layout is not supported",
                       STR_ARG(str_head(version, 40)));
    return 0;
}

int doc_parse_saved(struct str text, struct arena *a, struct doc_saved **out, size_t *out_n,
                    struct err *err)
{
    own_json json_t *doc = jv_load_str(text, "'manifest.json'", err);

    if (!doc)
        return -1;
    struct jv root = jv_root(doc);
    if (jv_is_array(&root, err) < 0)
        return -1;
    size_t n = jv_n(&root);
    if (n > DOC_MANIFESTS_MAX)
        return jv_err(&root, err, "more than %d images", DOC_MANIFESTS_MAX);
    struct doc_saved *v = arena_array(a, n, sizeof *v);
    if (!v)
        return err_set(err, 0, "the document needs too much memory");
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(&root, i);

        if (jv_is_object(&e, err) < 0 || get_text(&e, "Config", a, &v[i].config, err) < 0 ||
            get_strings(&e, "Layers", a, &v[i].layers, err) < 0 ||
            get_strings(&e, "RepoTags", a, &v[i].tags, err) < 0)
            return -1;
        if (v[i].layers.n > DOC_LAYERS_MAX)
            return jv_err(&e, err, "more than %d layers", DOC_LAYERS_MAX);
    }
    *out = v;
    *out_n = n;
    return 0;
}
