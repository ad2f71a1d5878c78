/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function per kind of member, chosen by a table; fields_load only walks rows. Output is
 * written into a zeroed struct, and a failed load throws the whole struct away with its arena, so
 * members may be half filled on error.
 */
#include "runtime/spec/oci_field.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#define WARNINGS_MAX 64

/* --- single values ---------------------------------------------------------------------------- */

static const char *found(const struct jv *at)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",  [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a fraction", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };

    if (at->v == NULL)
        return "nothing";
    if (json_is_string(at->v) && json_string_value(at->v)[0] == OCI_FIELD_MARK)
        return "a number";
    return names[json_typeof(at->v)];
}

static int expected(const struct jv *at, const char *what, struct err *err)
{
    return jv_err(at, err, "expected %s, found %s", what, found(at));
}

static int as_text(const struct jv *value, struct str *out, struct err *err)
{
    if (!json_is_string(value->v) || json_string_value(value->v)[0] == OCI_FIELD_MARK)
        return expected(value, "a string", err);
    if (memchr(json_string_value(value->v), '\0', json_string_length(value->v)) != NULL)
        return jv_err(value, err, "expected a string without NUL");
    *out = (struct str){json_string_value(value->v), json_string_length(value->v)};
    return 0;
}

static int no_memory(const struct jv *at, struct err *err)
{
    return jv_err(at, err, "the document needs more than %u bytes of memory", OCI_ARENA_MAX);
}

int field_text(const struct load *ld, const struct jv *value, const char **out, struct err *err)
{
    struct str s;
    const char *copy;

    if (as_text(value, &s, err) < 0)
        return -1;
    copy = arena_copy(ld->a, s);
    if (copy == NULL)
        return no_memory(value, err);
    *out = copy;
    return 0;
}

static int field_path(const struct load *ld, const struct jv *value, const char **out,
                      struct err *err)
{
    struct str s;

    if (as_text(value, &s, err) < 0)
        return -1;
    if (s.n == 0 || s.p[0] != '/')
        return jv_err(value, err, "expected an absolute path, found '%.*s'",
                      STR_ARG(str_head(s, 256)));
    if (s.n >= OCI_PATH_MAX)
        return jv_err(value, err, "expected a path below %d bytes, found %zu", OCI_PATH_MAX, s.n);
    return field_text(ld, value, out, err);
}

static int number_range(const struct jv *value, int64_t min, uint64_t max, const char *what,
                        struct err *err)
{
    return jv_err(value, err, "expected a number from %" PRId64 " to %" PRIu64 ", found %s", min,
                  max, what);
}

int field_number(const struct jv *value, int64_t min, uint64_t max, int64_t *out, struct err *err)
{
    char text[NUM_TEXT_MAX];
    int64_t i;
    uint64_t wide;

    if (json_is_string(value->v) && json_string_value(value->v)[0] == OCI_FIELD_MARK) {
        if (num_parse_u64(str_of(json_string_value(value->v) + 1), 0, UINT64_MAX, &wide, err) < 0)
            return jv_err(value, err, "expected a number below 2^64");
        if (wide > max || wide <= INT64_MAX)
            return number_range(value, min, max, json_string_value(value->v) + 1, err);
        *out = (int64_t)wide;
        return 0;
    }
    if (!json_is_integer(value->v))
        return number_range(value, min, max, found(value), err);
    i = json_integer_value(value->v);
    if (i < min || (i > 0 && (uint64_t)i > max)) {
        (void)snprintf(text, sizeof text, "%" PRId64, i); /* always fits */
        return number_range(value, min, max, text, err);
    }
    *out = i;
    return 0;
}

static int field_bool(const struct jv *value, bool *out, struct err *err)
{
    if (!json_is_boolean(value->v))
        return expected(value, "true or false", err);
    *out = json_is_true(value->v);
    return 0;
}

