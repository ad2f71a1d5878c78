/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One cursor runs over the lines. A part reads lines until one is a boundary of its own or of any
 * part around it; which one it was travels back up, and each part on the way ends there. Counters
 * run along, so that every part's lines are known by subtraction.
 */
#include "mailstack/lib/mail/mime.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"

#include "mailstack/lib/mail/header.h"

struct mark {
    size_t at; /* offset in the text */
    size_t lines;
    size_t lone;
};

struct parser {
    struct arena *arena;
    struct str text;
    struct mark now;  /* in front of the next line */
    struct mark line; /* in front of the last one taken */
    struct str boundaries[MIME_DEPTH_MAX];
    size_t depth;
    size_t parts_n;
    bool cut;
};

/* What ended a part: END, or the boundary of that level. */
struct stop {
    ptrdiff_t level; /* -1: the end of the text */
    bool closing;
};

static int full(struct err *err)
{
    return err_set(err, ENOMEM, "MIME: the arena is full");
}

static struct mime_part *new_part(struct parser *p, struct mime_part *parent)
{
    struct mime_part *part = arena_alloc(p->arena, sizeof(*part));

    if (!part)
        return NULL;
    part->parent = parent;
    part->type = STR("text");
    part->subtype = STR("plain");
    if (parent && mime_is(parent, "multipart", "digest")) {
        part->type = STR("message");
        part->subtype = STR("rfc822");
    }
    p->parts_n++;
    return part;
}

/* --- lines --- */

/* Is this line a boundary of the parts we are in? The innermost comes first. */
static bool boundary_line(const struct parser *p, struct str line, struct stop *stop)
{
    struct str s = str_skip(header_chomp(line), 2);

    if (p->depth == 0 || !str_starts(line, STR("--")))
        return false;
    while (s.n && ascii_is_space(s.p[s.n - 1]))
        s.n--;
    for (size_t i = p->depth; i-- > 0;) {
        struct str b = p->boundaries[i];

        if (!str_starts(s, b) || (s.n != b.n && !str_eq(str_skip(s, b.n), STR("--"))))
            continue;
        *stop = (struct stop){(ptrdiff_t)i, s.n != b.n};
        return true;
    }
    return false;
}

/* Takes the next line; false at the end of the text. */
static bool take_line(struct parser *p, struct str *line)
{
    struct str rest = str_skip(p->text, p->now.at);
    size_t end_n;

    if (!header_line(&rest, line))
        return false;
    end_n = line->n - header_chomp(*line).n;
    p->line = p->now;
    p->now.at += line->n;
    p->now.lines += end_n > 0;
    p->now.lone += end_n == 1;
    return true;
}

/* Runs to the boundary that ends what we are in. */
static struct stop run(struct parser *p)
{
    struct stop stop = {-1, true};
    struct str line;

    while (take_line(p, &line) && !boundary_line(p, line, &stop))
        ;
    return stop;
}

/* --- values with parameters --- */

static struct str skip_cfws(struct str s)
{
    size_t depth = 0;

    while (s.n) {
        char c = s.p[0];

        if (c == '(')
            depth++;
        else if (c == ')' && depth)
            depth--;
        else if (c == '\\' && depth)
            s = str_skip(s, 1);
        else if (!depth && !ascii_is_space(c) && c != '\r' && c != '\n')
            break;
        s = str_skip(s, 1);
    }
    return s;
}

static struct str token(struct str s)
{
    ptrdiff_t n = str_find_any(s, " \t\r\n();=\"/");

    return n < 0 ? s : str_head(s, (size_t)n);
}

/* "type / subtype" or "attachment": without what stands between. */
static struct str value_of(struct str *s, struct arena *a)
{
    struct str first;
    struct str second;
    char *joined;

    *s = skip_cfws(*s);
    first = token(*s);
    *s = skip_cfws(str_skip(*s, first.n));
    if (s->n == 0 || s->p[0] != '/' || first.n == 0)
        return first.n ? first : STR_NONE;
    *s = skip_cfws(str_skip(*s, 1));
    second = token(*s);
    *s = str_skip(*s, second.n);
    joined = arena_alloc(a, first.n + 1 + second.n);
    if (!joined)
        return STR_NONE;
    memcpy(joined, first.p, first.n);
    joined[first.n] = '/';
    if (second.n)
        memcpy(joined + first.n + 1, second.p, second.n);
    return (struct str){joined, first.n + 1 + second.n};
}

