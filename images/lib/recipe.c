/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/recipe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/jv.h"
#include "runtime/base/num.h"
#include "runtime/base/path.h"

#include "images/lib/doc.h"

#define RECIPE_LABELS_MAX 100
#define DESCRIPTION_LABEL "org.opencontainers.image.description"
#define TITLE_LABEL       "org.opencontainers.image.title"

struct reader {
    struct arena *a;
    struct recipe_node *v; /* room for RECIPE_NODES_MAX */
    size_t n;
};

static int add(struct reader *r, const struct jv *at, const struct recipe_node *node,
               struct err *err)
{
    if (r->n == RECIPE_NODES_MAX)
        return jv_err(at, err, "more than %d files and directories", RECIPE_NODES_MAX);
    r->v[r->n++] = *node;
    return 0;
}

static int check_dest(const struct jv *at, struct str s, struct err *err)
{
    if (!path_is_absolute(s) || !path_is_clean(s) || s.n < 2 || s.n > 200)
        return jv_err(at, err, "'%.*s' is no clean absolute path", STR_ARG(str_head(s, 200)));
    return 0;
}

static int get_path(const struct reader *r, const struct jv *at, const char *key, const char **out,
                    struct err *err)
{
    struct str s;

    if (jv_str(at, key, &s, err) < 0 || check_dest(at, s, err) < 0)
        return -1;
    *out = arena_copy(r->a, str_skip(s, 1));
    return 0;
}

static int get_name(const struct reader *r, const struct jv *at, const char *key, const char **out,
                    struct err *err)
{
    struct str s;

    if (jv_str(at, key, &s, err) < 0)
        return -1;
    if (!path_is_name(s))
        return jv_err(at, err, "'%.*s' is no name of a file", STR_ARG(str_head(s, 200)));
    *out = arena_copy(r->a, s);
    return 0;
}

static int get_program(struct reader *r, const struct jv *root, struct err *err)
{
    static const char *const keys[] = {"from", "to", NULL};
    struct recipe_node node = {.kind = RECIPE_PROGRAM, .mode = 0755};
    struct jv at;

    if (jv_opt_object(root, "program", &at, err) < 0)
        return -1;
    if (!at.v)
        return 0;
    if (jv_only(&at, keys, err) < 0 || get_name(r, &at, "from", &node.from, err) < 0 ||
        get_path(r, &at, "to", &node.path, err) < 0)
        return -1;
    return add(r, &at, &node, err);
}

static int get_mode(const struct jv *at, uint32_t *out, struct err *err)
{
    struct str s;

    if (jv_opt_str(at, "mode", STR("0644"), &s, err) < 0)
        return -1;
    return num_parse_octal(s, 0777, out, err) < 0
               ? jv_err(at, err, "mode: an octal number up to 0777")
               : 0;
}

static int get_file(struct reader *r, const struct jv *at, struct err *err)
{
    static const char *const keys[] = {"from", "to", "mode", NULL};
    struct recipe_node node = {.kind = RECIPE_FILE};

    if (jv_is_object(at, err) < 0 || jv_only(at, keys, err) < 0 ||
        get_name(r, at, "from", &node.from, err) < 0 ||
        get_path(r, at, "to", &node.path, err) < 0 || get_mode(at, &node.mode, err) < 0)
        return -1;
    return add(r, at, &node, err);
}

static int get_link(struct reader *r, const struct jv *at, struct err *err)
{
    static const char *const keys[] = {"to", "target", NULL};
    struct recipe_node node = {.kind = RECIPE_LINK, .mode = 0777};
    struct str target;

    if (jv_is_object(at, err) < 0 || jv_only(at, keys, err) < 0 ||
        get_path(r, at, "to", &node.path, err) < 0 || jv_str(at, "target", &target, err) < 0)
        return -1;
    if (target.n == 0 || target.n > 200)
        return jv_err(at, err, "target: 1 to 200 bytes");
    node.from = arena_copy(r->a, target);
    return add(r, at, &node, err);
}

