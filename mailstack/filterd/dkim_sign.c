/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/dkim_sign.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/filterd/crypto.h"

#define FIELD_MAX  32768
#define SIGNED_MAX (4u << 20)

void dkim_sign_init(struct dkim_sign *s, const struct dkim_sign_key *keys, size_t keys_n,
                    struct str from_domain)
{
    size_t longest = 0;

    *s = (struct dkim_sign){0};
    for (size_t i = 0; i < keys_n; i++) {
        struct str d = str_of(keys[i].domain);

        if (!dkim_is_beneath(from_domain, d) || d.n < longest)
            continue;
        if (d.n > longest)
            s->n = 0;
        longest = d.n;
        if (s->n < DKIM_SIGN_MAX)
            s->keys[s->n++] = &keys[i];
    }
    if (s->n > 0)
        body_hash_init(&s->body, CANON_RELAXED, UINT64_MAX);
}

void dkim_sign_body(struct dkim_sign *s, struct str piece)
{
    if (s->n > 0)
        body_hash_feed(&s->body, piece);
}

void dkim_sign_end(struct dkim_sign *s)
{
    if (s->n > 0)
        body_hash_end(&s->body);
}

static int append_signature(const struct dkim_sign_key *k, const struct header_field *fields,
                            size_t fields_n, struct buf *field, struct err *err)
{
    own_buf struct buf bytes = BUF_INIT(SIGNED_MAX);
    own_buf struct buf raw = BUF_INIT(DKIM_SIGNATURE_MAX);
    unsigned char digest[DKIM_HASH_N];

    if (dkim_bytes_to_sign(buf_str(field), fields, fields_n, &bytes, err) < 0)
        return -1;
    crypto_hash_all(buf_str(&bytes), digest);
    if (crypto_sign(k->key, digest, &raw, err) < 0)
        return -1;
    dkim_format_signature(buf_str(&raw), field);
    return buf_check(field, "a DKIM-Signature field", err);
}

int dkim_sign_make(const struct dkim_sign *s, size_t i, struct dkim_sign_fields fields,
                   int64_t now_s, struct buf *out, struct err *err)
{
    own_buf struct buf field = BUF_INIT(FIELD_MAX);
    const struct dkim_sign_key *k = s->keys[i];
    struct dkim_making m = {
        .algorithm = k->algorithm,
        .domain = str_of(k->domain),
        .selector = str_of(k->selector),
        .time_s = now_s,
        .body_hash = {(const char *)s->body.result, DKIM_HASH_N},
    };
    struct str name, value;

    dkim_format(&m, fields.v, fields.n, &field);
    if (append_signature(k, fields.v, fields.n, &field, err) < 0)
        return -1;
    (void)str_cut(buf_str(&field), ':', &name, &value); /* of our own making: there is one */
    value.n -= 2;
    for (size_t j = 0; j < value.n; j++)
        if (value.p[j] != '\r')
            buf_append_char(out, value.p[j]);
    return buf_check(out, "a DKIM-Signature field", err);
}

void dkim_sign_done(struct dkim_sign *s)
{
    body_hash_done(&s->body);
    s->n = 0;
}