/* A quoted string without its quotes and backslashes; *s is behind it then. */
static struct str unquote(struct str *s, struct arena *a)
{
    struct str in = str_skip(*s, 1);
    size_t raw = 0;
    size_t n = 0;
    char *out;

    while (raw < in.n && in.p[raw] != '"')
        raw += in.p[raw] == '\\' && raw + 1 < in.n ? 2 : 1;
    *s = str_skip(in, raw + 1);
    out = arena_alloc(a, raw + 1);
    if (!out)
        return STR_NONE;
    for (size_t i = 0; i < raw && i < in.n; i++) {
        if (in.p[i] == '\\' && i + 1 < in.n)
            i++;
        if (in.p[i] != '\r' && in.p[i] != '\n')
            out[n++] = in.p[i];
    }
    return (struct str){out, n};
}

/* Up to the next ';' or comment: names with spaces are often not quoted. */
static struct str unquoted(struct str *s)
{
    ptrdiff_t end = str_find(*s, ';');
    struct str v = end < 0 ? *s : str_head(*s, (size_t)end);
    ptrdiff_t comment = str_find_str(v, STR(" ("));

    *s = str_skip(*s, v.n);
    return str_trim(comment < 0 ? v : str_head(v, (size_t)comment));
}

/* One parameter; what is none is skipped up to the next ';'. */
static bool take_param(struct str *s, struct arena *a, struct mime_param *out)
{
    struct str name;

    *s = skip_cfws(*s);
    while (s->n && s->p[0] == ';')
        *s = skip_cfws(str_skip(*s, 1));
    name = token(*s);
    *s = skip_cfws(str_skip(*s, name.n));
    if (name.n == 0 || s->n == 0 || s->p[0] != '=') {
        ptrdiff_t next = str_find(*s, ';');

        *s = next < 0 ? STR_NONE : str_skip(*s, (size_t)next);
        return false;
    }
    *s = skip_cfws(str_skip(*s, 1));
    out->name = name;
    out->value = s->n && s->p[0] == '"' ? unquote(s, a) : unquoted(s);
    return true;
}

int mime_parse_value(struct str text, struct arena *a, struct mime_value *out, struct err *err)
{
    struct mime_param found[MIME_PARAMS_MAX];
    struct mime_param *params;
    struct str s = text;
    struct str value = value_of(&s, a);
    size_t n = 0;

    while (s.n && n < MIME_PARAMS_MAX)
        n += take_param(&s, a, &found[n]);
    params = arena_array(a, n, sizeof(*params));
    if (!params || arena_failed(a))
        return full(err);
    memcpy(params, found, n * sizeof(*params));
    *out = (struct mime_value){value, params, n};
    return 0;
}

/* --- the header of a part --- */

static const struct {
    const char *name;
    enum decode_kind kind;
} encodings[] = {
    {"base64", DECODE_BASE64},
    {"quoted-printable", DECODE_QUOTED},
};

static void set_encoding(struct mime_part *part, struct str value)
{
    struct str name = token(skip_cfws(value));

    part->encoding_name = name.n ? name : STR_NONE;
    for (size_t i = 0; i < ARRAY_N(encodings); i++) {
        if (str_ieq_c(name, encodings[i].name))
            part->encoding = encodings[i].kind;
    }
}

/* "type/subtype" of tokens; else the default stays. */
static void set_type(struct mime_part *part)
{
    struct str type;
    struct str subtype;

    if (part->content_type.value.p && str_cut(part->content_type.value, '/', &type, &subtype) &&
        type.n && subtype.n) {
        part->type = type;
        part->subtype = subtype;
        return;
    }
    part->content_type.value = STR_NONE;
    part->content_type.params_n = 0;
}

