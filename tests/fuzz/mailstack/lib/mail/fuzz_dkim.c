/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures and keys within their limits; what is signed ends in the signature's own field. */
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/dkim.h"
#include "mailstack/lib/mail/header.h"

#undef NDEBUG
#include <assert.h>
#include <stdint.h>

#define FIELDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_signature(const struct dkim_signature *s)
{
    assert(s->bytes_n > 0 && s->bytes_n <= DKIM_SIGNATURE_MAX);
    assert(s->hash_n == 20 || s->hash_n == DKIM_HASH_N);
    assert(dkim_is_domain(s->domain) && dkim_is_domain(s->selector));
    assert(s->time_s < 0 || s->until_s < 0 || s->time_s < s->until_s);
}

static void check_making(const struct header_field *fields, size_t n)
{
    char hash[DKIM_HASH_N] = {0};
    struct dkim_making m = {
        .domain = STR("a.org"), .selector = STR("s"), .body_hash = {hash, sizeof(hash)}};
    own_buf struct buf field = BUF_INIT(1 << 20);
    own_buf struct buf to_sign = BUF_INIT(1 << 20);
    own_buf struct buf signed_ = BUF_INIT(1 << 20);
    struct dkim_signature s;
    struct err err = {0};

    dkim_format(&m, fields, n, &field);
    assert(dkim_bytes_to_sign(buf_str(&field), fields, n, &to_sign, &err) == 0);
    dkim_format_signature(STR("signature"), &field);
    assert(dkim_parse_signature(str_skip(buf_str(&field), 15), &s, &err) == 0);
    dkim_signed_bytes(&s, buf_str(&field), fields, n, &signed_);
    assert(str_eq(buf_str(&to_sign), buf_str(&signed_)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct header_walk w = header_walk(in);
    struct header_field fields[FIELDS_MAX];
    struct dkim_signature s;
    struct dkim_key key;
    struct err err = {0};
    size_t fields_n = 0;

    while (fields_n < FIELDS_MAX && header_next(&w, &fields[fields_n]))
        fields_n++;
    for (size_t i = 0; i < fields_n; i++) {
        own_buf struct buf out = BUF_INIT(1 << 20);

        if (dkim_parse_signature(fields[i].value, &s, &err) < 0)
            continue;
        check_signature(&s);
        dkim_signed_bytes(&s, fields[i].raw, fields, fields_n, &out);
        assert(out.n > 0);
    }
    if (dkim_parse_key(in, &key, &err) == 0)
        assert(key.bytes_n <= DKIM_KEY_MAX && key.revoked == (key.bytes_n == 0));
    check_making(fields, fields_n);
    return 0;
}
