/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two passes: the text becomes a tree in which some values say their type; then types are settled
 * from the outside in, what an array's first element is being what all of them must be.
 */
#include "runtime/kernel/dbus_value.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/kernel/dbus.h"

#define SIGNATURE_MAX 255

struct parser {
    struct arena *a;
    struct str rest;
    struct err *err;
};

struct number_type {
    char type;
    const char *keyword;
    uint64_t max;
    uint64_t min; /* magnitude of the least */
    size_t size;
};

static const struct number_type numbers[] = {
    {'y', "byte", UINT8_MAX, 0, 1},    {'n', "int16", INT16_MAX, (uint64_t)INT16_MAX + 1, 2},
    {'q', "uint16", UINT16_MAX, 0, 2}, {'i', "int32", INT32_MAX, (uint64_t)INT32_MAX + 1, 4},
    {'u', "uint32", UINT32_MAX, 0, 4}, {'x', "int64", INT64_MAX, (uint64_t)INT64_MAX + 1, 8},
    {'t', "uint64", UINT64_MAX, 0, 8},
};

static const struct {
    char type;
    const char *keyword;
} others[] = {{'b', "boolean"}, {'s', "string"}, {'o', "objectpath"}, {'g', "signature"}};

/* The few types there are, as signatures of their own. */
static const char *const single[] = {"y", "n", "q", "i", "u", "x", "t", "b", "s", "o", "g"};

static const char *single_of(char type)
{
    for (size_t i = 0; i < ARRAY_N(single); i++)
        if (single[i][0] == type)
            return single[i];
    return NULL;
}

static const struct number_type *number_of(char type)
{
    for (size_t i = 0; i < ARRAY_N(numbers); i++)
        if (numbers[i].type == type)
            return &numbers[i];
    return NULL;
}

/* --- signatures ------------------------------------------------------------------------------- */

/* The length of the first complete type, 0 if there is none. */
static size_t complete(struct str sig, int depth)
{
    size_t n = 1, inner = 0;

    if (sig.n == 0 || depth > DBUS_VALUE_DEPTH_MAX)
        return 0;
    if (single_of(sig.p[0]) != NULL)
        return 1;
    if (sig.p[0] == 'a') {
        inner = complete(str_skip(sig, 1), depth + 1);
        return inner == 0 ? 0 : inner + 1;
    }
    if (sig.p[0] != '(')
        return 0;
    while (n < sig.n && sig.p[n] != ')') {
        inner = complete(str_skip(sig, n), depth + 1);
        if (inner == 0)
            return 0;
        n += inner;
    }
    return n < sig.n && n > 1 ? n + 1 : 0;
}

/* --- the first pass --------------------------------------------------------------------------- */

static struct dbus_value *fail(struct parser *p, const char *what)
{
    (void)err_set(p->err, EINVAL, "%s at '%.*s'", what, STR_ARG(str_head(p->rest, 32)));
    return NULL;
}

static void skip_space(struct parser *p)
{
    p->rest = str_skip(p->rest, p->rest.n - str_trim(p->rest).n);
}

/* The text was trimmed at its end, so what trimming takes is at the front. */
static bool take(struct parser *p, char c)
{
    skip_space(p);
    if (p->rest.n == 0 || p->rest.p[0] != c)
        return false;
    p->rest = str_skip(p->rest, 1);
    return true;
}

static struct str take_word(struct parser *p)
{
    struct str all = p->rest;
    size_t n = 0;

    while (n < all.n && (ascii_is_alnum(all.p[n]) || all.p[n] == '-' || all.p[n] == '+'))
        n++;
    p->rest = str_skip(all, n);
    return str_head(all, n);
}

static struct dbus_value *new_value(struct parser *p, char kind)
{
    struct dbus_value *v = arena_alloc(p->a, sizeof *v);

    if (v == NULL)
        return fail(p, "too much");
    v->kind = kind;
    return v;
}

static bool unescape(char c, char *out)
{
    static const char from[] = "ntr\\'\"", to[] = "\n\t\r\\'\"";
    const char *at = c == '\0' ? NULL : strchr(from, c);

    if (at != NULL)
        *out = to[at - from];
    return at != NULL;
}

static struct dbus_value *parse_string(struct parser *p, char quote)
{
    struct dbus_value *v = new_value(p, 's');
    char *out = v == NULL ? NULL : arena_alloc(p->a, p->rest.n + 1);
    size_t n = 0, i = 0;

    if (out == NULL)
        return fail(p, "too much");
    for (i = 0; i < p->rest.n && p->rest.p[i] != quote; i++) {
        char c = p->rest.p[i];

        if (c == '\0' || (c == '\\' && (++i >= p->rest.n || !unescape(p->rest.p[i], &c))))
            return fail(p, "a byte that no string has");
        out[n++] = c;
    }
    if (i >= p->rest.n)
        return fail(p, "a string without an end");
    p->rest = str_skip(p->rest, i + 1);
    v->text = (struct str){out, n};
    return str_is_utf8(v->text) ? v : fail(p, "a string that is not UTF-8");
}

