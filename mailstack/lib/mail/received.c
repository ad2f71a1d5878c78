/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/mail/received.h"

#include "runtime/base/buf.h"

#include "mailstack/lib/mail/date.h"

#define FIELD_MAX 255 /* of each thing a peer told */

/* Printable characters that cannot end a comment, a path or the line; UTF-8 stays. */
static void clean(struct buf *out, struct str s)
{
    s = str_head(s, FIELD_MAX);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool odd = c <= ' ' || c == 0x7f || c == '(' || c == ')' || c == '<' || c == '>' ||
                   c == '\\' || c == '"' || c == ';';

        buf_append_char(out, odd ? '?' : s.p[i]);
    }
}

static void phrase(struct buf *out, const char *before, struct str s, const char *after)
{
    if (s.n == 0)
        return;
    buf_append_c(out, before);
    clean(out, s);
    buf_append_c(out, after);
}

/* An address literal (RFC 5321 section 4.1.3). */
static void literal(struct buf *out, struct str addr)
{
    buf_append_c(out, str_find(addr, ':') >= 0 ? "[IPv6:" : "[");
    clean(out, addr);
    buf_append_char(out, ']');
}

/* "TLSv1.3 cipher NAME": spaces are the caller's own here. */
static void tls_comment(struct buf *out, struct str tls)
{
    struct str word;

    buf_append(out, STR("\r\n\t(using"));
    while (str_next(&tls, ' ', &word))
        phrase(out, " ", word, "");
    buf_append_char(out, ')');
}

void received_format(struct buf *out, const struct received *r)
{
    char date[DATE_TEXT_MAX];

    buf_append(out, STR("Received: from "));
    if (r->helo.n)
        clean(out, r->helo);
    else
        buf_append(out, STR("unknown"));
    if (r->client_addr.n) {
        buf_append(out, STR(" ("));
        clean(out, r->client_name.n ? r->client_name : STR("unknown"));
        buf_append_char(out, ' ');
        literal(out, r->client_addr);
        buf_append_char(out, ')');
    }
    if (r->tls.n)
        tls_comment(out, r->tls);
    phrase(out, "\r\n\tby ", r->by, "");
    phrase(out, " with ", r->with, "");
    phrase(out, " id ", r->id, "");
    phrase(out, "\r\n\tfor <", r->rcpt, ">");
    date_format(date, r->unix_s, 0);
    buf_append(out, STR(";\r\n\t"));
    buf_append_c(out, date);
    buf_append(out, STR("\r\n"));
}
