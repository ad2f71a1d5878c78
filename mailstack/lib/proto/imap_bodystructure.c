/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/imap_bodystructure.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/header.h"
#include "mailstack/lib/mail/mime.h"
#include "mailstack/lib/proto/imap_envelope.h"
#include "mailstack/lib/proto/imap_quote.h"

/* The grammar demands a part where a multipart has none. */
#define EMPTY_BODY "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)"

struct format {
    struct buf *to;
    enum imap_bodystructure_kind kind;
    struct arena *scratch;
};

static void line(struct buf *to, struct str value)
{
    own_buf struct buf b = BUF_INIT(value.n + 1);

    if (value.n == 0) {
        buf_append_c(to, "NIL");
        return;
    }
    header_unfold(value, &b);
    imap_quote_string(to, buf_str(&b));
}

static void one_param(struct buf *to, struct str name, struct str value, bool first)
{
    buf_append_c(to, first ? "(" : " ");
    imap_quote_string(to, name);
    buf_append_char(to, ' ');
    imap_quote_string(to, value);
}

/* Text without a character set is US-ASCII, as it is without a type. */
static void params(struct buf *to, const struct mime_value *v, bool is_text)
{
    bool charset = is_text && !mime_param(v, "charset").p;

    for (size_t i = 0; i < v->params_n; i++)
        one_param(to, v->params[i].name, v->params[i].value, i == 0);
    if (charset)
        one_param(to, STR("charset"), STR("us-ascii"), v->params_n == 0);
    buf_append_c(to, charset || v->params_n ? ")" : "NIL");
}

static void disposition(struct buf *to, const struct mime_value *v)
{
    if (!v->value.p) {
        buf_append_c(to, "NIL");
        return;
    }
    buf_append_char(to, '(');
    imap_quote_string(to, v->value);
    buf_append_char(to, ' ');
    params(to, v, false);
    buf_append_char(to, ')');
}

/* "en" or "en, de": a string, or a list of them. */
static void language(struct buf *to, struct str value)
{
    struct str tag;
    size_t n = 0;

    if (str_find(value, ',') < 0) {
        line(to, value);
        return;
    }
    buf_append_char(to, '(');
    while (str_next(&value, ',', &tag)) {
        if (str_trim(tag).n == 0)
            continue;
        if (n++)
            buf_append_char(to, ' ');
        line(to, str_trim(tag));
    }
    buf_append_c(to, n ? ")" : "\"\")");
}

static void extension(struct buf *to, const struct mime_part *p)
{
    buf_append_char(to, ' ');
    disposition(to, &p->disposition);
    buf_append_char(to, ' ');
    language(to, p->language);
    buf_append_char(to, ' ');
    line(to, p->location);
}

static int part(const struct format *f, const struct mime_part *p, struct err *err);

static int multipart(const struct format *f, const struct mime_part *p, struct err *err)
{
    if (!p->child)
        buf_append_c(f->to, EMPTY_BODY);
    for (const struct mime_part *c = p->child; c; c = c->next) {
        if (part(f, c, err) < 0)
            return -1;
    }
    buf_append_char(f->to, ' ');
    imap_quote_string(f->to, p->subtype);
    if (f->kind == IMAP_BODY)
        return 0;
    buf_append_char(f->to, ' ');
    params(f->to, &p->content_type, false);
    extension(f->to, p);
    return 0;
}

static int message_within(const struct format *f, const struct mime_part *p, struct err *err)
{
    struct str header = p->child ? p->child->header : STR_NONE;

    buf_append_char(f->to, ' ');
    if (imap_envelope_format(f->to, header, f->scratch, err) < 0)
        return -1;
    buf_append_char(f->to, ' ');
    if (!p->child)
        buf_append_c(f->to, EMPTY_BODY);
    return p->child ? part(f, p->child, err) : 0;
}

static int single(const struct format *f, const struct mime_part *p, struct err *err)
{
    bool is_text = mime_is(p, "text", NULL);
    bool is_message = mime_is(p, "message", "rfc822");

    imap_quote_string(f->to, p->type);
    buf_append_char(f->to, ' ');
    imap_quote_string(f->to, p->subtype);
    buf_append_char(f->to, ' ');
    params(f->to, &p->content_type, is_text);
    buf_append_char(f->to, ' ');
    line(f->to, p->id);
    buf_append_char(f->to, ' ');
    line(f->to, p->description);
    buf_append_char(f->to, ' ');
    imap_quote_string(f->to, p->encoding_name.n ? p->encoding_name : STR("7bit"));
    buf_printf(f->to, " %zu", p->body.n + p->body_lone_n);
    if (is_message && message_within(f, p, err) < 0)
        return -1;
    if (is_message || is_text)
        buf_printf(f->to, " %zu", p->body_lines);
    if (f->kind == IMAP_BODY)
        return 0;
    buf_append_char(f->to, ' ');
    line(f->to, p->md5);
    extension(f->to, p);
    return 0;
}

static int part(const struct format *f, const struct mime_part *p, struct err *err)
{
    int rc;

    buf_append_char(f->to, '(');
    rc = mime_is(p, "multipart", NULL) ? multipart(f, p, err) : single(f, p, err);
    buf_append_char(f->to, ')');
    return rc;
}

int imap_bodystructure_format(struct buf *to, const struct mime_part *root,
                              enum imap_bodystructure_kind kind, struct arena *scratch,
                              struct err *err)
{
    struct format f = {to, kind, scratch};

    return part(&f, root, err);
}
