/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/crypto.h"

#include <assert.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include "mailstack/lib/mail/keyder.h"

#define DER_MAX 16384

struct crypto_key {
    enum dkim_algorithm algorithm;
    struct buf der;
    EVP_PKEY *pkey; /* NULL until it is first used */
};

static void free_pkey(EVP_PKEY **p)
{
    EVP_PKEY_free(*p);
}

static void free_ctx(EVP_PKEY_CTX **p)
{
    EVP_PKEY_CTX_free(*p);
}

static void free_md(EVP_MD_CTX **p)
{
    EVP_MD_CTX_free(*p);
}

#define own_pkey __attribute__((cleanup(free_pkey)))
#define own_ctx  __attribute__((cleanup(free_ctx)))
#define own_md   __attribute__((cleanup(free_md)))

static int crypto_err(struct err *err, const char *what)
{
    char text[256] = "";

    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    ERR_clear_error();
    return err_set(err, 0, "%s: %s", what, text);
}

/* --- hashes ------------------------------------------------------------------------------------
 */

/* The context is libcrypto's, under a name of ours. SHA-256 fails only for want of memory. */
struct crypto_hash *crypto_hash_new(void)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        mem_out();
    return (struct crypto_hash *)md;
}

void crypto_hash_free(struct crypto_hash *h)
{
    EVP_MD_CTX_free((EVP_MD_CTX *)h);
}

void crypto_hash_feed(struct crypto_hash *h, struct str bytes)
{
    int done = EVP_DigestUpdate((EVP_MD_CTX *)h, bytes.p, bytes.n);

    assert(done == 1);
}

void crypto_hash_end(struct crypto_hash *h, unsigned char out[DKIM_HASH_N])
{
    int done = EVP_DigestFinal_ex((EVP_MD_CTX *)h, out, NULL);

    assert(done == 1);
}

void crypto_hash_all(struct str bytes, unsigned char out[DKIM_HASH_N])
{
    struct crypto_hash *h = crypto_hash_new();

    crypto_hash_feed(h, bytes);
    crypto_hash_end(h, out);
    crypto_hash_free(h);
}

/* --- verifying ---------------------------------------------------------------------------------
 */

/* Names of the numbers of keyder.h. */
static const char *const rsa_params[KEYDER_NUMBERS] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

static EVP_PKEY *rsa_from(OSSL_PARAM *params, int selection)
{
    own_ctx EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, selection, params) != 1)
        return NULL;
    return key;
}

/* The first n numbers: 2 of a public key, all of a private one. */
static EVP_PKEY *rsa_key(const struct keyder *k, size_t n)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *numbers[KEYDER_NUMBERS] = {NULL};
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;
    bool all = bld != NULL;

    for (size_t i = 0; i < n && all; i++) {
        numbers[i] = BN_bin2bn((const unsigned char *)k->rsa[i].p, (int)k->rsa[i].n, NULL);
        all = numbers[i] != NULL && OSSL_PARAM_BLD_push_BN(bld, rsa_params[i], numbers[i]) == 1;
    }
    if (all)
        params = OSSL_PARAM_BLD_to_param(bld);
    if (params != NULL)
        key = rsa_from(params, n == 2 ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    for (size_t i = 0; i < n; i++)
        BN_clear_free(numbers[i]);
    return key;
}

static enum crypto_verdict verify_rsa(const struct dkim_key *k, const unsigned char *digest,
                                      struct str signature, unsigned *bits)
{
    struct keyder numbers;
    struct err ignored = {0};

    if (keyder_public((struct str){(const char *)k->bytes, k->bytes_n}, &numbers, &ignored) < 0 ||
        numbers.kind != KEYDER_RSA)
        return CRYPTO_NO_KEY;
    *bits = (unsigned)keyder_bits(&numbers);
    if (*bits < CRYPTO_RSA_MIN)
        return CRYPTO_WEAK;
    if (*bits > CRYPTO_RSA_MAX)
        return CRYPTO_TOO_BIG;
    own_pkey EVP_PKEY *key = rsa_key(&numbers, 2);
    own_ctx EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    bool good = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
                EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
                EVP_PKEY_verify(ctx, (const unsigned char *)signature.p, signature.n, digest,
                                DKIM_HASH_N) == 1;

    ERR_clear_error();
    return good ? CRYPTO_GOOD : CRYPTO_BAD;
}

