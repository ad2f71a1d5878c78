/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/jplain.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DIGITS_MAX  18 /* any number of so many fits in 64 bits */
#define ESCAPED_MAX 1024

struct reader {
    const char *p;
    const char *end;
    unsigned depth;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next byte that is no white space; NUL, which is no JSON, at the end. */
static char next(struct reader *r)
{
    while (r->p < r->end && is_space(*r->p))
        r->p++;
    return r->p < r->end ? *r->p : '\0';
}

static bool take(struct reader *r, char c)
{
    if (next(r) != c)
        return false;
    r->p++;
    return true;
}

/* It stands for itself in a string, if it is not the quote that ends it. */
static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && c != '\\';
}

static bool take_quote(struct reader *r)
{
    if (r->p == r->end || *r->p != '"')
        return false;
    r->p++;
    return true;
}

/* A string without escapes; else r is left at what is none. */
static bool take_text(struct reader *r, struct str *out)
{
    const char *from = NULL;

    if (!take(r, '"'))
        return false;
    from = r->p;
    while (r->p < r->end && *r->p != '"' && is_plain(*r->p))
        r->p++;
    *out = (struct str){from, (size_t)(r->p - from)};
    return take_quote(r);
}

/* What stands for a backslash and this byte; NUL where that is not plain. */
static char escaped(char c)
{
    static const char from[] = "\"\\/nt", to[] = "\"\\/\n\t";
    const char *at = memchr(from, c, sizeof from - 1);

    return at == NULL ? '\0' : to[at - from];
}

/* With escapes, behind the quote it begins with. */
static json_t *take_escaped(struct reader *r)
{
    char text[ESCAPED_MAX];
    size_t n = 0;

    for (; r->p < r->end && *r->p != '"' && n < sizeof text; r->p++, n++) {
        text[n] = *r->p;
        if (*r->p == '\\')
            text[n] = ++r->p < r->end ? escaped(*r->p) : '\0';
        else if (!is_plain(*r->p))
            return NULL;
        if (text[n] == '\0')
            return NULL;
    }
    return take_quote(r) ? json_stringn_nocheck(text, n) : NULL;
}

static json_t *take_string(struct reader *r)
{
    const char *from = r->p;
    struct str s;

    if (take_text(r, &s))
        return json_stringn_nocheck(s.p, s.n);
    if (r->p == r->end || *r->p != '\\')
        return NULL;
    r->p = from + 1;
    return take_escaped(r);
}

static json_t *take_number(struct reader *r)
{
    bool negative = take(r, '-');
    const char *from = r->p;
    int64_t v = 0;

    while (r->p < r->end && *r->p >= '0' && *r->p <= '9' && r->p - from < DIGITS_MAX)
        v = v * 10 + (*r->p++ - '0');
    if (r->p == from || (*from == '0' && (negative || r->p - from > 1)))
        return NULL;
    return json_integer(negative ? -v
                                 : v); /* what follows and does not end it, its holder refuses */
}

static json_t *take_word(struct reader *r, struct str word, json_t *value)
{
    if (!str_starts((struct str){r->p, (size_t)(r->end - r->p)}, word))
        return NULL;
    r->p += word.n;
    return value;
}

static json_t *take_value(struct reader *r);

static json_t *take_array(struct reader *r)
{
    json_t *array = json_array();
    bool more = array != NULL && take(r, '[') && next(r) != ']';

    while (more) {
        if (json_array_append_new(array, take_value(r)) < 0) /* takes no NULL */
            break;
        more = take(r, ',');
    }
    if (!more && take(r, ']'))
        return array;
    json_decref(array);
    return NULL;
}

/* A key that is there twice does not make it larger. */
static bool take_member(struct reader *r, json_t *object)
{
    size_t n = json_object_size(object);
    struct str key;

    return take_text(r, &key) && key.n > 0 && take(r, ':') &&
           json_object_setn_new_nocheck(object, key.p, key.n, take_value(r)) == 0 &&
           json_object_size(object) > n;
}

static json_t *take_object(struct reader *r)
{
    json_t *object = json_object();
    bool more = object != NULL && take(r, '{') && next(r) != '}';

    while (more) {
        if (!take_member(r, object))
            break;
        more = take(r, ',');
    }
    if (!more && take(r, '}'))
        return object;
    json_decref(object);
    return NULL;
}

static json_t *take_holder(struct reader *r, char c)
{
    json_t *v = NULL;

    if (r->depth == JPLAIN_DEPTH_MAX)
        return NULL;
    r->depth++;
    v = c == '{' ? take_object(r) : take_array(r);
    r->depth--;
    return v;
}

static json_t *take_value(struct reader *r)
{
    switch (next(r)) {
    case '"':
        return take_string(r);
    case '{':
        return take_holder(r, '{');
    case '[':
        return take_holder(r, '[');
    case 't':
        return take_word(r, STR("true"), json_true());
    case 'f':
        return take_word(r, STR("false"), json_false());
    case 'n':
        return take_word(r, STR("null"), json_null());
    default:
        return take_number(r);
    }
}

json_t *jplain_load(struct str text)
{
    struct reader r = {.p = text.p, .end = text.p + text.n};
    json_t *doc = NULL;
    char first = text.n > 0 ? next(&r) : '\0';

    if (first == '{' || first == '[')
        doc = take_value(&r);
    if (doc != NULL && next(&r) == '\0' && r.p == r.end)
        return doc;
    json_decref(doc);
    return NULL;
}
