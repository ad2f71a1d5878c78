/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents that we write: members in a fixed order, so that the same image has the same
 * digest.
 */
#include "runtime/base/buf.h"
#include "runtime/base/jw.h"

#include "images/lib/doc.h"

void doc_format_layout(struct buf *out)
{
    struct jw w = jw_start(out, JW_ONE_LINE);

    jw_object(&w, NULL);
    jw_c(&w, "imageLayoutVersion", "1.0.0");
    jw_end(&w);
}

static void put_descriptor(struct jw *w, const char *key, const struct doc_descriptor *d)
{
    jw_object(w, key);
    jw_c(w, "mediaType", d->media_type);
    jw_c(w, "digest", d->digest);
    jw_uint(w, "size", d->size);
    if (d->architecture && *d->architecture) {
        jw_object(w, "platform");
        jw_c(w, "architecture", d->architecture);
        jw_c(w, "os", d->os);
        jw_end(w);
    }
    if (d->ref && *d->ref) {
        jw_object(w, "annotations");
        jw_c(w, DOC_REF_KEY, d->ref);
        jw_end(w);
    }
    jw_end(w);
}

void doc_format_manifest(const struct doc_manifest *m, struct buf *out)
{
    struct jw w = jw_start(out, JW_ONE_LINE);

    jw_object(&w, NULL);
    jw_uint(&w, "schemaVersion", 2);
    jw_c(&w, "mediaType", DOC_TYPE_MANIFEST);
    put_descriptor(&w, "config", &m->config);
    jw_array(&w, "layers");
    for (size_t i = 0; i < m->layers_n; i++)
        put_descriptor(&w, NULL, &m->layers[i]);
    jw_end(&w);
    jw_end(&w);
}

static void put_strings(struct jw *w, const char *key, const struct image_strings *s)
{
    if (s->n == 0)
        return;
    jw_array(w, key);
    for (size_t i = 0; i < s->n; i++)
        jw_c(w, NULL, s->v[i]);
    jw_end(w);
}

static void put_labels(struct jw *w, const struct image_strings *labels)
{
    if (labels->n == 0)
        return;
    jw_object(w, "Labels");
    for (size_t i = 0; i < labels->n; i++) {
        struct str key = str_of(labels->v[i]);
        struct str value = STR("");
        char name[DOC_REF_MAX + 1] = "";

        (void)str_cut(key, '=', &key, &value);
        for (size_t k = 0; k < key.n && k < DOC_REF_MAX; k++)
            name[k] = key.p[k];
        jw_str(w, name, value);
    }
    jw_end(w);
}

static void put_text(struct jw *w, const char *key, const char *value)
{
    if (value && *value)
        jw_c(w, key, value);
}

void doc_format_config(const struct doc_config *c, const char *history, struct buf *out)
{
    struct jw w = jw_start(out, JW_ONE_LINE);

    jw_object(&w, NULL);
    jw_c(&w, "created", c->image.created);
    jw_c(&w, "architecture", c->image.architecture);
    jw_c(&w, "os", c->image.os);
    jw_object(&w, "config");
    put_text(&w, "User", c->image.user);
    put_strings(&w, "Env", &c->image.env);
    put_strings(&w, "Entrypoint", &c->image.entrypoint);
    put_strings(&w, "Cmd", &c->image.cmd);
    put_text(&w, "WorkingDir", c->image.workdir);
    put_labels(&w, &c->image.labels);
    put_text(&w, "StopSignal", c->image.stop_signal);
    jw_end(&w);
    jw_object(&w, "rootfs");
    jw_c(&w, "type", "layers");
    put_strings(&w, "diff_ids", &c->diff_ids);
    jw_end(&w);
    jw_array(&w, "history");
    jw_object(&w, NULL);
    jw_c(&w, "created", c->image.created);
    jw_c(&w, "created_by", history);
    jw_end(&w);
    jw_end(&w);
    jw_end(&w);
}

void doc_format_index(const struct doc_index *i, struct buf *out)
{
    struct jw w = jw_start(out, JW_ONE_LINE);

    jw_object(&w, NULL);
    jw_uint(&w, "schemaVersion", 2);
    jw_c(&w, "mediaType", DOC_TYPE_INDEX);
    jw_array(&w, "manifests");
    for (size_t k = 0; k < i->n; k++)
        put_descriptor(&w, NULL, &i->v[k]);
    jw_end(&w);
    jw_end(&w);
}