static enum crypto_verdict verify_ed25519(const struct dkim_key *k, const unsigned char *digest,
                                          struct str signature, unsigned *bits)
{
    own_pkey EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->bytes, k->bytes_n);
    own_md EVP_MD_CTX *md = EVP_MD_CTX_new();

    *bits = 256;
    if (key == NULL) {
        ERR_clear_error();
        return CRYPTO_NO_KEY;
    }
    bool good = md != NULL && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(md, (const unsigned char *)signature.p, signature.n, digest,
                                 DKIM_HASH_N) == 1;

    ERR_clear_error();
    return good ? CRYPTO_GOOD : CRYPTO_BAD;
}

enum crypto_verdict crypto_verify(const struct dkim_key *key,
                                  const unsigned char digest[DKIM_HASH_N], struct str signature,
                                  unsigned *bits)
{
    *bits = 0;
    return key->kind == DKIM_KEY_RSA ? verify_rsa(key, digest, signature, bits)
                                     : verify_ed25519(key, digest, signature, bits);
}

/* --- signing -----------------------------------------------------------------------------------
 */

static int check_key(const struct crypto_key *k, struct err *err)
{
    struct keyder numbers;
    enum keyder_kind want = k->algorithm == DKIM_ED25519_SHA256 ? KEYDER_ED25519 : KEYDER_RSA;

    if (keyder_private(buf_str(&k->der), &numbers, err) < 0)
        return -1;
    if (numbers.kind != want)
        return err_set(err, 0, "not a key for %s", dkim_algorithm_name(k->algorithm));
    if (want == KEYDER_RSA && keyder_bits(&numbers) < CRYPTO_RSA_MIN)
        return err_set(err, 0, "an RSA key of less than %d bits", CRYPTO_RSA_MIN);
    return 0;
}

struct crypto_key *crypto_key_load(struct str pem, enum dkim_algorithm algorithm, struct err *err)
{
    struct crypto_key *k = mem_type(struct crypto_key);

    k->algorithm = algorithm;
    buf_init(&k->der, DER_MAX);
    if (keyder_unpem(pem, &k->der, err) == 0 && check_key(k, err) == 0)
        return k;
    crypto_key_free(k);
    return NULL;
}

void crypto_key_free(struct crypto_key *k)
{
    if (k == NULL)
        return;
    if (k->der.n > 0)
        OPENSSL_cleanse(k->der.p, k->der.n);
    buf_done(&k->der);
    EVP_PKEY_free(k->pkey);
    free(k);
}

/* At the first signature: a process that signs nothing does without what this costs. */
static int prepare(struct crypto_key *k, struct err *err)
{
    struct keyder numbers;

    if (k->pkey != NULL)
        return 0;
    if (keyder_private(buf_str(&k->der), &numbers, err) < 0)
        return -1;
    k->pkey =
        numbers.kind == KEYDER_RSA
            ? rsa_key(&numbers, KEYDER_NUMBERS)
            : EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
                                           (const unsigned char *)numbers.seed.p, numbers.seed.n);
    return k->pkey != NULL ? 0 : crypto_err(err, "private key");
}

static int sign_rsa(const struct crypto_key *k, const unsigned char *digest, unsigned char *out,
                    size_t *n)
{
    own_ctx EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);

    return ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
           EVP_PKEY_sign(ctx, out, n, digest, DKIM_HASH_N) == 1;
}

static int sign_ed25519(const struct crypto_key *k, const unsigned char *digest, unsigned char *out,
                        size_t *n)
{
    own_md EVP_MD_CTX *md = EVP_MD_CTX_new();

    return md != NULL && EVP_DigestSignInit(md, NULL, NULL, NULL, k->pkey) == 1 &&
           EVP_DigestSign(md, out, n, digest, DKIM_HASH_N) == 1;
}

int crypto_sign(struct crypto_key *k, const unsigned char digest[DKIM_HASH_N], struct buf *out,
                struct err *err)
{
    unsigned char raw[DKIM_SIGNATURE_MAX];
    size_t n = sizeof(raw);
    int done;

    if (prepare(k, err) < 0)
        return -1;
    done = k->algorithm == DKIM_ED25519_SHA256 ? sign_ed25519(k, digest, raw, &n)
                                               : sign_rsa(k, digest, raw, &n);
    if (!done)
        return crypto_err(err, "sign");
    buf_append_n(out, raw, n);
    return buf_check(out, "a signature", err);
}
