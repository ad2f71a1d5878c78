/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/jv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/jplain.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#define PATH_TEXT_MAX 512 /* of a JSON path in an error */
#define KEY_TEXT_MAX  64  /* of a key that is compared with the known ones */

/* --- loading and dumping --------------------------------------------------------------------- */

/* Where hashes of keys begin, so that nobody can choose keys that collide. The library would read a
 * device, which takes longer and may be absent; only the first call of a process counts. */
static void seed_hashes(void)
{
    size_t seed = 0;

    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed && seed != 0)
        json_object_seed(seed);
}

json_t *jv_load_str(struct str text, const char *name, struct err *err)
{
    json_error_t why;
    json_t *doc = NULL;

    seed_hashes();
    doc = jplain_load(text);
    if (doc != NULL)
        return doc;
    doc = json_loadb(text.n == 0 ? "" : text.p, text.n, JSON_REJECT_DUPLICATES, &why);

    if (doc == NULL && json_error_code(&why) == json_error_null_character)
        (void)err_set(err, 0, "%s: line %d, column %d: a NUL (\\u0000) is not allowed", name,
                      why.line, why.column);
    else if (doc == NULL)
        (void)err_set(err, 0, "%s: line %d, column %d: %s", name, why.line, why.column, why.text);
    return doc;
}

json_t *jv_load_file(int dir_fd, const char *path, size_t max, struct err *err)
{
    own_buf struct buf text = BUF_INIT(max);

    if (file_read(dir_fd, path, &text, err) < 0)
        return NULL;
    return jv_load_str(buf_str(&text), path, err);
}

void jv_free(json_t **doc)
{
    json_decref(*doc);
    *doc = NULL;
}

static int dump_some(const char *p, size_t n, void *out)
{
    buf_append_n(out, p, n);
    return 0;
}

void jv_dump(const json_t *doc, enum jv_style style, struct buf *out)
{
    size_t flags = JSON_ENCODE_ANY | (style == JV_PRETTY ? JSON_INDENT(2) : JSON_COMPACT);

    if (json_dump_callback(doc, dump_some, out, flags) < 0)
        out->failed = true;
}

/* --- where a value is ------------------------------------------------------------------------ */

struct jv jv_root(const json_t *doc)
{
    return (struct jv){.v = doc};
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '-')
            return false;
    }
    return s.n > 0;
}

static void put_key(struct str key, struct buf *out)
{
    if (is_word(key)) {
        buf_append_char(out, '.');
        buf_append(out, key);
        return;
    }
    buf_append_c(out, "[\"");
    for (size_t i = 0; i < key.n; i++) {
        if (key.p[i] == '"' || key.p[i] == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, (unsigned char)key.p[i] < ' ' ? '?' : key.p[i]);
    }
    buf_append_c(out, "\"]");
}

void jv_path(const struct jv *at, struct buf *out)
{
    if (at->up == NULL) {
        buf_append_char(out, '$');
        return;
    }
    jv_path(at->up, out);
    if (at->key != NULL)
        put_key(str_of(at->key), out);
    else
        buf_printf(out, "[%zu]", at->index);
}

int(jv_err)(const struct jv *at, struct err *err, const char *fmt, ...)
{
    own_buf struct buf path = BUF_INIT(PATH_TEXT_MAX);
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut is fine here */
    va_end(ap);
    jv_path(at, &path);
    return err_set(err, 0, "%s%s: %s", buf_c(&path), path.failed ? "..." : "", text);
}

/* --- types ----------------------------------------------------------------------------------- */

static const char *found(const struct jv *at)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",
        [JSON_ARRAY] = "an array",
        [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number with a fraction",
        [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",
        [JSON_NULL] = "null",
    };

    return at->v == NULL ? "nothing" : names[json_typeof(at->v)];
}

static int wrong(const struct jv *at, const char *expected, struct err *err)
{
    return jv_err(at, err, "expected %s, found %s", expected, found(at));
}

int jv_is_object(const struct jv *at, struct err *err)
{
    return json_is_object(at->v) ? 0 : wrong(at, "an object", err);
}

int jv_is_array(const struct jv *at, struct err *err)
{
    return json_is_array(at->v) ? 0 : wrong(at, "an array", err);
}

