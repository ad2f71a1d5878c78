/* SPDX-License-Identifier: Apache-2.0 */
/* A document that loads can be walked, each value has a path and fits exactly one type, and its
 * dump loads again. */
#include <assert.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/jv.h"
#include "runtime/base/own.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define DEPTH_MAX 32

static void check_scalar(const struct jv *at)
{
    static const char *const known[] = {"a", "hostname", NULL};
    const struct jv_range range = {-5, 5};
    struct err err;
    struct str s;
    int64_t i = 99;
    size_t e;

    if (jv_as_str(at, &s, &err) == 0)
        assert(!str_has_nul(s));
    else
        assert(str_starts(str_of(err.text), STR("$")));
    assert(jv_as_int(at, range, &i, &err) == 0 ? i >= -5 && i <= 5 : i == 99);
    assert(jv_enum(at, known, &e, &err) < 0 || e < 2);
    (void)!jv_only(at, known, &err);
}

static void check_members(const struct jv *at)
{
    uint64_t v;
    struct err err;
    bool b;

    (void)!jv_opt_size(at, "a", 1000, 1, &v, &err);
    (void)!jv_opt_seconds(at, "a", 1000, 1, &v, &err);
    (void)!jv_opt_bool(at, "a", true, &b, &err);
}

static void walk(const struct jv *at, unsigned depth)
{
    own_buf struct buf path = BUF_INIT(100000);
    void *it = NULL;
    struct jv m;

    jv_path(at, &path);
    assert(path.failed || str_starts(buf_str(&path), STR("$")));
    check_scalar(at);
    check_members(at);
    if (depth == DEPTH_MAX)
        return;
    while (jv_next(at, &it, &m))
        walk(&m, depth + 1);
    for (size_t i = 0; json_is_array(at->v) && i < jv_n(at); i++) {
        m = jv_elem(at, i);
        walk(&m, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err;
    own_json json_t *doc = jv_load_str((struct str){(const char *)data, n}, "input", &err);
    own_json json_t *again = NULL;
    own_buf struct buf text = BUF_INIT(1 << 20);
    struct jv root = jv_root(doc);

    if (doc == NULL)
        return 0;
    walk(&root, 0);
    jv_dump(doc, n % 2 == 0 ? JV_COMPACT : JV_PRETTY, &text);
    if (text.failed)
        return 0;
    again = jv_load_str(buf_str(&text), "its dump", &err);
    assert(again != NULL && json_equal(doc, again));
    return 0;
}