static struct dbus_value *parse_number(struct parser *p, struct str word)
{
    struct dbus_value *v = new_value(p, 'i');
    struct str digits = word;

    if (v == NULL)
        return NULL;
    v->negative = str_starts(digits, STR("-"));
    if (v->negative || str_starts(digits, STR("+")))
        digits = str_skip(digits, 1);
    if (str_starts(digits, STR("0x")) || str_starts(digits, STR("0X"))) {
        if (num_parse_hex(str_skip(digits, 2), UINT64_MAX, &v->number, p->err) < 0)
            return NULL;
        return v;
    }
    return num_parse_u64(digits, 0, UINT64_MAX, &v->number, p->err) < 0 ? NULL : v;
}

static struct dbus_value *parse_value(struct parser *p, int depth);

static struct dbus_value *parse_many(struct parser *p, char kind, char end, int depth)
{
    struct dbus_value *v = new_value(p, kind);
    struct dbus_value **last = v == NULL ? NULL : &v->first;

    while (last != NULL && !take(p, end)) {
        if (v->first != NULL && !take(p, ','))
            return fail(p, "no ','");
        /* A tuple of one is written with a comma behind. */
        if (kind == '(' && v->first != NULL && take(p, end))
            break;
        *last = parse_value(p, depth + 1);
        last = *last == NULL ? NULL : &(*last)->next;
    }
    return last == NULL ? NULL : v;
}

static const char *keyword_type(struct str word)
{
    for (size_t i = 0; i < ARRAY_N(numbers); i++)
        if (str_eq_c(word, numbers[i].keyword))
            return single_of(numbers[i].type);
    for (size_t i = 0; i < ARRAY_N(others); i++)
        if (str_eq_c(word, others[i].keyword))
            return single_of(others[i].type);
    return NULL;
}

static struct dbus_value *typed(struct parser *p, const char *type, int depth)
{
    struct dbus_value *v = type == NULL ? NULL : parse_value(p, depth + 1);

    if (v == NULL)
        return NULL;
    if (v->signature != NULL)
        return fail(p, "two types for one value");
    v->signature = type;
    return v;
}

static struct dbus_value *parse_signed(struct parser *p, int depth)
{
    size_t n = complete(p->rest, 0);
    const char *type = n == 0 ? NULL : arena_copy(p->a, str_head(p->rest, n));

    if (n == 0 || n > SIGNATURE_MAX)
        return fail(p, "no type");
    p->rest = str_skip(p->rest, n);
    return typed(p, type, depth);
}

static struct dbus_value *parse_word(struct parser *p, int depth)
{
    struct str word = take_word(p);
    const char *type = keyword_type(word);
    struct dbus_value *v = NULL;

    if (type != NULL)
        return typed(p, type, depth);
    if (word.n == 0)
        return fail(p, "no value");
    if (!ascii_is_alpha(word.p[0]))
        return parse_number(p, word);
    if (!str_eq_c(word, "true") && !str_eq_c(word, "false"))
        return fail(p, "no value");
    v = new_value(p, 'b');
    if (v != NULL)
        v->number = str_eq_c(word, "true");
    return v;
}

static struct dbus_value *parse_value(struct parser *p, int depth)
{
    if (depth > DBUS_VALUE_DEPTH_MAX)
        return fail(p, "too deep");
    if (take(p, '['))
        return parse_many(p, 'a', ']', depth);
    if (take(p, '('))
        return parse_many(p, '(', ')', depth);
    if (take(p, '@'))
        return parse_signed(p, depth);
    if (take(p, '\''))
        return parse_string(p, '\'');
    if (take(p, '"'))
        return parse_string(p, '"');
    return parse_word(p, depth);
}

/* --- the second pass -------------------------------------------------------------------------- */

static int infer(struct arena *a, struct dbus_value *v, const char **out, struct err *err)
{
    const char *inner = NULL, *all = "";

    if (v->signature != NULL || v->kind == 'b' || v->kind == 's' || v->kind == 'i') {
        *out = v->signature != NULL ? v->signature : single_of(v->kind);
        return 0;
    }
    if (v->first == NULL)
        return err_set(err, EINVAL, "an empty array or tuple needs a type, as '@as []'");
    for (struct dbus_value *i = v->first; i != NULL; i = v->kind == 'a' ? NULL : i->next) {
        if (infer(a, i, &inner, err) < 0)
            return -1;
        all = arena_printf(a, "%s%s", all, inner);
        if (all == NULL)
            return err_set(err, EMSGSIZE, "a type");
    }
    *out = v->kind == 'a' ? arena_printf(a, "a%s", all) : arena_printf(a, "(%s)", all);
    return *out == NULL || strlen(*out) > SIGNATURE_MAX ? err_set(err, EMSGSIZE, "a type") : 0;
}

