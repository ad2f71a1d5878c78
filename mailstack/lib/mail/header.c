/* SPDX-License-Identifier: Apache-2.0 */
/* A line is looked at once: memchr finds its end, the first byte says whether it goes on. */
#include "mailstack/lib/mail/header.h"

#include "runtime/base/buf.h"

bool header_line(struct str *rest, struct str *line)
{
    ptrdiff_t lf;

    if (rest->n == 0)
        return false;
    lf = str_find(*rest, '\n');
    *line = lf < 0 ? *rest : str_head(*rest, (size_t)lf + 1);
    *rest = str_skip(*rest, line->n);
    return true;
}

struct str header_chomp(struct str line)
{
    if (line.n && line.p[line.n - 1] == '\n') {
        line.n--;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
    }
    return line;
}

bool header_is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ':')
            return false;
    }
    return s.n > 0;
}

struct header_walk header_walk(struct str message)
{
    return (struct header_walk){message};
}

static bool goes_on(struct str rest)
{
    return rest.n && ascii_is_space(rest.p[0]);
}

bool header_next(struct header_walk *w, struct header_field *f)
{
    struct str rest = w->rest;
    struct str line;
    struct str name;
    struct str value;

    if (!header_line(&rest, &line))
        return false;
    if (header_chomp(line).n == 0 && line.p[line.n - 1] == '\n') {
        w->rest = rest;
        return false;
    }
    struct str raw = line;

    while (goes_on(rest) && header_line(&rest, &line))
        raw.n += line.n;
    w->rest = rest;
    f->raw = raw;
    f->name = str_head(raw, 0);
    f->value = header_chomp(raw);
    if (str_cut(f->value, ':', &name, &value)) {
        while (name.n && ascii_is_space(name.p[name.n - 1]))
            name.n--;
        if (header_is_name(name)) {
            f->name = name;
            f->value = value;
        }
    }
    return true;
}

size_t header_end(struct str message)
{
    struct str rest = message;
    struct str line;

    while (header_line(&rest, &line)) {
        if (header_chomp(line).n == 0 && line.p[line.n - 1] == '\n')
            return message.n - rest.n;
    }
    return message.n;
}

bool header_end_seen(struct str so_far, size_t *from, size_t *end)
{
    struct str rest = str_skip(so_far, *from);
    struct str line;

    while (header_line(&rest, &line)) {
        if (line.p[line.n - 1] != '\n')
            return false;
        *from = so_far.n - rest.n;
        if (header_chomp(line).n == 0) {
            *end = *from;
            return true;
        }
    }
    return false;
}

bool header_find(struct str header, const char *name, struct header_field *f)
{
    struct header_walk w = header_walk(header);
    struct header_field each;

    while (header_next(&w, &each)) {
        if (str_ieq_c(each.name, name)) {
            *f = each;
            return true;
        }
    }
    return false;
}

size_t header_count(struct str header, const char *name)
{
    struct header_walk w = header_walk(header);
    struct header_field f;
    size_t n = 0;

    while (header_next(&w, &f))
        n += str_ieq_c(f.name, name);
    return n;
}

/* A line end in front of white space is a fold and goes; any other becomes a space. */
void header_unfold(struct str value, struct buf *out)
{
    struct str s = str_trim(value);
    size_t from = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0')
            continue;
        buf_append(out, str_sub(s, from, i - from));
        if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
            i++;
        if (s.p[i] != '\n' || !goes_on(str_skip(s, i + 1)))
            buf_append_char(out, ' ');
        from = i + 1;
    }
    buf_append(out, str_skip(s, from));
}
