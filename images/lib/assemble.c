/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/assemble.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#include "images/lib/blob.h"
#include "images/lib/doc.h"
#include "images/lib/image_layout.h"
#include "images/lib/recipe.h"
#include "images/lib/tar_write.h"

#define VERSION_LABEL "org.opencontainers.image.version"
#define TIME_MAX      253402300799 /* the end of the year 9999: RFC 3339 has four digits */

int assemble_time(int64_t *out, struct err *err)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");

    if (!epoch || !*epoch) {
        *out = 0;
        return 0;
    }
    if (num_parse_i64(str_of(epoch), 0, TIME_MAX, out, err) < 0)
        return err_wrap(err, "SOURCE_DATE_EPOCH");
    return 0;
}

static int put_file(struct sink *to, const struct tar_item *item, const char *dir, const char *name,
                    struct err *err)
{
    own_fd int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    if (dir_fd < 0)
        return err_set(err, errno, "open '%s'", dir);
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno, "open '%s/%s'", dir, name);
    own_source struct source *content = source_of_fd(fd);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, 0, "'%s/%s' is no regular file", dir, name);
    return tar_write_file(to, item, content, (uint64_t)st.st_size, err);
}

static int put_node(struct sink *to, const struct recipe_node *n, const struct assemble *how,
                    struct err *err)
{
    const struct tar_item item = {str_of(n->path), n->mode, how->time_s};

    switch (n->kind) {
    case RECIPE_PROGRAM:
        return put_file(to, &item, how->programs, n->from, err);
    case RECIPE_FILE:
        return put_file(to, &item, how->files, n->from, err);
    case RECIPE_LINK:
        return tar_write_symlink(to, &item, str_of(n->from), err);
    case RECIPE_DIR:
        return tar_write_dir(to, &item, err);
    }
    return err_set(err, 0, "an unknown kind");
}

static int put_nodes(struct sink *to, const struct recipe *r, const struct assemble *how,
                     struct err *err)
{
    for (size_t i = 0; i < r->nodes_n; i++)
        if (put_node(to, &r->nodes[i], how, err) < 0)
            return -1;
    return tar_write_end(to, err);
}

/* The chain: archive -> digest of the archive -> gzip -> digest of the blob -> file. */
static int write_layer(struct blob_writer *w, const struct recipe *r, const struct assemble *how,
                       struct sink_sum *diff, struct err *err)
{
    struct sink_sum sum;
    struct sink *gzip = sink_gzip(w->to);

    w->to = sink_sum(gzip, &sum); /* owns the chain from here on */
    if (put_nodes(w->to, r, how, err) < 0 || blob_commit(w, err) < 0)
        return -1;
    *diff = sum;
    return 0;
}

struct layer_sums {
    struct sink_sum blob;
    struct sink_sum diff; /* of the archive in it */
};

static int make_layer(const struct image_store *s, const struct recipe *r,
                      const struct assemble *how, struct layer_sums *out, struct err *err)
{
    struct blob_writer w;

    if (blob_begin(&w, s->fd, err) < 0)
        return -1;
    int result = write_layer(&w, r, how, &out->diff, err);
    out->blob = w.sum;
    blob_writer_done(&w);
    return result;
}

static int fill_layer(struct arena *a, const struct layer_sums *sums, struct doc_manifest *m,
                      struct doc_config *c, struct err *err)
{
    m->layers = arena_array(a, 1, sizeof *m->layers);
    const char **ids = arena_array(a, 2, sizeof *ids);
    if (!m->layers || !ids)
        return err_set(err, 0, "the image needs too much memory");
    m->layers_n = 1;
    m->layers[0] = (struct doc_descriptor){.media_type = DOC_TYPE_TAR_GZIP,
                                           .digest = arena_copy(a, str_of(sums->blob.digest)),
                                           .size = sums->blob.size};
    ids[0] = arena_copy(a, str_of(sums->diff.digest));
    c->diff_ids = (struct image_strings){ids, 1};
    return 0;
}

static int put_doc(const struct image_store *s, struct arena *a, const struct buf *text,
                   const char *type, struct doc_descriptor *d, struct err *err)
{
    char digest[DIGEST_TEXT_MAX];

    if (buf_check(text, "a document", err) < 0 || blob_put(s->fd, buf_str(text), digest, err) < 0)
        return -1;
    *d = (struct doc_descriptor){
        .media_type = type, .digest = arena_copy(a, str_of(digest)), .size = text->n};
    return 0;
}

static int cmp_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_version(struct arena *a, const char *version, struct image_strings *labels)
{
    const char **v = arena_array(a, labels->n + 2, sizeof *v);

    if (!version || !v)
        return;
    for (size_t i = 0; i < labels->n; i++)
        v[i] = labels->v[i];
    v[labels->n] = arena_printf(a, VERSION_LABEL "=%s", version);
    *labels = (struct image_strings){v, labels->n + 1};
    if (!arena_failed(a))
        qsort(v, labels->n, sizeof *v, cmp_text);
}

static const char *format_time(struct arena *a, int64_t time_s)
{
    struct tm tm;
    time_t t = time_s;
    char text[40];

    if (!gmtime_r(&t, &tm) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return "1970-01-01T00:00:00Z";
    return arena_copy(a, str_of(text));
}

static int assemble(const struct image_store *s, struct arena *a, const struct recipe *r,
                    const struct assemble *how, struct doc_descriptor *d, struct err *err)
{
    own_buf struct buf config = BUF_INIT(DOC_MAX);
    own_buf struct buf manifest = BUF_INIT(DOC_MAX);
    struct doc_manifest m = {0};
    struct doc_config c = {.image = r->config};
    struct layer_sums sums;

    c.image.os = "linux";
    c.image.architecture = doc_architecture();
    c.image.created = format_time(a, how->time_s);
    add_version(a, how->version, &c.image.labels);
    if (make_layer(s, r, how, &sums, err) < 0 || fill_layer(a, &sums, &m, &c, err) < 0)
        return -1;
    if (arena_failed(a))
        return err_set(err, 0, "the image needs too much memory");
    doc_format_config(&c, "mb-image build", &config);
    if (put_doc(s, a, &config, DOC_TYPE_CONFIG, &m.config, err) < 0)
        return -1;
    doc_format_manifest(&m, &manifest);
    return put_doc(s, a, &manifest, DOC_TYPE_MANIFEST, d, err);
}

int assemble_image(struct image_store *s, struct arena *a, const struct recipe *r,
                   const struct assemble *how, const char **digest, struct err *err)
{
    own_fd int lock = image_layout_write_lock(s, err);
    struct doc_descriptor d;

    if (lock < 0)
        return -1;
    if (assemble(s, a, r, how, &d, err) < 0)
        return err_wrap(err, "build image '%s'", r->name);
    d.ref = r->name;
    if (!d.digest || image_layout_set(s, &d, err) < 0)
        return -1;
    *digest = d.digest;
    return 0;
}
