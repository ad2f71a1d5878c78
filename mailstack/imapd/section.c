/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/imapd/section.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"

#include "mailstack/lib/mail/header.h"
#include "mailstack/lib/mail/mime.h"

static bool take_number(struct str *in, uint32_t min, uint32_t *out)
{
    size_t n = 0;
    struct err ignored;

    while (n < in->n && ascii_is_digit(in->p[n]))
        n++;
    if (num_parse_u32(str_head(*in, n), min, UINT32_MAX, out, &ignored) < 0)
        return false;
    *in = str_skip(*in, n);
    return true;
}

/* "1.2." or "1.2" in front of what follows. */
static bool take_path(struct str *in, struct arena *a, struct section *s)
{
    uint32_t *path = arena_array(a, SECTION_DEPTH_MAX, sizeof(*path));

    s->path = path;
    while (path != NULL && in->n > 0 && ascii_is_digit(in->p[0])) {
        if (s->path_n == SECTION_DEPTH_MAX || !take_number(in, 1, &path[s->path_n]))
            return false;
        s->path_n++;
        if (in->n == 0 || in->p[0] != '.')
            return in->n > 0;
        *in = str_skip(*in, 1);
        if (in->n == 0 || in->p[0] == ']')
            return false;
    }
    return path != NULL;
}

static bool is_name_end(char c)
{
    return c == ' ' || c == ')' || c == '(' || c == ']';
}

static bool take_field(struct str *in, struct str *out)
{
    size_t n = 0;

    if (in->n > 1 && in->p[0] == '"') {
        ptrdiff_t end = str_find(str_skip(*in, 1), '"');

        if (end < 0)
            return false;
        *out = str_sub(*in, 1, (size_t)end);
        *in = str_skip(*in, (size_t)end + 2);
        return true;
    }
    while (n < in->n && !is_name_end(in->p[n]))
        n++;
    *out = str_head(*in, n);
    *in = str_skip(*in, n);
    return n > 0;
}

/* " (TO CC)" */
static bool take_fields(struct str *in, struct arena *a, struct section *s)
{
    struct str *fields = arena_array(a, SECTION_FIELDS_MAX, sizeof(*fields));

    if (fields == NULL || !str_starts(*in, STR(" (")))
        return false;
    *in = str_skip(*in, 2);
    s->fields = fields;
    for (;;) {
        if (s->fields_n == SECTION_FIELDS_MAX || !take_field(in, &fields[s->fields_n]))
            return false;
        s->fields_n++;
        if (in->n == 0)
            return false;
        if (in->p[0] == ')')
            break;
        if (in->p[0] != ' ')
            return false;
        *in = str_skip(*in, 1);
    }
    *in = str_skip(*in, 1);
    return true;
}

static bool take_what(struct str *in, struct arena *a, struct section *s)
{
    static const struct {
        const char *name;
        enum section_what what;
    } words[] = {
        {"HEADER.FIELDS.NOT", SECTION_NOT},
        {"HEADER.FIELDS", SECTION_FIELDS},
        {"HEADER", SECTION_HEADER},
        {"TEXT", SECTION_TEXT},
        {"MIME", SECTION_MIME},
    };

    if (in->n > 0 && in->p[0] == ']')
        return true; /* SECTION_ALL */
    for (size_t i = 0; i < ARRAY_N(words); i++) {
        struct str word = str_of(words[i].name);

        if (!str_istarts(*in, word))
            continue;
        *in = str_skip(*in, word.n);
        s->what = words[i].what;
        if (s->what == SECTION_MIME && s->path_n == 0)
            return false;
        return s->fields == NULL && (s->what == SECTION_FIELDS || s->what == SECTION_NOT)
                   ? take_fields(in, a, s)
                   : true;
    }
    return false;
}

/* "<0.100>" at the end, or nothing. */
static bool take_partial(struct str in, struct section *s)
{
    if (in.n == 0)
        return true;
    if (in.p[0] != '<')
        return false;
    in = str_skip(in, 1);
    if (!take_number(&in, 0, &s->first) || in.n == 0 || in.p[0] != '.')
        return false;
    in = str_skip(in, 1);
    s->has_partial = true;
    return take_number(&in, 1, &s->count) && str_eq_c(in, ">");
}

bool section_parse(struct str text, struct arena *a, struct section *out, size_t *label_n)
{
    struct section s = {.what = SECTION_ALL};
    struct str in = text;

    if (!take_path(&in, a, &s) || !take_what(&in, a, &s))
        return false;
    if (in.n == 0 || in.p[0] != ']')
        return false;
    in = str_skip(in, 1);
    *label_n = text.n - in.n;
    if (!take_partial(in, &s))
        return false;
    *out = s;
    return true;
}

bool section_is_simple(const struct section *s)
{
    return s->path_n == 0;
}

static bool is_chosen(const struct section *s, struct str name)
{
    for (size_t i = 0; i < s->fields_n; i++)
        if (str_ieq(s->fields[i], name))
            return true;
    return false;
}

/* RFC 3501: the chosen fields, in the order of the header, and the empty line. */
static struct str choose(const struct section *s, struct str header, struct buf *made)
{
    struct header_walk w = header_walk(header);
    size_t from = made->n;
    struct header_field f;

    while (header_next(&w, &f))
        if (is_chosen(s, f.name) == (s->what == SECTION_FIELDS))
            buf_append(made, f.raw);
    buf_append_c(made, "\r\n");
    return str_skip(buf_str(made), from);
}

static struct str of_message(const struct section *s, struct str header, struct str body,
                             struct buf *made)
{
    switch (s->what) {
    case SECTION_HEADER:
        return header;
    case SECTION_FIELDS:
    case SECTION_NOT:
        return choose(s, header, made);
    case SECTION_TEXT:
        return body;
    case SECTION_ALL:
    case SECTION_MIME:
        break;
    }
    return STR_NONE;
}

struct str section_find(const struct section *s, const struct mime_part *root, struct str raw,
                        struct buf *made)
{
    const struct mime_part *part;
    size_t header_n;

    if (s->path_n == 0 && s->what == SECTION_ALL)
        return raw;
    if (s->path_n == 0) {
        header_n = header_end(raw);
        return of_message(s, str_head(raw, header_n), str_skip(raw, header_n), made);
    }
    part = mime_section(root, s->path, s->path_n);
    if (part == NULL)
        return STR_NONE;
    if (s->what == SECTION_ALL)
        return part->body;
    if (s->what == SECTION_MIME)
        return part->header;
    if (part->child == NULL || !mime_is_message(part))
        return STR_NONE;
    return of_message(s, part->child->header, part->child->body, made);
}