static int set_field(struct parser *p, struct mime_part *part, const struct header_field *f,
                     struct err *err)
{
    struct {
        const char *name;
        struct str *to;
    } texts[] = {{"Content-ID", &part->id},
                 {"Content-Description", &part->description},
                 {"Content-MD5", &part->md5},
                 {"Content-Language", &part->language},
                 {"Content-Location", &part->location}};

    if (str_ieq_c(f->name, "Content-Type") && !part->content_type.params)
        return mime_parse_value(f->value, p->arena, &part->content_type, err);
    if (str_ieq_c(f->name, "Content-Disposition") && !part->disposition.params)
        return mime_parse_value(f->value, p->arena, &part->disposition, err);
    if (str_ieq_c(f->name, "Content-Transfer-Encoding") && !part->encoding_name.p)
        set_encoding(part, f->value);
    for (size_t i = 0; i < ARRAY_N(texts); i++) {
        if (str_ieq_c(f->name, texts[i].name) && !texts[i].to->p)
            *texts[i].to = str_trim(f->value);
    }
    return 0;
}

static int read_header(struct parser *p, struct mime_part *part, struct err *err)
{
    struct header_walk w = header_walk(part->header);
    struct header_field f;

    while (header_next(&w, &f)) {
        if (str_istarts(f.name, STR("Content-")) && set_field(p, part, &f, err) < 0)
            return -1;
    }
    set_type(part);
    return 0;
}

/* --- the tree --- */

static int parse_body(struct parser *p, struct mime_part *part, struct stop *stop, struct err *err);

/* A part's header: up to its empty line, or to a boundary if it has none. True: stopped there. */
static bool take_header(struct parser *p, struct mime_part *part, struct stop *stop)
{
    struct mark start = p->now;
    struct str line;

    while (take_line(p, &line)) {
        if (boundary_line(p, line, stop)) {
            part->header = str_sub(p->text, start.at, p->line.at - start.at);
            part->header_lone_n = p->line.lone - start.lone;
            part->body = str_sub(p->text, p->line.at, 0);
            return true;
        }
        if (header_chomp(line).n == 0)
            break;
    }
    part->header = str_sub(p->text, start.at, p->now.at - start.at);
    part->header_lone_n = p->now.lone - start.lone;
    return false;
}

static int parse_part(struct parser *p, struct mime_part *part, struct stop *stop, struct err *err)
{
    bool stopped = take_header(p, part, stop);

    if (read_header(p, part, err) < 0)
        return -1;
    return stopped ? 0 : parse_body(p, part, stop, err);
}

static bool may_nest(struct parser *p, const struct mime_part *part)
{
    size_t depth = 0;

    while ((part = part->parent))
        depth++;
    if (depth + 1 < MIME_DEPTH_MAX && p->parts_n < MIME_PARTS_MAX)
        return true;
    p->cut = true;
    return false;
}

/* Children between boundaries of our own; what stands behind the last is nobody's. */
static int parse_children(struct parser *p, struct mime_part *part, struct stop *stop,
                          struct err *err)
{
    ptrdiff_t own = (ptrdiff_t)p->depth - 1;
    struct mime_part **tail = &part->child;

    *stop = run(p);
    while (stop->level == own && !stop->closing) {
        if (p->parts_n >= MIME_PARTS_MAX) {
            p->cut = true;
            break;
        }
        *tail = new_part(p, part);
        if (!*tail)
            return full(err);
        if (parse_part(p, *tail, stop, err) < 0)
            return -1;
        tail = &(*tail)->next;
    }
    return 0;
}

static int parse_multipart(struct parser *p, struct mime_part *part, struct stop *stop,
                           struct err *err)
{
    struct str boundary = mime_param(&part->content_type, "boundary");

    while (boundary.n && ascii_is_space(boundary.p[boundary.n - 1]))
        boundary.n--;
    if (boundary.n == 0 || boundary.n > MIME_BOUNDARY_MAX || !may_nest(p, part)) {
        *stop = run(p);
        return 0;
    }
    p->boundaries[p->depth++] = boundary;
    if (parse_children(p, part, stop, err) < 0)
        return -1;
    p->depth--;
    if (stop->level == (ptrdiff_t)p->depth)
        *stop = run(p);
    return 0;
}

