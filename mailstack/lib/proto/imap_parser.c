/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/imap_parser.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"

/* "...{123}" or "...{123+}" at the end of a line: its size. */
static bool literal_at_end(struct str line, size_t *n, bool *sync)
{
    uint64_t v;

    if (!str_ends(line, STR("}")))
        return false;
    line.n--;
    *sync = !str_ends(line, STR("+"));
    if (!*sync)
        line.n--;
    ptrdiff_t open = str_rfind(line, '{');
    struct err ignored;

    if (open < 0 ||
        num_parse_u64(str_skip(line, (size_t)open + 1), 0, IMAP_LITERAL_MAX, &v, &ignored) < 0)
        return false;
    *n = (size_t)v;
    return true;
}

static enum imap_scan_result end_of_line(struct imap_scan *s, struct str line, struct err *err)
{
    s->line_start = s->at;
    if (!literal_at_end(line, &s->literal_n, &s->literal_sync))
        return IMAP_SCAN_DONE;
    if (++s->literals_n > IMAP_LITERALS_MAX) {
        (void)err_set(err, EMSGSIZE, "more than %d literals in a command", IMAP_LITERALS_MAX);
        return IMAP_SCAN_ERROR;
    }
    return IMAP_SCAN_LITERAL;
}

static enum imap_scan_result bare(struct err *err, const char *what)
{
    (void)err_set(err, 0, "%s in a command", what);
    return IMAP_SCAN_ERROR;
}

/* Skips the bytes of an awaited literal; false while they are not all there. */
static bool pass_literal(struct imap_scan *s, struct str in)
{
    size_t end;

    if (s->literal_n == 0)
        return true;
    if (!num_add(s->at, s->literal_n, &end) || in.n < end)
        return false;
    s->at = end;
    s->line_start = end;
    s->literal_n = 0;
    return true;
}

enum imap_scan_result imap_scan(struct imap_scan *s, struct str in, struct err *err)
{
    if (!pass_literal(s, in))
        return IMAP_SCAN_MORE;
    while (s->at < in.n) {
        char c = in.p[s->at];

        if (c == '\n')
            return bare(err, "a bare LF");
        if (c == '\0')
            return bare(err, "a NUL");
        if (c == '\r') {
            if (s->at + 1 == in.n)
                return IMAP_SCAN_MORE;
            if (in.p[s->at + 1] != '\n')
                return bare(err, "a bare CR");
            struct str line = str_sub(in, s->line_start, s->at - s->line_start);

            s->at += 2;
            return end_of_line(s, line, err);
        }
        s->at++;
        if (++s->line_n > IMAP_LINE_MAX) {
            (void)err_set(err, EMSGSIZE, "a command of more than %d bytes", IMAP_LINE_MAX);
            return IMAP_SCAN_ERROR;
        }
    }
    return IMAP_SCAN_MORE;
}

void imap_scan_taken(struct imap_scan *s)
{
    s->literal_n = 0;
}

/* --- from bytes to a tree --------------------------------------------------------------------- */

struct parser {
    struct str in;
    size_t at;
    struct arena *a;
    unsigned args_n;
    struct err *err;
};

/* The arguments of one list while it grows. */
struct growing {
    struct imap_arg *v;
    size_t n;
    size_t cap;
};

static bool more(const struct parser *p)
{
    return p->at < p->in.n;
}

static char peek(const struct parser *p)
{
    return more(p) ? p->in.p[p->at] : '\0';
}

static int bad(struct parser *p, const char *what)
{
    return err_set(p->err, 0, "%s at byte %zu", what, p->at);
}

static int push(struct parser *p, struct growing *g, struct imap_arg arg)
{
    if (++p->args_n > IMAP_ARGS_MAX)
        return err_set(p->err, EMSGSIZE, "more than %d arguments", IMAP_ARGS_MAX);
    if (g->n == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 8;
        struct imap_arg *v = arena_array(p->a, cap, sizeof(*v));

        if (!v)
            return err_set(p->err, EMSGSIZE, "the command takes too much memory");
        if (g->n)
            memcpy(v, g->v, g->n * sizeof(*v));
        g->v = v;
        g->cap = cap;
    }
    g->v[g->n++] = arg;
    return 0;
}