static int settle(struct arena *a, struct dbus_value *v, const char *sig, struct err *err);

static int settle_members(struct arena *a, struct dbus_value *v, const char *sig, struct err *err)
{
    struct str rest = str_of(sig + 1);
    struct dbus_value *i = v->first;

    for (; i != NULL; i = i->next) {
        size_t n = complete(rest, 0);
        const char *one = n == 0 ? NULL : arena_copy(a, str_head(rest, n));

        if (one == NULL)
            return err_set(err, EINVAL, "a value that is not of type '%s'", sig);
        if (settle(a, i, one, err) < 0)
            return -1;
        rest = str_skip(rest, v->kind == 'a' ? 0 : n);
    }
    return v->kind == 'a' || str_eq_c(rest, ")")
               ? 0
               : err_set(err, EINVAL, "a value that is not of type '%s'", sig);
}

/* "/", or elements of [A-Za-z0-9_] with '/' before each: a bus hangs up on anything else. */
static bool is_path(struct str s)
{
    char before = '\0';

    for (size_t i = 0; i < s.n; before = s.p[i++])
        if (s.p[i] == '/' ? before == '/' : !ascii_is_alnum(s.p[i]) && s.p[i] != '_')
            return false;
    return s.n > 0 && s.p[0] == '/' && (s.n == 1 || before != '/');
}

static bool is_signature(struct str s)
{
    size_t n = 1;

    if (s.n > SIGNATURE_MAX)
        return false;
    for (; n > 0 && s.n > 0; s = str_skip(s, n))
        n = complete(s, 0);
    return n > 0;
}

static bool fits(const struct dbus_value *v, char type)
{
    const struct number_type *t = number_of(type);

    if (v->kind == 'i')
        return t != NULL && v->number <= (v->negative ? t->min : t->max);
    if (v->kind == 's')
        return type == 's' || (type == 'o' && is_path(v->text)) ||
               (type == 'g' && is_signature(v->text));
    return v->kind == type;
}

static int settle(struct arena *a, struct dbus_value *v, const char *sig, struct err *err)
{
    if ((v->signature != NULL && strcmp(v->signature, sig) != 0) || !fits(v, sig[0]))
        return err_set(err, EINVAL, "a value that is not of type '%s'", sig);
    v->signature = sig;
    return v->kind == 'a' || v->kind == '(' ? settle_members(a, v, sig, err) : 0;
}

struct dbus_value *dbus_value_parse(struct arena *a, struct str text, struct err *err)
{
    struct parser p = {.a = a, .rest = str_trim(text), .err = err};
    struct dbus_value *v = NULL;
    const char *sig = NULL;

    if (text.n > DBUS_VALUE_TEXT_MAX) {
        (void)err_set(err, EMSGSIZE, "more than %d bytes", DBUS_VALUE_TEXT_MAX);
        return NULL;
    }
    v = parse_value(&p, 0);
    if (v == NULL)
        return NULL;
    skip_space(&p);
    if (p.rest.n > 0)
        return fail(&p, "more than a value");
    return infer(a, v, &sig, err) < 0 || settle(a, v, sig, err) < 0 ? NULL : v;
}

/* --- appending -------------------------------------------------------------------------------- */

static size_t alignment(char type)
{
    const struct number_type *t = number_of(type);

    if (t != NULL)
        return t->size;
    return type == '(' ? 8 : type == 'g' ? 1 : 4;
}

static void put_number(const struct dbus_value *v, struct buf *body)
{
    uint64_t bits = v->negative ? 0 - v->number : v->number;
    size_t size = number_of(v->signature[0])->size;

    while (body->n % size != 0 && !body->failed)
        buf_append_u8(body, 0);
    for (size_t i = 0; i < size; i++)
        buf_append_u8(body, (uint8_t)(bits >> 8 * i));
}

static void put_single(const struct dbus_value *v, struct buf *body)
{
    if (v->kind == 'i')
        put_number(v, body);
    else if (v->kind == 'b')
        dbus_put_bool(body, v->number != 0);
    else if (v->signature[0] == 'g')
        dbus_put_signature(body, v->text.p);
    else
        dbus_put_str(body, v->text);
}

static void put(const struct dbus_value *v, struct buf *body)
{
    size_t at = 0;

    if (v->kind != 'a' && v->kind != '(') {
        put_single(v, body);
        return;
    }
    if (v->kind == '(')
        dbus_put_struct(body);
    else
        at = dbus_array_begin(body, alignment(v->signature[1]));
    for (const struct dbus_value *i = v->first; i != NULL; i = i->next)
        put(i, body);
    if (v->kind == 'a')
        dbus_array_end(body, at, alignment(v->signature[1]));
}

void dbus_value_put(const struct dbus_value *v, struct buf *body)
{
    dbus_put_signature(body, v->signature);
    put(v, body);
}