/* --- known keys ------------------------------------------------------------------------------ */

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Levenshtein's distance of texts of at most KEY_TEXT_MAX bytes, case folded. */
static size_t distance(struct str a, struct str b)
{
    size_t row[KEY_TEXT_MAX + 1];

    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t differ = ascii_lower(a.p[i - 1]) != ascii_lower(b.p[j - 1]);
            size_t cell = min3(row[j] + 1, row[j - 1] + 1, diagonal + differ);

            diagonal = row[j];
            row[j] = cell;
        }
    }
    return row[b.n];
}

/* The known key that was probably meant, or NULL if none is near. */
static const char *nearest(struct str key, const char *const *keys)
{
    const char *best = NULL;
    size_t best_n = key.n / 2 + 1;

    for (; key.n <= KEY_TEXT_MAX && *keys != NULL; keys++) {
        struct str k = str_of(*keys);
        size_t n = k.n <= KEY_TEXT_MAX ? distance(key, k) : SIZE_MAX;

        if (n < best_n) {
            best_n = n;
            best = *keys;
        }
    }
    return best;
}

static int unknown_key(const struct jv *at, const char *key, const char *const *keys,
                       struct err *err)
{
    const struct jv member = {.up = at, .key = key};
    const char *near = nearest(str_of(key), keys);

    if (near == NULL)
        return jv_err(&member, err, "unknown key");
    return jv_err(&member, err, "unknown key; did you mean '%s'?", near);
}

static bool in_list(const char *key, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        if (strcmp(key, *keys) == 0)
            return true;
    }
    return false;
}

int jv_only(const struct jv *at, const char *const *keys, struct err *err)
{
    void *it = NULL;
    struct jv m;

    if (jv_is_object(at, err) < 0)
        return -1;
    while (jv_next(at, &it, &m)) {
        if (!in_list(m.key, keys))
            return unknown_key(at, m.key, keys, err);
    }
    return 0;
}

/* --- members --------------------------------------------------------------------------------- */

struct jv jv_member(const struct jv *at, const char *key)
{
    return (struct jv){.v = json_object_get(at->v, key), .up = at, .key = key};
}

static bool absent(const struct jv *m)
{
    return m->v == NULL || json_is_null(m->v);
}

bool jv_has(const struct jv *at, const char *key)
{
    struct jv m = jv_member(at, key);

    return !absent(&m);
}

int jv_object(const struct jv *at, const char *key, struct jv *out, struct err *err)
{
    struct jv m = jv_member(at, key);

    if (jv_is_object(&m, err) < 0)
        return -1;
    *out = m;
    return 0;
}

int jv_array(const struct jv *at, const char *key, struct jv *out, struct err *err)
{
    struct jv m = jv_member(at, key);

    if (jv_is_array(&m, err) < 0)
        return -1;
    *out = m;
    return 0;
}

int jv_opt_object(const struct jv *at, const char *key, struct jv *out, struct err *err)
{
    if (jv_has(at, key))
        return jv_object(at, key, out, err);
    *out = (struct jv){.up = at, .key = key};
    return 0;
}

int jv_opt_array(const struct jv *at, const char *key, struct jv *out, struct err *err)
{
    if (jv_has(at, key))
        return jv_array(at, key, out, err);
    *out = (struct jv){.up = at, .key = key};
    return 0;
}

/* --- scalars --------------------------------------------------------------------------------- */

int jv_as_str(const struct jv *at, struct str *out, struct err *err)
{
    struct str s;

    if (!json_is_string(at->v))
        return wrong(at, "a string", err);
    s = (struct str){json_string_value(at->v), json_string_length(at->v)};
    if (str_has_nul(s))
        return jv_err(at, err, "expected a string without NUL bytes");
    *out = s;
    return 0;
}

int jv_str(const struct jv *at, const char *key, struct str *out, struct err *err)
{
    struct jv m = jv_member(at, key);

    return jv_as_str(&m, out, err);
}

int jv_opt_str(const struct jv *at, const char *key, struct str dflt, struct str *out,
               struct err *err)
{
    if (jv_has(at, key))
        return jv_str(at, key, out, err);
    *out = dflt;
    return 0;
}

int jv_bool(const struct jv *at, const char *key, bool *out, struct err *err)
{
    struct jv m = jv_member(at, key);

    if (!json_is_boolean(m.v))
        return wrong(&m, "true or false", err);
    *out = json_is_true(m.v);
    return 0;
}

