/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recipe that is accepted has sorted paths without doubles, each relative and clean, each with
 * its directory in front of it.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"

#include "images/lib/doc.h"
#include "images/lib/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_dir(const struct recipe *r, struct str path)
{
    for (size_t i = 0; i < r->nodes_n; i++)
        if (str_eq_c(path, r->nodes[i].path))
            return true;
    return false;
}

static void check_node(const struct recipe *r, size_t i)
{
    const struct recipe_node *n = &r->nodes[i];
    struct str up;
    struct str base;

    assert(i == 0 || strcmp(r->nodes[i - 1].path, n->path) < 0);
    assert(path_is_clean(str_of(n->path)) && !path_is_absolute(str_of(n->path)));
    assert(strncmp(n->path, "..", 3) != 0 && strncmp(n->path, "../", 3) != 0);
    assert(n->mode <= 0777 && (n->kind == RECIPE_DIR) == (n->from == NULL));
    if (n->kind == RECIPE_PROGRAM || n->kind == RECIPE_FILE)
        assert(path_is_name(str_of(n->from)));
    if (str_rcut(str_of(n->path), '/', &up, &base))
        assert(has_dir(r, up));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(16U << 20);
    struct recipe r;
    struct err err = {0};

    if (recipe_parse((struct str){(const char *)data, size}, a, &r, &err) < 0) {
        assert(err.text[0] != '\0');
    } else {
        assert(doc_ref_is_sound(str_of(r.name)) && r.config.entrypoint.n > 0);
        for (size_t i = 0; i < r.nodes_n; i++)
            check_node(&r, i);
    }
    arena_free(a);
    return 0;
}
