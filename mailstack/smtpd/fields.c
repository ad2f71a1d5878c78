/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/smtpd/fields.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/header.h"

#define FIRST_CAP 32
#define VALUE_MAX (1u << 20) /* a milter packet holds no more */

static int grow(struct fields *f, struct err *err)
{
    size_t cap = f->cap ? f->cap * 2 : FIRST_CAP;
    struct field *at;

    if (f->n < f->cap)
        return 0;
    if (cap > FIELDS_MAX)
        return err_set(err, EMSGSIZE, "more than %d header fields", FIELDS_MAX);
    at = arena_array(f->arena, cap, sizeof(*at));
    if (!at)
        return err_set(err, EMSGSIZE, "header too large");
    if (f->n)
        memcpy(at, f->at, f->n * sizeof(*at));
    f->at = at;
    f->cap = cap;
    return 0;
}

int fields_parse(struct fields *f, struct arena *a, struct str message, struct str *body,
                 struct err *err)
{
    struct header_walk w = header_walk(message);
    struct header_field h;

    *f = (struct fields){.arena = a};
    for (;;) {
        struct str before = w.rest;

        if (!header_next(&w, &h))
            break;
        if (!header_is_name(h.name) || h.raw.p[h.raw.n - 1] != '\n') {
            w.rest = before;
            break;
        }
        if (str_has_nul(h.raw))
            return err_set(err, EINVAL, "NUL in the header");
        if (grow(f, err) < 0)
            return -1;
        f->at[f->n++] = (struct field){.name = h.name, .value = h.value, .raw = h.raw};
    }
    *body = w.rest;
    return 0;
}

size_t fields_count(const struct fields *f, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        n += str_ieq_c(f->at[i].name, name);
    return n;
}

/* The value with CRLF at its folds, each continuation white space; NULs and stray CRs go. */
static void put_value(struct buf *out, struct str value)
{
    struct str line;
    bool first = true;

    while (str_next(&value, '\n', &line)) {
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (!first) {
            if (line.n == 0)
                continue;
            buf_append(out, STR("\r\n"));
            if (!ascii_is_space(line.p[0]))
                buf_append_char(out, '\t');
        }
        for (size_t i = 0; i < line.n; i++) {
            if (line.p[i] != '\r' && line.p[i] != '\0')
                buf_append_char(out, line.p[i]);
        }
        first = false;
    }
}

static int make(struct fields *f, struct str name, struct str value, struct field *out,
                struct err *err)
{
    own_buf struct buf text = BUF_INIT(VALUE_MAX);

    if (!header_is_name(name))
        return err_set(err, EINVAL, "not the name of a header field");
    buf_append(&text, name);
    buf_append_char(&text, ':');
    put_value(&text, value);
    buf_append(&text, STR("\r\n"));
    struct str raw = text.failed ? STR_NONE : arena_str(f->arena, buf_str(&text));

    if (!raw.p)
        return err_set(err, EMSGSIZE, "header field too large");
    *out = (struct field){
        .name = str_head(raw, name.n),
        .value = str_sub(raw, name.n + 1, raw.n - name.n - 3),
        .raw = raw,
    };
    return 0;
}

static int put(struct fields *f, size_t index, const struct field *new, struct err *err)
{
    if (grow(f, err) < 0)
        return -1;
    if (index > f->n)
        index = f->n;
    memmove(&f->at[index + 1], &f->at[index], (f->n - index) * sizeof(*new));
    f->at[index] = *new;
    f->n++;
    return 0;
}

int fields_insert(struct fields *f, size_t index, struct str name, struct str value,
                  struct err *err)
{
    struct field made;

    return make(f, name, value, &made, err) < 0 ? -1 : put(f, index, &made, err);
}

int fields_put_own(struct fields *f, struct str raw, struct err *err)
{
    struct field own = {.raw = raw, .is_own = true};

    return put(f, 0, &own, err);
}

int fields_change(struct fields *f, size_t nth, struct str name, struct str value, struct err *err)
{
    for (size_t i = 0; i < f->n; i++) {
        if (!str_ieq(f->at[i].name, name) || (nth > 1 && nth--))
            continue;
        if (value.n)
            return make(f, name, value, &f->at[i], err);
        f->n--;
        memmove(&f->at[i], &f->at[i + 1], (f->n - i) * sizeof(f->at[0]));
        return 0;
    }
    return value.n ? fields_insert(f, f->n, name, value, err) : 0;
}

int fields_parts(const struct fields *f, struct str **parts, size_t *parts_n, struct err *err)
{
    struct str *p = arena_array(f->arena, f->n + 1, sizeof(*p));
    size_t n = 0;

    if (!p)
        return err_set(err, EMSGSIZE, "header too large");
    for (size_t i = 0; i < f->n; i++) {
        struct str raw = f->at[i].raw;

        if (n && p[n - 1].p + p[n - 1].n == raw.p)
            p[n - 1].n += raw.n;
        else
            p[n++] = raw;
    }
    p[n++] = STR("\r\n");
    *parts = p;
    *parts_n = n;
    return 0;
}
