/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/smtp_path.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static int bad(struct err *err, const char *why)
{
    return err_set(err, EINVAL, "%s", why);
}

static bool is_atext(char c)
{
    return ascii_is_alnum(c) || (unsigned char)c >= 0x80 ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Local part in front of '@' or '>', unquoted, into `out`. */
static int take_quoted(struct str *in, struct buf *out, struct err *err)
{
    *in = str_skip(*in, 1);
    while (in->n && in->p[0] != '"') {
        if (in->p[0] == '\\')
            *in = str_skip(*in, 1);
        if (in->n == 0 || (unsigned char)in->p[0] < ' ' || in->p[0] == 0x7f)
            return bad(err, "bad character in a quoted local part");
        buf_append_char(out, in->p[0]);
        *in = str_skip(*in, 1);
    }
    if (in->n == 0)
        return bad(err, "quoted local part without an end");
    *in = str_skip(*in, 1);
    return 0;
}

/* Dots at odd places are against the grammar but in the world: they come out quoted. */
static int take_atoms(struct str *in, struct buf *out, struct err *err)
{
    while (in->n && in->p[0] != '@' && in->p[0] != '>') {
        if (!is_atext(in->p[0]) && in->p[0] != '.')
            return bad(err, "bad character in a local part");
        buf_append_char(out, in->p[0]);
        *in = str_skip(*in, 1);
    }
    return out->n || out->failed ? 0 : bad(err, "address without a local part");
}

static bool is_dot_string(struct str s)
{
    bool dot = true; /* where an atom must begin */

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' && dot)
            return false;
        if (s.p[i] != '.' && !is_atext(s.p[i]))
            return false;
        dot = s.p[i] == '.';
    }
    return s.n && !dot;
}