int field_array(const struct jv *value, size_t max, size_t *n, struct err *err)
{
    if (!json_is_array(value->v))
        return expected(value, "an array", err);
    if (json_array_size(value->v) > max)
        return jv_err(value, err, "expected at most %zu elements, found %zu", max,
                      json_array_size(value->v));
    *n = json_array_size(value->v);
    return 0;
}

int field_object(const struct jv *value, size_t max, size_t *n, struct err *err)
{
    if (!json_is_object(value->v))
        return expected(value, "an object", err);
    if (json_object_size(value->v) > max)
        return jv_err(value, err, "expected at most %zu members, found %zu", max,
                      json_object_size(value->v));
    *n = json_object_size(value->v);
    return 0;
}

int field_array_new(const struct load *ld, const struct jv *at, size_t n, size_t each, void **out,
                    struct err *err)
{
    void *p = arena_array(ld->a, n, each);

    if (p == NULL)
        return no_memory(at, err);
    *out = p;
    return 0;
}

static int strings_of(const struct load *ld, const struct jv *value, size_t max,
                      int (*each)(const struct load *, const struct jv *, const char **,
                                  struct err *),
                      struct oci_strings *out, struct err *err)
{
    size_t n;
    void *v;

    if (field_array(value, max, &n, err) < 0 ||
        field_array_new(ld, value, n + 1, sizeof(const char *), &v, err) < 0)
        return -1;
    *out = (struct oci_strings){v, n};
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(value, i);

        if (each(ld, &e, &out->v[i], err) < 0)
            return -1;
    }
    return 0;
}

int field_strings(const struct load *ld, const struct jv *value, size_t max,
                  struct oci_strings *out, struct err *err)
{
    return strings_of(ld, value, max, field_text, out, err);
}

static int not_a_name(const struct jv *value, const struct field_name *names, struct str s,
                      struct err *err)
{
    own_buf struct buf allowed = BUF_INIT(512);

    for (const struct field_name *m = names; m->name != NULL; m++)
        if (m->name[0] != '\0')
            buf_printf(&allowed, "%s%s", m == names ? "" : ", ", m->name);
    return jv_err(value, err, "expected one of %s; found '%.*s'", buf_c(&allowed),
                  STR_ARG(str_head(s, 64)));
}

int field_name(const struct jv *value, const struct field_name *names, uint64_t *out,
               struct err *err)
{
    struct str s;

    if (as_text(value, &s, err) < 0)
        return -1;
    for (const struct field_name *m = names; m->name != NULL; m++) {
        if (!str_eq_c(s, m->name))
            continue;
        *out = m->value;
        return 0;
    }
    return not_a_name(value, names, s, err);
}

const char *field_name_of(const struct field_name *names, uint64_t value)
{
    for (; names->name != NULL; names++)
        if (names->value == value)
            return names->name;
    return NULL;
}

void field_warn(const struct load *ld, const struct jv *at, const char *text, const char *name)
{
    own_buf struct buf path = BUF_INIT(256);
    struct oci_strings *w = ld->warnings;
    const char **grown;

    if (w == NULL)
        return;
    if (w->n >= WARNINGS_MAX) /* whoever did not read that many will not read more */
        return;
    jv_path(at, &path);
    grown = arena_array(ld->a, w->n + 2, sizeof(const char *));
    if (grown == NULL)
        return;
    for (size_t i = 0; i < w->n; i++)
        grown[i] = w->v[i];
    grown[w->n] = arena_printf(ld->a, "%s: %s '%.256s'", buf_c(&path), text, name);
    if (grown[w->n] != NULL)
        *w = (struct oci_strings){grown, w->n + 1};
}

/* --- members, one loader a kind --------------------------------------------------------------- */

typedef int member_loader(const struct load *ld, const struct jv *value, const struct field *f,
                          void *member, struct err *err);

/* An empty string counts as an absent one, as Go programs write it. */
static int load_str(const struct load *ld, const struct jv *value, const struct field *f,
                    void *member, struct err *err)
{
    const char **out = member;

    if (field_text(ld, value, out, err) < 0)
        return -1;
    if (**out != '\0')
        return 0;
    if ((f->flags & FIELD_NOT_EMPTY) != 0)
        return jv_err(value, err, "expected a string that is not empty");
    *out = NULL;
    return 0;
}