static int get_dir(struct reader *r, const struct jv *at, struct err *err)
{
    struct recipe_node node = {.kind = RECIPE_DIR, .mode = 0755};
    struct str s;

    if (jv_as_str(at, &s, err) < 0 || check_dest(at, s, err) < 0)
        return -1;
    node.path = arena_copy(r->a, str_skip(s, 1));
    return add(r, at, &node, err);
}

static int get_list(struct reader *r, const struct jv *root, const char *key,
                    int (*get)(struct reader *, const struct jv *, struct err *), struct err *err)
{
    struct jv list;

    if (jv_opt_array(root, key, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);

        if (get(r, &e, err) < 0)
            return -1;
    }
    return 0;
}

/* --- the run configuration ---------------------------------------------------------------------*/

static int get_strings(struct reader *r, const struct jv *root, const char *key,
                       struct image_strings *out, struct err *err)
{
    struct jv list;

    if (jv_opt_array(root, key, &list, err) < 0)
        return -1;
    size_t n = jv_n(&list);
    const char **v = arena_array(r->a, n + 1, sizeof *v);
    for (size_t i = 0; v && i < n; i++) {
        struct jv e = jv_elem(&list, i);
        struct str s;

        if (jv_as_str(&e, &s, err) < 0)
            return -1;
        v[i] = arena_copy(r->a, s);
    }
    *out = (struct image_strings){v, v ? n : 0};
    return 0;
}

static int get_text(struct reader *r, const struct jv *root, const char *key, const char **out,
                    struct err *err)
{
    struct str s;

    if (jv_opt_str(root, key, STR(""), &s, err) < 0)
        return -1;
    *out = arena_copy(r->a, s);
    return 0;
}

static int cmp_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Title and description are labels too. */
static int get_labels(struct reader *r, const struct jv *root, const char *name,
                      struct image_strings *out, struct err *err)
{
    const char **v = arena_array(r->a, RECIPE_LABELS_MAX + 3, sizeof *v);
    const char *description;
    struct jv labels;
    struct jv m;
    void *it = NULL;
    size_t n = 0;

    if (!v || get_text(r, root, "description", &description, err) < 0 ||
        jv_opt_object(root, "labels", &labels, err) < 0)
        return -1;
    if (jv_n(&labels) > RECIPE_LABELS_MAX)
        return jv_err(&labels, err, "more than %d labels", RECIPE_LABELS_MAX);
    v[n++] = arena_printf(r->a, TITLE_LABEL "=%s", name);
    if (*description)
        v[n++] = arena_printf(r->a, DESCRIPTION_LABEL "=%s", description);
    while (labels.v && jv_next(&labels, &it, &m)) {
        struct str value;

        if (jv_as_str(&m, &value, err) < 0)
            return -1;
        if (!*m.key || strlen(m.key) > DOC_REF_MAX || strchr(m.key, '='))
            return jv_err(&m, err, "not a sound name of a label");
        v[n++] = arena_printf(r->a, "%s=%.*s", m.key, STR_ARG(value));
    }
    if (!arena_failed(r->a))
        qsort(v, n, sizeof *v, cmp_text);
    *out = (struct image_strings){v, n};
    return 0;
}

static int get_config(struct reader *r, const struct jv *root, struct recipe *out, struct err *err)
{
    struct image_config *c = &out->config;
    struct str name;

    if (jv_str(root, "name", &name, err) < 0)
        return -1;
    if (!doc_ref_is_sound(name))
        return jv_err(root, err, "'%.*s' is no sound name of an image",
                      STR_ARG(str_head(name, 80)));
    out->name = arena_copy(r->a, name);
    if (!out->name || get_strings(r, root, "entrypoint", &c->entrypoint, err) < 0 ||
        get_strings(r, root, "cmd", &c->cmd, err) < 0 ||
        get_strings(r, root, "env", &c->env, err) < 0)
        return -1;
    if (c->entrypoint.n == 0)
        return jv_err(root, err, "entrypoint: one word at least");
    c->user = "";
    if (get_text(r, root, "workdir", &c->workdir, err) < 0 ||
        get_text(r, root, "stop_signal", &c->stop_signal, err) < 0)
        return -1;
    return get_labels(r, root, out->name, &c->labels, err);
}