static int parse_quoted(struct parser *p, struct imap_arg *out)
{
    size_t start = ++p->at;
    size_t end = start;

    while (end < p->in.n && p->in.p[end] != '"' && p->in.p[end] != '\r')
        end += p->in.p[end] == '\\' ? 2 : 1;
    if (end >= p->in.n || p->in.p[end] != '"')
        return bad(p, "a quoted string without its end");
    char *to = arena_alloc(p->a, end - start + 1);

    if (!to)
        return err_set(p->err, EMSGSIZE, "the command takes too much memory");
    size_t n = 0;

    for (size_t i = start; i < end; i++) {
        if (p->in.p[i] == '\\') {
            i++;
            if (p->in.p[i] != '"' && p->in.p[i] != '\\')
                return bad(p, "a backslash before neither '\"' nor '\\'");
        }
        to[n++] = p->in.p[i];
    }
    p->at = end + 1;
    *out = (struct imap_arg){.kind = IMAP_QUOTED, .s = {to, n}};
    return 0;
}

static int parse_literal(struct parser *p, struct imap_arg *out)
{
    ptrdiff_t cr = str_find(str_skip(p->in, p->at), '\r');
    size_t n;
    bool sync;

    if (cr < 0 || !literal_at_end(str_sub(p->in, p->at, (size_t)cr), &n, &sync))
        return bad(p, "a '{' that begins no literal");
    p->at += (size_t)cr + 2;
    if (p->at >= p->in.n) { /* taken out of the stream by the caller */
        *out = (struct imap_arg){.kind = IMAP_LITERAL, .s = {NULL, n}};
        return 0;
    }
    if (n > p->in.n - p->at)
        return bad(p, "a literal shorter than it was announced");
    *out = (struct imap_arg){.kind = IMAP_LITERAL, .s = str_sub(p->in, p->at, n)};
    p->at += n;
    return 0;
}

/* Inside an atom: "[" to its "]", with lists and quoted strings between them. */
static int pass_section(struct parser *p)
{
    bool quoted = false;

    for (; more(p) && peek(p) != '\r'; p->at++) {
        char c = peek(p);

        if (c == '"')
            quoted = !quoted;
        else if (quoted && c == '\\')
            p->at++;
        else if (!quoted && c == ']') {
            p->at++;
            return 0;
        }
    }
    return bad(p, "a '[' without its ']'");
}

static bool ends_atom(char c)
{
    return c == ' ' || c == '(' || c == ')' || c == '{' || c == '"' || (unsigned char)c < 0x20 ||
           c == 0x7f;
}

/* The items of FETCH that take a section; elsewhere a '[' is a letter like any other. */
static bool takes_section(struct str item)
{
    static const char *const items[] = {"BODY", "BODY.PEEK", "BINARY", "BINARY.PEEK",
                                        "BINARY.SIZE"};

    for (size_t i = 0; i < ARRAY_N(items); i++)
        if (str_ieq_c(item, items[i]))
            return true;
    return false;
}

static int parse_atom(struct parser *p, struct imap_arg *out)
{
    size_t start = p->at;

    while (more(p) && !ends_atom(peek(p))) {
        if (peek(p) == '[' && takes_section(str_sub(p->in, start, p->at - start))) {
            if (pass_section(p) < 0)
                return -1;
        } else {
            p->at++;
        }
    }
    if (p->at == start)
        return bad(p, "an argument expected");
    *out = (struct imap_arg){.kind = IMAP_ATOM, .s = str_sub(p->in, start, p->at - start)};
    return 0;
}

static int parse_scalar(struct parser *p, struct imap_arg *out)
{
    switch (peek(p)) {
    case '"':
        return parse_quoted(p, out);
    case '{':
        return parse_literal(p, out);
    default:
        return parse_atom(p, out);
    }
}

