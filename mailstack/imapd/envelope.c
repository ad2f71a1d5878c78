/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/imapd/envelope.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/address.h"
#include "mailstack/lib/mail/header.h"
#include "mailstack/lib/mail/mime.h"
#include "mailstack/lib/proto/imap_quote.h"

#define VALUE_MAX (1u << 20) /* of one field, unfolded */

static void put_space(struct buf *out)
{
    buf_append_char(out, ' ');
}

/* A field's value as nstring: one line. */
static void put_text(struct str value, struct buf *out)
{
    own_buf struct buf line = BUF_INIT(VALUE_MAX);

    if (value.p == NULL) {
        buf_append_c(out, "NIL");
        return;
    }
    header_unfold(value, &line);
    imap_quote_string(out, buf_str(&line));
}

static void put_field(struct str header, const char *name, struct buf *out)
{
    struct header_field f = {0};

    put_text(header_find(header, name, &f) ? f.value : STR_NONE, out);
}

/* (name route mailbox host); a group is a name as mailbox without a host, and ends with all NIL. */
static void put_address(const struct address *a, struct buf *out)
{
    buf_append_char(out, '(');
    switch (a->kind) {
    case ADDRESS_MAILBOX:
        put_text(a->name, out);
        put_space(out);
        put_text(a->route, out);
        put_space(out);
        put_text(a->local.p == NULL ? STR("") : a->local, out);
        put_space(out);
        put_text(a->domain.p == NULL ? STR("") : a->domain, out);
        break;
    case ADDRESS_GROUP:
        buf_append_c(out, "NIL NIL ");
        put_text(a->name.p == NULL ? STR("") : a->name, out);
        buf_append_c(out, " NIL");
        break;
    case ADDRESS_GROUP_END:
        buf_append_c(out, "NIL NIL NIL NIL");
        break;
    }
    buf_append_char(out, ')');
}

/* false: there is no such field, or no address in it. */
static int put_addresses(struct str header, const char *name, struct arena *a, struct buf *out,
                         bool *any, struct err *err)
{
    struct header_field f;
    struct address_list l;

    *any = false;
    if (!header_find(header, name, &f))
        return 0;
    if (address_parse_list(f.value, a, &l, err) < 0)
        return -1;
    if (l.n == 0)
        return 0;
    *any = true;
    buf_append_char(out, '(');
    for (size_t i = 0; i < l.n; i++)
        put_address(&l.at[i], out);
    buf_append_char(out, ')');
    return 0;
}

/* Sender and Reply-To default to From. */
static int put_addresses_or(struct str header, const char *name, const char *other, struct arena *a,
                            struct buf *out, struct err *err)
{
    bool any;

    put_space(out);
    if (put_addresses(header, name, a, out, &any, err) < 0)
        return -1;
    if (!any && other != NULL && put_addresses(header, other, a, out, &any, err) < 0)
        return -1;
    if (!any)
        buf_append_c(out, "NIL");
    return 0;
}

int envelope_put(struct str header, struct arena *a, struct buf *out, struct err *err)
{
    static const struct {
        const char *name, *other;
    } lists[] = {
        {"From", NULL}, {"Sender", "From"}, {"Reply-To", "From"},
        {"To", NULL},   {"Cc", NULL},       {"Bcc", NULL},
    };

    buf_append_char(out, '(');
    put_field(header, "Date", out);
    put_space(out);
    put_field(header, "Subject", out);
    for (size_t i = 0; i < ARRAY_N(lists); i++)
        if (put_addresses_or(header, lists[i].name, lists[i].other, a, out, err) < 0)
            return -1;
    put_space(out);
    put_field(header, "In-Reply-To", out);
    put_space(out);
    put_field(header, "Message-ID", out);
    buf_append_char(out, ')');
    return 0;
}

/* --- the structure
 * --------------------------------------------------------------------------------- */

static void put_params(const struct mime_value *v, struct buf *out)
{
    if (v->params_n == 0) {
        buf_append_c(out, "NIL");
        return;
    }
    buf_append_char(out, '(');
    for (size_t i = 0; i < v->params_n; i++) {
        if (i > 0)
            put_space(out);
        put_text(v->params[i].name, out);
        put_space(out);
        put_text(v->params[i].value, out);
    }
    buf_append_char(out, ')');
}