/* --- order -------------------------------------------------------------------------------------*/

static int cmp_node(const void *a, const void *b)
{
    const struct recipe_node *x = a;
    const struct recipe_node *y = b;
    int order = strcmp(x->path, y->path);

    return order ? order : (x->kind == RECIPE_DIR) - (y->kind == RECIPE_DIR);
}

/* Directories on the way, each as often as it is needed; doubles go after sorting. */
static int add_parents(struct reader *r, const struct jv *root, struct err *err)
{
    size_t n = r->n;

    for (size_t i = 0; i < n; i++)
        for (const char *at = strchr(r->v[i].path, '/'); at; at = strchr(at + 1, '/')) {
            struct str up = {r->v[i].path, (size_t)(at - r->v[i].path)};
            struct recipe_node node = {RECIPE_DIR, arena_copy(r->a, up), NULL, 0755};

            if (arena_failed(r->a))
                return err_set(err, 0, "the recipe needs too much memory");
            if (add(r, root, &node, err) < 0)
                return -1;
        }
    return 0;
}

/* Two directories of one path are one; of anything else the path may be given once. */
static int sort_nodes(struct reader *r, const struct jv *root, struct err *err)
{
    size_t kept = 0;

    if (add_parents(r, root, err) < 0)
        return -1;
    if (r->n > 0)
        qsort(r->v, r->n, sizeof *r->v, cmp_node);
    for (size_t i = 0; i < r->n; i++) {
        if (kept > 0 && strcmp(r->v[kept - 1].path, r->v[i].path) == 0) {
            if (r->v[kept - 1].kind != RECIPE_DIR)
                return jv_err(root, err, "'/%s' is there twice", r->v[i].path);
            continue;
        }
        r->v[kept++] = r->v[i];
    }
    r->n = kept;
    return 0;
}

static int read_nodes(struct reader *r, const struct jv *root, struct err *err)
{
    if (get_program(r, root, err) < 0 || get_list(r, root, "files", get_file, err) < 0 ||
        get_list(r, root, "links", get_link, err) < 0 ||
        get_list(r, root, "directories", get_dir, err) < 0)
        return -1;
    return arena_failed(r->a) ? err_set(err, 0, "the recipe needs too much memory")
                              : sort_nodes(r, root, err);
}

int recipe_parse(struct str text, struct arena *a, struct recipe *out, struct err *err)
{
    static const char *const keys[] = {"name",        "description", "program",    "files", "links",
                                       "directories", "labels",      "entrypoint", "cmd",   "env",
                                       "workdir",     "stop_signal", NULL};
    struct reader r = {a, NULL, 0};
    struct recipe recipe = {0};

    if (text.n > RECIPE_MAX)
        return err_set(err, 0, "a recipe of more than %d bytes", RECIPE_MAX);
    own_json json_t *doc = jv_load_str(text, "the recipe", err);
    if (!doc)
        return -1;
    struct jv root = jv_root(doc);
    r.v = arena_array(a, RECIPE_NODES_MAX, sizeof *r.v);
    if (!r.v)
        return err_set(err, 0, "the recipe needs too much memory");
    if (jv_is_object(&root, err) < 0 || jv_only(&root, keys, err) < 0 ||
        get_config(&r, &root, &recipe, err) < 0 || read_nodes(&r, &root, err) < 0)
        return -1;
    if (arena_failed(a))
        return err_set(err, 0, "the recipe needs too much memory");
    recipe.nodes = r.v;
    recipe.nodes_n = r.n;
    *out = recipe;
    return 0;
}
