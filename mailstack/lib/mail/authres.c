/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/mail/authres.h"

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#define WORD_MAX   1024
#define LINE_MAX_N 76

static bool is_printable(char c)
{
    return c > 0x20 && c < 0x7f;
}

/* May stand in a property's value as it is: RFC 2045's token, and the "@" of an address. */
static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_printable(s.p[i]) || str_find(STR("()<>,;:\\\"/[]?="), s.p[i]) >= 0)
            return false;
    return s.n > 0;
}

static void append_quoted(struct buf *out, struct str s)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '"' || c == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, is_printable(c) || c == ' ' ? c : '_');
    }
    buf_append_char(out, '"');
}

static void append_value(struct buf *out, struct str s)
{
    s = str_head(s, AUTHRES_VALUE_MAX);
    if (is_plain(s))
        buf_append(out, s);
    else
        append_quoted(out, s);
}

struct authres authres_begin(struct buf *out, const char *hostname)
{
    append_value(out, str_of(hostname));
    return (struct authres){.out = out};
}

static void append_comment(struct buf *out, struct str c)
{
    buf_append_c(out, " (");
    c = str_head(c, AUTHRES_VALUE_MAX);
    for (size_t i = 0; i < c.n; i++) {
        bool fits = (is_printable(c.p[i]) || c.p[i] == ' ') && str_find(STR("()\\"), c.p[i]) < 0;

        buf_append_char(out, fits ? c.p[i] : '_');
    }
    buf_append_char(out, ')');
}

void authres_add(struct authres *a, const char *method, const char *result, const char *comment)
{
    buf_append_c(a->out, ";\n");
    a->line_from = a->out->n;
    buf_printf(a->out, "\t%s=%s", method, result);
    if (comment != NULL && comment[0] != '\0')
        append_comment(a->out, str_of(comment));
    a->any = true;
}

void authres_property(struct authres *a, const char *name, struct str value)
{
    own_buf struct buf text = BUF_INIT(2 * AUTHRES_VALUE_MAX + 64);

    if (value.n == 0)
        return;
    buf_printf(&text, "%s=", name);
    append_value(&text, value);
    if (a->out->n - a->line_from + text.n + 8 > LINE_MAX_N) { /* a tab shows as eight */
        buf_append_c(a->out, "\n\t ");
        a->line_from = a->out->n - 2;
    }
    buf_append_char(a->out, ' ');
    buf_append(a->out, buf_str(&text));
}

void authres_end(struct authres *a)
{
    if (!a->any)
        buf_append_c(a->out, "; none");
}

/* White space and comments, nested and with quoted pairs. */
static struct str skip_cfws(struct str s)
{
    size_t depth = 0, i = 0;

    for (; i < s.n; i++) {
        char c = s.p[i];

        if (c == '\\' && depth > 0)
            i++;
        else if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (depth == 0 && !ascii_is_space(c) && c != '\r' && c != '\n')
            break;
    }
    return str_skip(s, i);
}

static void take_quoted(struct str s, struct buf *word)
{
    for (size_t i = 1; i < s.n && s.p[i] != '"'; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n)
            i++;
        buf_append_char(word, s.p[i]);
    }
}

bool authres_is_of(struct str value, const char *hostname)
{
    own_buf struct buf word = BUF_INIT(WORD_MAX);
    struct str s = skip_cfws(value);

    if (s.n > 0 && s.p[0] == '"') {
        take_quoted(s, &word);
    } else {
        ptrdiff_t end = str_find_any(s, " \t\r\n;(");

        buf_append(&word, end < 0 ? s : str_head(s, (size_t)end));
    }
    while (word.n > 0 && word.p[word.n - 1] == '.')
        buf_truncate(&word, word.n - 1);
    return str_ieq_c(buf_str(&word), hostname);
}