static int load_path(const struct load *ld, const struct jv *value, const struct field *f,
                     void *member, struct err *err)
{
    if ((f->flags & FIELD_NOT_EMPTY) == 0 && json_is_string(value->v) &&
        json_string_length(value->v) == 0)
        return 0;
    return field_path(ld, value, member, err);
}

static bool is_listing(const char *c)
{
    struct str rest = str_of(c), item;
    struct err ignored; /* only the yes or no matters */
    uint32_t from, to;

    while (str_next(&rest, ',', &item)) {
        struct str a = item, b = item;

        (void)str_cut(item, '-', &a, &b); /* a single number is both ends */
        if (num_parse_u32(str_trim(a), 0, UINT16_MAX, &from, &ignored) < 0 ||
            num_parse_u32(str_trim(b), 0, UINT16_MAX, &to, &ignored) < 0 || from > to)
            return false;
    }
    return true;
}

static int load_listing(const struct load *ld, const struct jv *value, const struct field *f,
                        void *member, struct err *err)
{
    const char **out = member;

    if (load_str(ld, value, f, member, err) < 0)
        return -1;
    if (*out != NULL && !is_listing(*out))
        return jv_err(value, err, "expected a list such as '0-3,7', found '%.64s'", *out);
    return 0;
}

static int load_bool(const struct load *ld, const struct jv *value, const struct field *f,
                     void *member, struct err *err)
{
    (void)ld;
    (void)f;
    return field_bool(value, member, err);
}

static int load_opt_bool(const struct load *ld, const struct jv *value, const struct field *f,
                         void *member, struct err *err)
{
    bool b;

    (void)ld;
    (void)f;
    if (field_bool(value, &b, err) < 0)
        return -1;
    *(struct oci_u64 *)member = (struct oci_u64){true, b ? 1 : 0};
    return 0;
}

static int load_number(const struct load *ld, const struct jv *value, const struct field *f,
                       void *member, struct err *err)
{
    int64_t i;

    (void)ld;
    if (field_number(value, f->min, f->max, &i, err) < 0)
        return -1;
    if (f->kind == FIELD_OPT_UINT)
        *(struct oci_u64 *)member = (struct oci_u64){true, (uint64_t)i};
    else if (f->kind == FIELD_OPT_INT)
        *(struct oci_i64 *)member = (struct oci_i64){true, i};
    else if (f->kind == FIELD_U16)
        *(uint16_t *)member = (uint16_t)i;
    else if (f->kind == FIELD_U32)
        *(uint32_t *)member = (uint32_t)i;
    else if (f->kind == FIELD_I32)
        *(int32_t *)member = (int32_t)i;
    else if (f->kind == FIELD_U64)
        *(uint64_t *)member = (uint64_t)i;
    else
        *(int64_t *)member = i;
    return 0;
}

static int load_strings(const struct load *ld, const struct jv *value, const struct field *f,
                        void *member, struct err *err)
{
    struct oci_strings *out = member;

    if (strings_of(ld, value, f->max, f->kind == FIELD_PATHS ? field_path : field_text, out, err) <
        0)
        return -1;
    if ((f->flags & FIELD_NOT_EMPTY) != 0 && out->n == 0)
        return jv_err(value, err, "expected at least one element");
    return 0;
}

static int load_pairs(const struct load *ld, const struct jv *value, const struct field *f,
                      void *member, struct err *err)
{
    struct oci_pairs *out = member;
    void *it = NULL, *v;
    struct jv m;
    size_t n;

    if (field_object(value, f->max, &n, err) < 0 ||
        field_array_new(ld, value, n, sizeof(struct oci_pair), &v, err) < 0)
        return -1;
    out->v = v;
    while (jv_next(value, &it, &m)) {
        struct oci_pair *p = &out->v[out->n++];

        p->key = arena_copy(ld->a, str_of(m.key));
        if (p->key == NULL)
            return no_memory(value, err);
        if (p->key[0] == '\0')
            return jv_err(value, err, "an empty key");
        if (field_text(ld, &m, &p->value, err) < 0)
            return -1;
    }
    return 0;
}