/* text/plain without a charset is us-ascii, and said so. */
static void put_type_params(const struct mime_part *p, struct buf *out)
{
    if (p->content_type.params_n == 0 && mime_is(p, "text", NULL))
        buf_append_c(out, "(\"charset\" \"us-ascii\")");
    else
        put_params(&p->content_type, out);
}

static void put_disposition(const struct mime_part *p, struct buf *out)
{
    if (p->disposition.value.p == NULL) {
        buf_append_c(out, "NIL");
        return;
    }
    buf_append_char(out, '(');
    put_text(p->disposition.value, out);
    put_space(out);
    put_params(&p->disposition, out);
    buf_append_char(out, ')');
}

/* "en, de" is a list of two. */
static void put_language(const struct mime_part *p, struct buf *out)
{
    struct str rest = p->language, one;
    bool first = true;

    if (rest.p == NULL || str_trim(rest).n == 0) {
        buf_append_c(out, "NIL");
        return;
    }
    buf_append_char(out, '(');
    while (str_next(&rest, ',', &one)) {
        if (str_trim(one).n == 0)
            continue;
        if (!first)
            put_space(out);
        put_text(str_trim(one), out);
        first = false;
    }
    buf_append_c(out, first ? "\"\")" : ")");
}

static void put_extension(const struct mime_part *p, struct buf *out)
{
    put_space(out);
    put_disposition(p, out);
    put_space(out);
    put_language(p, out);
    put_space(out);
    put_text(p->location, out);
}

static void put_octets(size_t n, struct buf *out)
{
    buf_printf(out, " %zu", n);
}

/* What a leaf and a message have in common: type, subtype, parameters, id, description, encoding,
 * octets. */
static void put_basic(const struct mime_part *p, struct buf *out)
{
    put_text(p->type, out);
    put_space(out);
    put_text(p->subtype, out);
    put_space(out);
    put_type_params(p, out);
    put_space(out);
    put_text(p->id, out);
    put_space(out);
    put_text(p->description, out);
    put_space(out);
    put_text(p->encoding_name.p == NULL ? STR("7bit") : p->encoding_name, out);
    put_octets(p->body.n + p->body_lone_n, out);
}

static int put_part(const struct mime_part *p, enum envelope_structure how, struct arena *a,
                    struct buf *out, struct err *err);

static int put_message(const struct mime_part *p, enum envelope_structure how, struct arena *a,
                       struct buf *out, struct err *err)
{
    put_basic(p, out);
    put_space(out);
    if (envelope_put(p->child->header, a, out, err) < 0)
        return -1;
    put_space(out);
    if (put_part(p->child, how, a, out, err) < 0)
        return -1;
    buf_printf(out, " %zu", p->body_lines);
    return 0;
}

static int put_children(const struct mime_part *p, enum envelope_structure how, struct arena *a,
                        struct buf *out, struct err *err)
{
    for (const struct mime_part *c = p->child; c != NULL; c = c->next)
        if (put_part(c, how, a, out, err) < 0)
            return -1;
    put_space(out);
    put_text(p->subtype, out);
    if (how == ENVELOPE_BODY)
        return 0;
    put_space(out);
    put_params(&p->content_type, out);
    put_extension(p, out);
    return 0;
}

/* Depth is limited by the parser (MIME_DEPTH_MAX). */
static int put_part(const struct mime_part *p, enum envelope_structure how, struct arena *a,
                    struct buf *out, struct err *err)
{
    int rc = 0;

    buf_append_char(out, '(');
    if (p->child != NULL && !mime_is_message(p)) {
        rc = put_children(p, how, a, out, err);
        buf_append_char(out, ')');
        return rc;
    }
    if (p->child != NULL)
        rc = put_message(p, how, a, out, err);
    else
        put_basic(p, out);
    if (p->child == NULL && mime_is(p, "text", NULL))
        buf_printf(out, " %zu", p->body_lines);
    if (how == ENVELOPE_BODYSTRUCTURE) {
        put_space(out);
        put_text(p->md5, out);
        put_extension(p, out);
    }
    buf_append_char(out, ')');
    return rc;
}

int envelope_put_structure(const struct mime_part *root, enum envelope_structure how,
                           struct arena *a, struct buf *out, struct err *err)
{
    return put_part(root, how, a, out, err);
}
