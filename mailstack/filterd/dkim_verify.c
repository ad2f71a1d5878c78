/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/dkim_verify.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/filterd/crypto.h"
#include "mailstack/filterd/lookup.h"
#include "mailstack/lib/mail/header.h"

#define SIGNED_MAX (4u << 20) /* of header; a message's header is limited before */

const char *dkim_result_name(enum dkim_result r)
{
    static const char *const names[] = {
        [DKIM_NONE] = "none",           [DKIM_PASS] = "pass",       [DKIM_FAIL] = "fail",
        [DKIM_POLICY] = "policy",       [DKIM_NEUTRAL] = "neutral", [DKIM_TEMPERROR] = "temperror",
        [DKIM_PERMERROR] = "permerror",
    };

    return names[r];
}

static void decide(struct dkim_verify_one *o, enum dkim_result r, const char *why)
{
    o->decided = true;
    o->result = r;
    (void)snprintf(o->why, sizeof(o->why), "%.*s", DKIM_VERIFY_WHY_MAX - 1,
                   why); /* a long reason is cut */
}

/* --- the header --------------------------------------------------------------------------------
 */

static size_t body_for(struct dkim_verify *v, const struct dkim_signature *s)
{
    uint64_t max = s->has_length ? s->length : UINT64_MAX;

    for (size_t i = 0; i < v->bodies_n; i++)
        if (v->bodies[i].kind == s->body_canon && v->bodies[i].max == max)
            return i;
    body_hash_init(&v->bodies[v->bodies_n], s->body_canon, max);
    return v->bodies_n++;
}

static void check_times(struct dkim_verify_one *o, const struct dkim_signature *s)
{
    int64_t now = clock_wall_s();

    if (s->until_s >= 0 && s->until_s < now)
        decide(o, DKIM_FAIL, "signature has expired");
    else if (s->time_s > now + DKIM_VERIFY_SKEW_S)
        decide(o, DKIM_NEUTRAL, "signature is from the future");
}

static void add(struct dkim_verify *v, const struct header_field *f, struct arena *a)
{
    struct dkim_verify_one *o = &v->at[v->n++];
    struct dkim_signature *s = arena_alloc(a, sizeof(*s));
    struct err err = {0};

    *o = (struct dkim_verify_one){.field = f};
    if (s == NULL) {
        decide(o, DKIM_NEUTRAL, "out of memory for it");
        return;
    }
    if (dkim_parse_signature(f->value, s, &err) < 0) {
        decide(o, DKIM_NEUTRAL, err.text);
        return;
    }
    o->signature = s;
    if (s->algorithm == DKIM_RSA_SHA1) {
        decide(o, DKIM_POLICY, "rsa-sha1 is not trusted");
        return;
    }
    check_times(o, s);
    if (!o->decided)
        o->body = body_for(v, s);
}

void dkim_verify_init(struct dkim_verify *v, const struct header_field *fields, size_t fields_n,
                      struct arena *a)
{
    *v = (struct dkim_verify){.fields = fields, .fields_n = fields_n};
    for (size_t i = 0; i < fields_n && v->n < DKIM_VERIFY_MAX; i++)
        if (str_ieq_c(fields[i].name, "DKIM-Signature"))
            add(v, &fields[i], a);
}

/* --- the body ----------------------------------------------------------------------------------
 */

void dkim_verify_body(struct dkim_verify *v, struct str piece)
{
    for (size_t i = 0; i < v->bodies_n; i++)
        body_hash_feed(&v->bodies[i], piece);
}

static void check_body(struct dkim_verify_one *o, const struct body_hash *b)
{
    const struct dkim_signature *s = o->signature;

    if (s->has_length && s->length > b->total)
        decide(o, DKIM_FAIL, "body is shorter than signed");
    else if (memcmp(b->result, s->hash, DKIM_HASH_N) != 0)
        decide(o, DKIM_FAIL, "body hash did not verify");
}

void dkim_verify_end(struct dkim_verify *v)
{
    for (size_t i = 0; i < v->bodies_n; i++)
        body_hash_end(&v->bodies[i]);
    for (size_t i = 0; i < v->n; i++)
        if (!v->at[i].decided)
            check_body(&v->at[i], &v->bodies[v->at[i].body]);
}

/* --- the key -----------------------------------------------------------------------------------
 */

static void check_signature(struct dkim_verify *v, struct dkim_verify_one *o,
                            const struct dkim_key *key)
{
    const struct dkim_signature *s = o->signature;
    const struct body_hash *b = &v->bodies[o->body];
    own_buf struct buf bytes = BUF_INIT(SIGNED_MAX);
    unsigned char digest[DKIM_HASH_N];
    struct err err = {0};

    dkim_signed_bytes(s, o->field->raw, v->fields, v->fields_n, &bytes);
    if (buf_check(&bytes, "signed header", &err) < 0) {
        decide(o, DKIM_NEUTRAL, err.text);
        return;
    }
    crypto_hash_all(buf_str(&bytes), digest);
    switch (
        crypto_verify(key, digest, (struct str){(const char *)s->bytes, s->bytes_n}, &o->bits)) {
    case CRYPTO_GOOD:
        if (s->has_length && s->length < b->total)
            decide(o, DKIM_POLICY, "part of the body is not signed");
        else
            decide(o, DKIM_PASS, "");
        return;
    case CRYPTO_BAD:
        decide(o, DKIM_FAIL, "signature did not verify");
        return;
    case CRYPTO_NO_KEY:
        decide(o, DKIM_PERMERROR, "key is malformed");
        return;
    case CRYPTO_WEAK:
        decide(o, DKIM_POLICY, "key is too short");
        return;
    case CRYPTO_TOO_BIG:
        decide(o, DKIM_POLICY, "key is too long");
        return;
    }
}

/* The first of the records that is one. */
static int find_key(const struct dns_answer *a, struct dkim_key *key, struct err *err)
{
    int rc = err_set(err, 0, "no key for signature");

    for (size_t i = 0; rc < 0 && i < a->records_n; i++)
        rc = dkim_parse_key(a->records[i].text, key, err);
    return rc;
}

static void check_key(struct dkim_verify *v, struct dkim_verify_one *o, const struct dns_answer *a)
{
    struct err err = {0};
    struct dkim_key key;

    if (a->status == DNS_TEMP)
        decide(o, DKIM_TEMPERROR, "key could not be looked up");
    else if (find_key(a, &key, &err) < 0 || dkim_key_fits(&key, o->signature, &err) < 0)
        decide(o, DKIM_PERMERROR, err.text);
    else
        check_signature(v, o, &key);
}

bool dkim_verify_run(struct dkim_verify *v, struct lookup *l)
{
    bool all = true;

    for (size_t i = 0; i < v->n; i++) {
        struct dkim_verify_one *o = &v->at[i];
        own_buf struct buf name = BUF_INIT(1024);

        if (o->decided)
            continue;
        buf_printf(&name, "%.*s._domainkey.%.*s", STR_ARG(o->signature->selector),
                   STR_ARG(o->signature->domain));
        if (!dkim_is_domain(buf_str(&name))) {
            decide(o, DKIM_PERMERROR, "name of the key is too long");
            continue;
        }
        const struct dns_answer *a = lookup_get(l, buf_str(&name), DNS_TXT);

        if (a != NULL)
            check_key(v, o, a);
        all = all && o->decided;
    }
    return all;
}

void dkim_verify_done(struct dkim_verify *v)
{
    for (size_t i = 0; i < v->bodies_n; i++)
        body_hash_done(&v->bodies[i]);
    v->bodies_n = 0;
}