static void append_local(struct buf *out, struct str local)
{
    if (is_dot_string(local)) {
        buf_append(out, local);
        return;
    }
    buf_append_char(out, '"');
    for (size_t i = 0; i < local.n; i++) {
        if (local.p[i] == '"' || local.p[i] == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, local.p[i]);
    }
    buf_append_char(out, '"');
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" or another tag: not looked into, only kept harmless. */
static int check_literal(struct str d, struct err *err)
{
    if (d.n < 3 || d.p[d.n - 1] != ']')
        return bad(err, "address literal without an end");
    for (size_t i = 1; i + 1 < d.n; i++) {
        if (!ascii_is_alnum(d.p[i]) && str_find(STR(".:-"), d.p[i]) < 0)
            return bad(err, "bad character in an address literal");
    }
    return 0;
}

static int check_label(struct str label, struct err *err)
{
    if (label.n == 0 || (label.n > 63 && str_is_ascii(label)))
        return bad(err, "domain with an empty or too long label");
    if (label.p[0] == '-' || label.p[label.n - 1] == '-')
        return bad(err, "domain with a label that begins or ends in a hyphen");
    for (size_t i = 0; i < label.n; i++) {
        if (!ascii_is_alnum(label.p[i]) && (unsigned char)label.p[i] < 0x80 && label.p[i] != '-' &&
            label.p[i] != '_')
            return bad(err, "bad character in a domain");
    }
    return 0;
}

static int check_domain(struct str d, struct err *err)
{
    struct str label;

    if (d.n == 0 || d.n > SMTP_DOMAIN_MAX)
        return bad(err, d.n ? "domain too long" : "address without a domain");
    if (d.p[0] == '[')
        return check_literal(d, err);
    if (d.p[d.n - 1] == '.')
        return bad(err, "domain with an empty or too long label");
    while (str_next(&d, '.', &label)) {
        if (check_label(label, err) < 0)
            return -1;
    }
    return 0;
}

static int take_domain(struct str *in, struct buf *out, struct err *err)
{
    ptrdiff_t end = str_find(*in, '>');

    if (end < 0)
        return bad(err, "path without '>'");
    struct str d = str_head(*in, (size_t)end);

    if (check_domain(d, err) < 0)
        return -1;
    for (size_t i = 0; i < d.n; i++)
        buf_append_char(out, ascii_lower(d.p[i]));
    *in = str_skip(*in, (size_t)end);
    return 0;
}

static int skip_route(struct str *in, struct err *err)
{
    ptrdiff_t colon;

    if (in->n == 0 || in->p[0] != '@')
        return 0;
    colon = str_find_any(*in, ":>\"");
    if (colon < 0 || in->p[colon] != ':')
        return bad(err, "source route without ':'");
    *in = str_skip(*in, (size_t)colon + 1);
    return 0;
}

static int check_charset(struct str s, unsigned flags, struct err *err)
{
    if (str_is_ascii(s))
        return 0;
    if (!str_is_utf8(s))
        return bad(err, "address that is not UTF-8");
    if (!(flags & SMTP_PATH_UTF8))
        return err_set(err, EILSEQ, "address needs SMTPUTF8");
    return 0;
}

static int take_mailbox(struct str *in, unsigned flags, struct buf *out, struct smtp_path *path,
                        struct err *err)
{
    char raw[SMTP_LOCAL_MAX];
    struct buf local = BUF_INIT(sizeof(raw));
    int rc = in->p[0] == '"' ? take_quoted(in, &local, err) : take_atoms(in, &local, err);

    if (rc == 0 && local.failed)
        rc = bad(err, "local part too long");
    if (rc == 0) {
        memcpy(raw, buf_c(&local), local.n);
        append_local(out, (struct str){raw, local.n});
        path->local_n = out->n;
    }
    bool is_postmaster = str_ieq_c(buf_str(&local), "postmaster");

    buf_done(&local);
    if (rc < 0)
        return -1;
    if (in->n && in->p[0] == '@') {
        buf_append_char(out, '@');
        *in = str_skip(*in, 1);
        return take_domain(in, out, err);
    }
    if (is_postmaster && (flags & SMTP_PATH_POSTMASTER))
        return 0;
    return bad(err, "address without a domain");
}

static int take_path(struct str *in, unsigned flags, struct buf *out, struct smtp_path *path,
                     struct err *err)
{
    if (in->n == 0 || in->p[0] != '<')
        return bad(err, "path without '<'");
    *in = str_skip(*in, 1);
    if (skip_route(in, err) < 0)
        return -1;
    if (in->n == 0)
        return bad(err, "path without '>'");
    if (in->p[0] != '>') {
        if (take_mailbox(in, flags, out, path, err) < 0)
            return -1;
    } else if (!(flags & SMTP_PATH_NULL)) {
        return bad(err, "empty address");
    }
    if (in->n == 0 || in->p[0] != '>')
        return bad(err, "path without '>'");
    *in = str_skip(*in, 1);
    return 0;
}

int smtp_path_parse(struct str in, unsigned flags, struct smtp_path *out, size_t *used,
                    struct err *err)
{
    struct buf text = BUF_INIT(SMTP_PATH_MAX);
    struct smtp_path p = {0};
    struct str rest = in;
    int rc = take_path(&rest, flags, &text, &p, err);

    if (rc == 0 && text.failed)
        rc = bad(err, "address too long");
    if (rc == 0)
        rc = check_charset(buf_str(&text), flags, err);
    if (rc == 0) {
        p.n = text.n;
        memcpy(p.text, buf_c(&text), text.n + 1);
        *used = in.n - rest.n;
        *out = p;
    }
    buf_done(&text);
    return rc;
}

struct str smtp_path_str(const struct smtp_path *p)
{
    return (struct str){p->text, p->n};
}

struct str smtp_path_local(const struct smtp_path *p)
{
    return (struct str){p->text, p->local_n};
}

struct str smtp_path_domain(const struct smtp_path *p)
{
    return p->n > p->local_n ? str_skip(smtp_path_str(p), p->local_n + 1) : STR_NONE;
}