/* Reads arguments up to `end` (')' or the end of the command), without recursion: the open lists
 * are on a stack of fixed depth. */
static int parse_args(struct parser *p, struct growing *top)
{
    struct growing open[IMAP_DEPTH_MAX + 1] = {{0}};
    size_t depth = 0;

    while (more(p) && peek(p) != '\r') {
        char c = peek(p);
        struct imap_arg arg;

        if (c == ' ') {
            p->at++;
            continue;
        }
        if (c == '(') {
            if (++depth > IMAP_DEPTH_MAX)
                return bad(p, "lists nested too deep");
            open[depth] = (struct growing){0};
            p->at++;
            continue;
        }
        if (c == ')') {
            if (depth == 0)
                return bad(p, "a ')' without its '('");
            p->at++;
            arg = (struct imap_arg){
                .kind = IMAP_LIST, .list = open[depth].v, .list_n = open[depth].n};
            depth--;
        } else if (parse_scalar(p, &arg) < 0) {
            return -1;
        }
        if (push(p, &open[depth], arg) < 0)
            return -1;
    }
    if (depth > 0 && more(p))
        return bad(p, "a '(' without its ')'");
    *top = open[0];
    return 0;
}

static int parse_tag(struct parser *p, struct imap_cmd *out)
{
    size_t start = p->at;

    while (more(p) && !ends_atom(peek(p)) && !strchr("%*\\+", peek(p)))
        p->at++;
    if (p->at == start || peek(p) != ' ' || p->at - start > IMAP_TAG_MAX)
        return err_set(p->err, 0, "a command begins with a tag and a space");
    out->tag = str_sub(p->in, start, p->at - start);
    p->at++;
    return 0;
}

static int parse_name(struct parser *p, struct str *out)
{
    size_t start = p->at;

    while (more(p) && (ascii_is_alnum(peek(p)) || peek(p) == '-'))
        p->at++;
    if (p->at == start || (peek(p) != ' ' && peek(p) != '\r'))
        return bad(p, "a command name expected");
    *out = str_sub(p->in, start, p->at - start);
    return 0;
}

int imap_parse(struct str in, struct arena *a, struct imap_cmd *out, struct err *err)
{
    struct parser p = {.in = in, .a = a, .err = err};
    struct growing top = {0};

    *out = (struct imap_cmd){.tag = STR_NONE};
    if (parse_tag(&p, out) < 0 || parse_name(&p, &out->name) < 0)
        return -1;
    out->uid = str_ieq(out->name, STR("UID")) && peek(&p) == ' ';
    if (out->uid) {
        p.at++;
        if (parse_name(&p, &out->name) < 0)
            return -1;
    }
    if (parse_args(&p, &top) < 0)
        return -1;
    out->args = top.v;
    out->args_n = top.n;
    return 0;
}

bool imap_arg_atom(const struct imap_arg *a, struct str *out)
{
    if (a->kind != IMAP_ATOM)
        return false;
    *out = a->s;
    return true;
}

bool imap_arg_string(const struct imap_arg *a, struct str *out)
{
    if ((a->kind != IMAP_QUOTED && a->kind != IMAP_LITERAL) || (!a->s.p && a->s.n))
        return false;
    *out = a->s;
    return true;
}

bool imap_arg_astring(const struct imap_arg *a, struct str *out)
{
    return imap_arg_atom(a, out) || imap_arg_string(a, out);
}

bool imap_arg_is_nil(const struct imap_arg *a)
{
    return imap_arg_is(a, "NIL");
}

bool imap_arg_is(const struct imap_arg *a, const char *atom)
{
    return a->kind == IMAP_ATOM && str_ieq_c(a->s, atom);
}

bool imap_arg_u32(const struct imap_arg *a, uint32_t *out)
{
    struct err ignored;

    return a->kind == IMAP_ATOM && num_parse_u32(a->s, 0, UINT32_MAX, out, &ignored) == 0;
}
