/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the struct back to JSON, by the rows of the loader: what is at its default is not written.
 */
#include <string.h>

#include "runtime/spec/oci_field.h"

typedef void member_dumper(struct jw *w, const struct field *f, const void *member);

static void dump_str(struct jw *w, const struct field *f, const void *member)
{
    const char *s = *(const char *const *)member;

    if (s != NULL)
        jw_c(w, f->key, s);
}

static void dump_bool(struct jw *w, const struct field *f, const void *member)
{
    bool b = *(const bool *)member;

    if (b || (f->flags & FIELD_ALWAYS) != 0)
        jw_bool(w, f->key, b);
}

static void dump_opt_bool(struct jw *w, const struct field *f, const void *member)
{
    const struct oci_u64 *v = member;

    if (v->set)
        jw_bool(w, f->key, v->v != 0);
}

static void dump_opt_uint(struct jw *w, const struct field *f, const void *member)
{
    const struct oci_u64 *v = member;

    if (v->set)
        jw_uint(w, f->key, v->v);
}

static void dump_opt_int(struct jw *w, const struct field *f, const void *member)
{
    const struct oci_i64 *v = member;

    if (v->set)
        jw_int(w, f->key, v->v);
}

static void dump_uint(struct jw *w, const struct field *f, const void *member)
{
    uint64_t v = f->kind == FIELD_U16   ? *(const uint16_t *)member
                 : f->kind == FIELD_U32 ? *(const uint32_t *)member
                                        : *(const uint64_t *)member;

    if (v != 0 || (f->flags & (FIELD_ALWAYS | FIELD_REQUIRED)) != 0)
        jw_uint(w, f->key, v);
}

static void dump_int(struct jw *w, const struct field *f, const void *member)
{
    int64_t v = f->kind == FIELD_I32 ? *(const int32_t *)member : *(const int64_t *)member;

    if (v != 0 || (f->flags & (FIELD_ALWAYS | FIELD_REQUIRED)) != 0)
        jw_int(w, f->key, v);
}

static void dump_strings(struct jw *w, const struct field *f, const void *member)
{
    const struct oci_strings *s = member;

    if (s->v == NULL)
        return;
    jw_array(w, f->key);
    for (size_t i = 0; i < s->n; i++)
        jw_c(w, NULL, s->v[i]);
    jw_end(w);
}

static void dump_pairs(struct jw *w, const struct field *f, const void *member)
{
    const struct oci_pairs *p = member;

    if (p->n == 0)
        return;
    jw_object(w, f->key);
    for (size_t i = 0; i < p->n; i++)
        jw_c(w, p->v[i].key, p->v[i].value);
    jw_end(w);
}

/* The value of a FIELD_NAME or FIELD_MASK member: n_offset is its size. */
static uint64_t value_of(const struct field *f, const void *member)
{
    return f->n_offset == sizeof(uint64_t) ? *(const uint64_t *)member : *(const unsigned *)member;
}

static void dump_name(struct jw *w, const struct field *f, const void *member)
{
    uint64_t v = value_of(f, member);

    if (v != 0 || (f->flags & FIELD_REQUIRED) != 0)
        jw_c(w, f->key, field_name_of(f->names, v));
}

static void dump_mask(struct jw *w, const struct field *f, const void *member)
{
    uint64_t mask = value_of(f, member);

    if (mask == 0)
        return;
    jw_array(w, f->key);
    for (const struct field_name *m = f->names; m->name != NULL; m++)
        if ((mask & m->value) != 0)
            jw_c(w, NULL, m->name);
    jw_end(w);
}

/* Does the struct hold anything but zeros? Padding is zero, for all of it comes from the arena or
 * from a zeroed static. */
static bool is_blank(const void *p, size_t n)
{
    const unsigned char *bytes = p;

    for (size_t i = 0; i < n; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void dump_object(struct jw *w, const struct field *f, const void *member)
{
    if ((f->flags & FIELD_ALWAYS) == 0 && is_blank(member, f->sub->size))
        return;
    jw_object(w, f->key);
    fields_dump(w, f->sub, member);
    jw_end(w);
}

static void dump_list(struct jw *w, const struct field *f, const void *member)
{
    size_t n = *(const size_t *)(const void *)((const char *)member - f->offset + f->n_offset);
    const char *v;

    if (n == 0)
        return;
    memcpy(&v, member, sizeof v);
    jw_array(w, f->key);
    for (size_t i = 0; i < n; i++) {
        jw_object(w, NULL);
        fields_dump(w, f->sub, v + i * f->sub->size);
        jw_end(w);
    }
    jw_end(w);
}

static void dump_own(struct jw *w, const struct field *f, const void *member)
{
    f->dump(w, f->key, member);
}

static member_dumper *const dumpers[] = {
    [FIELD_STR] = dump_str,           [FIELD_PATH] = dump_str,
    [FIELD_LISTING] = dump_str,       [FIELD_BOOL] = dump_bool,
    [FIELD_OPT_BOOL] = dump_opt_bool, [FIELD_OPT_UINT] = dump_opt_uint,
    [FIELD_OPT_INT] = dump_opt_int,   [FIELD_U16] = dump_uint,
    [FIELD_U32] = dump_uint,          [FIELD_U64] = dump_uint,
    [FIELD_I32] = dump_int,           [FIELD_I64] = dump_int,
    [FIELD_STRINGS] = dump_strings,   [FIELD_PATHS] = dump_strings,
    [FIELD_PAIRS] = dump_pairs,       [FIELD_NAME] = dump_name,
    [FIELD_MASK] = dump_mask,         [FIELD_OBJECT] = dump_object,
    [FIELD_LIST] = dump_list,         [FIELD_OWN] = dump_own,
};

void fields_dump(struct jw *w, const struct fields *f, const void *obj)
{
    for (size_t i = 0; i < f->n; i++)
        dumpers[f->v[i].kind](w, &f->v[i], (const char *)obj + f->v[i].offset);
}