int jv_opt_bool(const struct jv *at, const char *key, bool dflt, bool *out, struct err *err)
{
    if (jv_has(at, key))
        return jv_bool(at, key, out, err);
    *out = dflt;
    return 0;
}

int jv_as_int(const struct jv *at, struct jv_range range, int64_t *out, struct err *err)
{
    int64_t v;

    if (!json_is_integer(at->v))
        return wrong(at, "a whole number", err);
    v = json_integer_value(at->v);
    if (v < range.min || v > range.max)
        return jv_err(at, err, "expected a number from %lld to %lld, found %lld",
                      (long long)range.min, (long long)range.max, (long long)v);
    *out = v;
    return 0;
}

int jv_int(const struct jv *at, const char *key, struct jv_range range, int64_t *out,
           struct err *err)
{
    struct jv m = jv_member(at, key);

    return jv_as_int(&m, range, out, err);
}

int jv_opt_int(const struct jv *at, const char *key, struct jv_range range, int64_t dflt,
               int64_t *out, struct err *err)
{
    if (jv_has(at, key))
        return jv_int(at, key, range, out, err);
    *out = dflt;
    return 0;
}

/* A number, or text for one of the parsers of num.h with units. */
typedef int with_unit(struct str s, uint64_t max, uint64_t *out, struct err *err);

static int opt_quantity(const struct jv *m, with_unit *parse, uint64_t max, uint64_t *out,
                        struct err *err)
{
    struct jv_range range = {0, max < INT64_MAX ? (int64_t)max : INT64_MAX};
    struct err why;
    struct str s;
    int64_t n;

    if (json_is_integer(m->v)) {
        if (jv_as_int(m, range, &n, err) < 0)
            return -1;
        *out = (uint64_t)n;
        return 0;
    }
    if (!json_is_string(m->v))
        return wrong(m, "a number, or a string with a number and a unit", err);
    if (jv_as_str(m, &s, err) < 0)
        return -1;
    return parse(s, max, out, &why) < 0 ? jv_err(m, err, "%s", why.text) : 0;
}

int jv_opt_size(const struct jv *at, const char *key, uint64_t max, uint64_t dflt, uint64_t *out,
                struct err *err)
{
    struct jv m = jv_member(at, key);

    if (!absent(&m))
        return opt_quantity(&m, num_parse_size, max, out, err);
    *out = dflt;
    return 0;
}

int jv_opt_seconds(const struct jv *at, const char *key, uint64_t max, uint64_t dflt, uint64_t *out,
                   struct err *err)
{
    struct jv m = jv_member(at, key);

    if (!absent(&m))
        return opt_quantity(&m, num_parse_seconds, max, out, err);
    *out = dflt;
    return 0;
}

/* --- walking --------------------------------------------------------------------------------- */

size_t jv_n(const struct jv *at)
{
    return json_is_array(at->v) ? json_array_size(at->v) : json_object_size(at->v);
}

struct jv jv_elem(const struct jv *array, size_t i)
{
    return (struct jv){.v = json_array_get(array->v, i), .up = array, .index = i};
}

bool jv_next(const struct jv *object, void **it, struct jv *member)
{
    json_t *v;

    if (!json_is_object(object->v))
        return false;
    memcpy(&v, &object->v, sizeof(void *)); /* jansson's iterator takes no const, but only reads */
    *it = *it == NULL ? json_object_iter(v) : json_object_iter_next(v, *it);
    if (*it == NULL)
        return false;
    *member = (struct jv){
        .v = json_object_iter_value(*it), .up = object, .key = json_object_iter_key(*it)};
    return true;
}

int jv_enum(const struct jv *at, const char *const *names, size_t *out, struct err *err)
{
    own_buf struct buf known = BUF_INIT(ERR_TEXT_MAX);
    struct str s;

    if (jv_as_str(at, &s, err) < 0)
        return -1;
    for (size_t i = 0; names[i] != NULL; i++) {
        if (str_eq_c(s, names[i])) {
            *out = i;
            return 0;
        }
        buf_printf(&known, "%s'%s'", i == 0 ? "" : ", ", names[i]);
    }
    return jv_err(at, err, "found '%.*s', expected one of %s", STR_ARG(str_head(s, 64)),
                  buf_c(&known));
}
