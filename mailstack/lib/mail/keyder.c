/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/mail/keyder.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/decode.h"

enum tag {
    TAG_INTEGER = 0x02,
    TAG_BITS = 0x03,
    TAG_OCTETS = 0x04,
    TAG_NULL = 0x05,
    TAG_OID = 0x06,
    TAG_SEQUENCE = 0x30,
};

static const struct str oid_rsa = STR_INIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
static const struct str oid_ed25519 = STR_INIT("\x2b\x65\x70");

static int bad(struct err *err)
{
    return err_set(err, 0, "malformed DER");
}

/* The length behind the tag: the bytes it takes, or 0. */
static size_t read_length(struct str in, size_t *out)
{
    const unsigned char *p = (const unsigned char *)in.p;

    if (in.n >= 2 && p[1] < 0x80) {
        *out = p[1];
        return 1;
    }
    if (in.n >= 3 && p[1] == 0x81 && p[2] >= 0x80) {
        *out = p[2];
        return 2;
    }
    if (in.n >= 4 && p[1] == 0x82 && p[2] > 0) {
        *out = (size_t)p[2] << 8 | p[3];
        return 3;
    }
    return 0;
}

/* Takes one element of that tag off *in. */
static int take(struct str *in, enum tag tag, struct str *out, struct err *err)
{
    size_t n, head = read_length(*in, &n);

    if (head == 0 || (unsigned char)in->p[0] != tag || in->n - 1 - head < n)
        return bad(err);
    *out = str_sub(*in, 1 + head, n);
    *in = str_skip(*in, 1 + head + n);
    return 0;
}

static bool is_next(struct str in, enum tag tag)
{
    return in.n > 0 && (unsigned char)in.p[0] == tag;
}

static int take_number(struct str *in, struct str *out, struct err *err)
{
    struct str s;

    if (take(in, TAG_INTEGER, &s, err) < 0)
        return -1;
    if (s.n == 0 || (s.p[0] & 0x80) != 0)
        return bad(err);
    if (s.p[0] == 0 && s.n > 1) {
        if ((s.p[1] & 0x80) == 0)
            return bad(err);
        s = str_skip(s, 1);
    }
    *out = s;
    return 0;
}

static int take_zero(struct str *in, struct err *err)
{
    struct str version;

    if (take_number(in, &version, err) < 0)
        return -1;
    return version.n == 1 && version.p[0] == 0 ? 0 : err_set(err, 0, "a key of another version");
}

/* AlgorithmIdentifier. */
static int take_algorithm(struct str *in, enum keyder_kind *out, struct err *err)
{
    struct str body, oid, null;

    if (take(in, TAG_SEQUENCE, &body, err) < 0 || take(&body, TAG_OID, &oid, err) < 0)
        return -1;
    if (str_eq(oid, oid_ed25519)) {
        *out = KEYDER_ED25519;
        return body.n == 0 ? 0 : bad(err);
    }
    if (!str_eq(oid, oid_rsa))
        return err_set(err, 0, "a key of an unknown kind");
    *out = KEYDER_RSA;
    if (body.n > 0 && take(&body, TAG_NULL, &null, err) < 0)
        return -1;
    return body.n == 0 ? 0 : bad(err);
}

static int take_numbers(struct str *in, struct keyder *k, size_t n, struct err *err)
{
    k->kind = KEYDER_RSA;
    for (size_t i = 0; i < n; i++)
        if (take_number(in, &k->rsa[i], err) < 0)
            return -1;
    return in->n == 0 ? 0 : bad(err);
}

/* RSAPublicKey */
static int rsa_public(struct str der, struct keyder *k, struct err *err)
{
    struct str body;

    if (take(&der, TAG_SEQUENCE, &body, err) < 0)
        return -1;
    return der.n == 0 ? take_numbers(&body, k, 2, err) : bad(err);
}