static int parse_message(struct parser *p, struct mime_part *part, struct stop *stop,
                         struct err *err)
{
    if (part->encoding != DECODE_NONE || !may_nest(p, part)) {
        *stop = run(p);
        return 0;
    }
    part->child = new_part(p, part);
    if (!part->child)
        return full(err);
    return parse_part(p, part->child, stop, err);
}

/* The line end in front of a boundary belongs to the boundary. */
static void set_body(const struct parser *p, struct mime_part *part, struct mark start,
                     const struct stop *stop)
{
    struct mark end = p->now;

    if (stop->level >= 0)
        end = p->line;
    if (stop->level >= 0 && end.at > start.at) { /* a line end is there: a line begins */
        end.at--;
        end.lines--;
        if (end.at > start.at && p->text.p[end.at - 1] == '\r')
            end.at--;
        else
            end.lone--;
    }
    part->body = str_sub(p->text, start.at, end.at - start.at);
    part->body_lines = end.lines - start.lines;
    part->body_lone_n = end.lone - start.lone;
}

static int parse_body(struct parser *p, struct mime_part *part, struct stop *stop, struct err *err)
{
    struct mark start = p->now;
    int rc = 0;

    if (mime_is(part, "multipart", NULL))
        rc = parse_multipart(p, part, stop, err);
    else if (mime_is_message(part))
        rc = parse_message(p, part, stop, err);
    else
        *stop = run(p);
    if (rc == 0)
        set_body(p, part, start, stop);
    return rc;
}

static size_t count_lone(struct str s)
{
    size_t n = 0;
    struct str line;

    while (header_line(&s, &line))
        n += line.n - header_chomp(line).n == 1;
    return n;
}

int mime_parse_apart(struct str header, struct str body, struct arena *a, struct mime_part **root,
                     struct err *err)
{
    struct parser p = {.arena = a, .text = body};
    struct mime_part *part = new_part(&p, NULL);
    struct stop stop = {-1, true};

    if (!part)
        return full(err);
    part->header = header;
    part->header_lone_n = count_lone(header);
    if (read_header(&p, part, err) < 0 || parse_body(&p, part, &stop, err) < 0)
        return -1;
    part->cut = p.cut;
    *root = part;
    return 0;
}

int mime_parse(struct str message, struct arena *a, struct mime_part **root, struct err *err)
{
    size_t end = header_end(message);

    return mime_parse_apart(str_head(message, end), str_skip(message, end), a, root, err);
}

/* --- looking at it --- */

bool mime_is(const struct mime_part *p, const char *type, const char *subtype)
{
    return (!type || str_ieq_c(p->type, type)) && (!subtype || str_ieq_c(p->subtype, subtype));
}

bool mime_is_message(const struct mime_part *p)
{
    return mime_is(p, "message", "rfc822") || mime_is(p, "message", "global");
}

static const struct mime_part *nth(const struct mime_part *multipart, uint32_t n)
{
    const struct mime_part *c = multipart->child;

    while (c && --n > 0)
        c = c->next;
    return c;
}

/* One number down. What is not multipart has one part, itself: the message's own body at the root,
 * the inner message's behind a message/rfc822. */
static const struct mime_part *down(const struct mime_part *at, uint32_t n, bool first)
{
    if (!first && mime_is_message(at)) {
        at = at->child;
        if (!at)
            return NULL;
        first = true;
    }
    if (mime_is(at, "multipart", NULL) && at->child)
        return nth(at, n);
    return first && n == 1 ? at : NULL;
}

const struct mime_part *mime_section(const struct mime_part *root, const uint32_t *path, size_t n)
{
    const struct mime_part *at = root;

    for (size_t i = 0; i < n && at; i++)
        at = path[i] ? down(at, path[i], i == 0) : NULL;
    return at;
}

const struct mime_part *mime_next(const struct mime_part *root, const struct mime_part *at)
{
    if (at->child)
        return at->child;
    while (at != root && !at->next)
        at = at->parent;
    return at == root ? NULL : at->next;
}