static int load_name(const struct load *ld, const struct jv *value, const struct field *f,
                     void *member, struct err *err)
{
    uint64_t v;

    (void)ld;
    if (field_name(value, f->names, &v, err) < 0)
        return -1;
    if (f->n_offset == sizeof(uint64_t))
        *(uint64_t *)member = v;
    else
        *(unsigned *)member = (unsigned)v;
    return 0;
}

static int load_mask(const struct load *ld, const struct jv *value, const struct field *f,
                     void *member, struct err *err)
{
    uint64_t mask = 0, bit;
    size_t n;

    (void)ld;
    if (field_array(value, f->max, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(value, i);

        if (field_name(&e, f->names, &bit, err) < 0)
            return -1;
        mask |= bit;
    }
    if (f->n_offset == sizeof(uint64_t))
        *(uint64_t *)member = mask;
    else
        *(unsigned *)member = (unsigned)mask;
    return 0;
}

static int load_object(const struct load *ld, const struct jv *value, const struct field *f,
                       void *member, struct err *err)
{
    return fields_load(ld, value, f->sub, member, err);
}

static int load_list(const struct load *ld, const struct jv *value, const struct field *f,
                     void *member, struct err *err)
{
    size_t *number = (size_t *)(void *)((char *)member - f->offset + f->n_offset);
    size_t n;
    void *v;

    if (field_array(value, f->max, &n, err) < 0 ||
        field_array_new(ld, value, n, f->sub->size, &v, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(value, i);

        if (fields_load(ld, &e, f->sub, (char *)v + i * f->sub->size, err) < 0)
            return -1;
    }
    memcpy(member, &v, sizeof v); /* whatever the type of the elements */
    *number = n;
    return 0;
}

static int load_own(const struct load *ld, const struct jv *value, const struct field *f,
                    void *member, struct err *err)
{
    return f->load(ld, value, member, err);
}

static member_loader *const loaders[] = {
    [FIELD_STR] = load_str,           [FIELD_PATH] = load_path,
    [FIELD_LISTING] = load_listing,   [FIELD_BOOL] = load_bool,
    [FIELD_OPT_BOOL] = load_opt_bool, [FIELD_OPT_UINT] = load_number,
    [FIELD_OPT_INT] = load_number,    [FIELD_U16] = load_number,
    [FIELD_U32] = load_number,        [FIELD_U64] = load_number,
    [FIELD_I32] = load_number,        [FIELD_I64] = load_number,
    [FIELD_STRINGS] = load_strings,   [FIELD_PATHS] = load_strings,
    [FIELD_PAIRS] = load_pairs,       [FIELD_NAME] = load_name,
    [FIELD_MASK] = load_mask,         [FIELD_OBJECT] = load_object,
    [FIELD_LIST] = load_list,         [FIELD_OWN] = load_own,
};

static int load_row(const struct load *ld, const struct jv *at, const struct field *f, void *obj,
                    struct err *err)
{
    struct jv value = jv_member(at, f->key);

    if (value.v == NULL || json_is_null(value.v)) {
        if ((f->flags & FIELD_REQUIRED) == 0)
            return 0;
        return jv_err(at, err, "the key '%s' is missing", f->key);
    }
    return loaders[f->kind](ld, &value, f, (char *)obj + f->offset, err);
}

int fields_load(const struct load *ld, const struct jv *at, const struct fields *f, void *obj,
                struct err *err)
{
    if (!json_is_object(at->v))
        return expected(at, "an object", err);
    if (f->set_offset != FIELDS_NO_SET)
        *(bool *)((char *)obj + f->set_offset) = true;
    for (size_t i = 0; i < f->n; i++)
        if (load_row(ld, at, &f->v[i], obj, err) < 0)
            return -1;
    return f->check == NULL ? 0 : f->check(ld, at, obj, err);
}