int keyder_public(struct str der, struct keyder *out, struct err *err)
{
    struct keyder k = {0};
    struct str rest = der, body, bits;

    if (take(&rest, TAG_SEQUENCE, &body, err) < 0)
        return -1;
    if (!is_next(body, TAG_SEQUENCE)) {
        if (rsa_public(der, &k, err) < 0)
            return -1;
        *out = k;
        return 0;
    }
    if (take_algorithm(&body, &k.kind, err) < 0 || take(&body, TAG_BITS, &bits, err) < 0)
        return -1;
    if (rest.n > 0 || body.n > 0 || bits.n < 1 || bits.p[0] != 0)
        return bad(err);
    bits = str_skip(bits, 1);
    if (k.kind == KEYDER_ED25519) {
        k.seed = bits;
        if (bits.n != KEYDER_SEED_N)
            return bad(err);
    } else if (rsa_public(bits, &k, err) < 0) {
        return -1;
    }
    *out = k;
    return 0;
}

/* RSAPrivateKey, behind its tag; of two primes. */
static int rsa_private(struct str body, struct keyder *k, struct err *err)
{
    return take_zero(&body, err) < 0 ? -1 : take_numbers(&body, k, KEYDER_NUMBERS, err);
}

static int pkcs8(struct str body, struct keyder *k, struct err *err)
{
    struct str octets, inner;

    if (take_algorithm(&body, &k->kind, err) < 0 || take(&body, TAG_OCTETS, &octets, err) < 0)
        return -1;
    if (k->kind == KEYDER_RSA) {
        if (take(&octets, TAG_SEQUENCE, &inner, err) < 0)
            return -1;
        return octets.n == 0 ? rsa_private(inner, k, err) : bad(err);
    }
    if (take(&octets, TAG_OCTETS, &k->seed, err) < 0)
        return -1;
    return octets.n == 0 && k->seed.n == KEYDER_SEED_N ? 0 : bad(err);
}

int keyder_private(struct str der, struct keyder *out, struct err *err)
{
    struct keyder k = {0};
    struct str body, rest;
    int rc;

    if (take(&der, TAG_SEQUENCE, &body, err) < 0)
        return -1;
    if (der.n > 0)
        return bad(err);
    rest = body;
    if (take_zero(&rest, err) < 0)
        return -1;
    rc = is_next(rest, TAG_SEQUENCE) ? pkcs8(rest, &k, err) : rsa_private(body, &k, err);
    if (rc == 0)
        *out = k;
    return rc;
}

size_t keyder_bits(const struct keyder *k)
{
    struct str n = k->rsa[0];
    size_t bits = n.n * 8;

    if (n.n == 0)
        return 0;
    for (unsigned char top = (unsigned char)n.p[0]; bits > 0 && (top & 0x80) == 0;
         top = (unsigned char)(top << 1))
        bits--;
    return bits;
}

int keyder_unpem(struct str pem, struct buf *der, struct err *err)
{
    static const struct {
        struct str begin;
        struct str end;
    } kinds[] = {
        {STR_INIT("-----BEGIN PRIVATE KEY-----"), STR_INIT("-----END PRIVATE KEY-----")},
        {STR_INIT("-----BEGIN RSA PRIVATE KEY-----"), STR_INIT("-----END RSA PRIVATE KEY-----")},
    };

    for (size_t i = 0; i < ARRAY_N(kinds); i++) {
        ptrdiff_t begin = str_find_str(pem, kinds[i].begin);

        if (begin < 0)
            continue;
        struct str body = str_skip(pem, (size_t)begin + kinds[i].begin.n);
        ptrdiff_t end = str_find_str(body, kinds[i].end);

        if (end < 0)
            break;
        body = str_head(body, (size_t)end);
        if (str_find(body, ':') >= 0)
            return err_set(err, 0, "an encrypted private key");
        decode_all(DECODE_BASE64, body, der);
        return buf_check(der, "a private key", err);
    }
    return err_set(err, 0, "not a private key in PEM form");
}
