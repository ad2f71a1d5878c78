/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/gen.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/spec/oci.h"
#include "runtime/stack/bundle.h"
#include "runtime/stack/files.h"
#include "runtime/stack/layout.h"
#include "runtime/stack/rootfs.h"

struct gen *gen_load(const char *file, struct buf *report)
{
    struct gen *g = mem_type(struct gen);
    struct err err = {0};

    g->a = arena_new(STACK_ARENA_MAX);
    if (svc_load(g->a, &g->table, &err) < 0) {
        buf_printf(report, "%s\n", err.text);
    } else if (stack_load(g->a, file, &g->config, report) == 0) {
        for (size_t i = 0; i < SVC_N; i++)
            g->v[i].wanted = svc_wanted(&g->table.v[i], g->config);
        return g;
    }
    gen_free(g);
    return NULL;
}

void gen_free(struct gen *g)
{
    if (!g)
        return;
    arena_free(g->a);
    free(g);
}

int gen_render_bundle(struct gen *g, const struct gen_render *r, const struct svc *s,
                      struct err *err)
{
    own_buf struct buf text = BUF_INIT(OCI_TEXT_MAX);
    struct gen_service *out = &g->v[s->index];
    struct rootfs root;
    struct bundle_make m = {
        .c = g->config, .t = &g->table, .s = s, .l = r->l, .host_network = r->host_network};

    if (rootfs_get(g->a, r->images, arena_printf(g->a, "%s/images", g->config->storage), s->name,
                   &root, err) < 0)
        return -1;
    m.rootfs = root.path;
    m.program = root.program;
    if (bundle_config(g->a, &m, &out->config, err) < 0 || oci_check(out->config, err) < 0)
        return err_wrap(err, "bundle of '%s'", s->name);
    oci_dump(out->config, &text);
    if (buf_check(&text, "config.json", err) < 0)
        return -1;
    out->bundle = arena_str(g->a, buf_str(&text));
    return 0;
}

int gen_render(struct gen *g, const struct gen_render *r, struct err *err)
{
    if (r->files_max != 0 && files_fit(&g->table, g->config, r->files_max, err) < 0)
        return -1;
    for (size_t i = 0; i < SVC_N; i++) {
        const struct svc *s = &g->table.v[i];

        if (!g->v[i].wanted)
            continue;
        if (gen_render_bundle(g, r, s, err) < 0 ||
            render_all(g->a, g->config, &g->table, s, &g->v[i].files, err) < 0)
            return -1;
    }
    return 0;
}

static bool same_listen(const struct stack_config *was, const struct stack_config *now,
                        const struct svc *s)
{
    for (int p = 0; p < STACK_PORTS; p++) {
        if (!s->ports[p])
            continue;
        if (was->listen[p].n != now->listen[p].n)
            return false;
        for (size_t i = 0; i < was->listen[p].n; i++)
            if (strcmp(was->listen[p].v[i].text, now->listen[p].v[i].text) != 0)
                return false;
    }
    return true;
}

static bool same_files(const struct rendered *a, const struct rendered *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i].path, b->v[i].path) != 0 || !str_eq(a->v[i].content, b->v[i].content))
            return false;
    return true;
}

/* The number of workers is every daemon's from its start on; some read nothing but their secrets
 * anew. */
static bool holds_at_start(const struct gen *was, const struct gen *now, const struct svc *s)
{
    const struct rendered *a = &was->v[s->index].files;
    const struct rendered *b = &now->v[s->index].files;

    if (svc_limits(s, was->config).workers != svc_limits(s, now->config).workers)
        return true;
    return s->conf_at_start && a->n && b->n && !str_eq(a->v[0].content, b->v[0].content);
}

enum gen_difference gen_compare(const struct gen *was, const struct gen *now, const struct svc *s)
{
    const struct gen_service *a = &was->v[s->index];
    const struct gen_service *b = &now->v[s->index];

    if (!str_eq(a->bundle, b->bundle) || !same_listen(was->config, now->config, s) ||
        holds_at_start(was, now, s))
        return GEN_RESTART;
    return same_files(&a->files, &b->files) ? GEN_SAME : GEN_RELOAD;
}
