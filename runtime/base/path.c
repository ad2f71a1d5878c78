/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/path.h"

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

static const struct str dotdot = STR_INIT("..");

/* The start of the path proper in out: path_clean appends, what stood there before is not its. */
struct cleaned {
    struct buf *out;
    size_t start;  /* of the first component */
    size_t parts;  /* that ".." can take away again */
    bool absolute; /* the root stands before start */
};

static void drop_part(struct cleaned *c)
{
    struct str all = str_skip(buf_str(c->out), c->start);
    ptrdiff_t slash = str_rfind(all, '/');

    buf_truncate(c->out, c->start + (slash < 0 ? 0 : (size_t)slash));
    c->parts--;
}

static void add_part(struct cleaned *c, struct str part)
{
    if (c->out->n > c->start)
        buf_append_char(c->out, '/');
    buf_append(c->out, part);
}

static void clean_part(struct cleaned *c, struct str part)
{
    if (part.n == 0 || str_eq_c(part, "."))
        return;
    if (!str_eq(part, dotdot)) {
        add_part(c, part);
        c->parts++;
    } else if (c->parts > 0) {
        drop_part(c);
    } else if (!c->absolute) {
        add_part(c, part);
    }
}

/* Both halves as one path, first/second. */
static void clean_two(struct str first, struct str second, struct buf *out)
{
    struct cleaned c = {.out = out};
    struct str part;

    c.absolute = path_is_absolute(first);
    if (c.absolute)
        buf_append_char(out, '/');
    c.start = out->n;
    while (!out->failed && str_next(&first, '/', &part))
        clean_part(&c, part);
    while (!out->failed && str_next(&second, '/', &part))
        clean_part(&c, part);
    if (out->n == c.start && !c.absolute)
        buf_append_char(out, '.');
}

void path_clean(struct str p, struct buf *out)
{
    clean_two(p, STR_NONE, out);
}

bool path_is_absolute(struct str p)
{
    return p.n > 0 && p.p[0] == '/';
}

bool path_has_dotdot(struct str p)
{
    struct str part = STR_NONE;

    while (str_next(&p, '/', &part))
        if (str_eq(part, dotdot))
            return true;
    return false;
}

bool path_is_clean(struct str p)
{
    own_buf struct buf b = BUF_INIT(p.n + 1);

    path_clean(p, &b);
    return !b.failed && str_eq(buf_str(&b), p);
}

void path_join(struct str base, struct str name, struct buf *out)
{
    if (path_is_absolute(name))
        path_clean(name, out);
    else
        clean_two(base, name, out);
}

struct str path_base(struct str p)
{
    return str_skip(p, (size_t)(str_rfind(p, '/') + 1));
}

struct str path_dir(struct str p)
{
    ptrdiff_t slash = str_rfind(p, '/');

    if (slash < 0)
        return STR(".");
    return str_head(p, slash == 0 ? 1 : (size_t)slash);
}

bool path_is_name(struct str p)
{
    return p.n > 0 && !str_eq_c(p, ".") && !str_eq(p, dotdot) && str_find(p, '/') < 0 &&
           !str_has_nul(p);
}
