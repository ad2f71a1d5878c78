/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/crypto.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#define PEM_MAX 65536

struct crypto_key {
    enum dkim_algorithm algorithm;
    EVP_PKEY *pkey;
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

static void free_bio(BIO **p)
{
    BIO_free_all(*p);
}

#define own_pkey __attribute__((cleanup(free_pkey)))
#define own_ctx  __attribute__((cleanup(free_ctx)))
#define own_md   __attribute__((cleanup(free_md)))
#define own_bio  __attribute__((cleanup(free_bio)))

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

/* RFC 6376 says RSAPublicKey and shows SubjectPublicKeyInfo: both are found in DNS. */
static EVP_PKEY *rsa_public(const struct dkim_key *k)
{
    const unsigned char *p = k->bytes;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)k->bytes_n);

    if (key == NULL) {
        p = k->bytes;
        key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)k->bytes_n);
    }
    if (key != NULL && EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    ERR_clear_error();
    return key;
}

static enum crypto_verdict verify_rsa(const struct dkim_key *k, const unsigned char *digest,
                                      struct str signature, unsigned *bits)
{
    own_pkey EVP_PKEY *key = rsa_public(k);

    if (key == NULL)
        return CRYPTO_NO_KEY;
    *bits = (unsigned)EVP_PKEY_get_bits(key);
    if (*bits < CRYPTO_RSA_MIN)
        return CRYPTO_WEAK;
    if (*bits > CRYPTO_RSA_MAX)
        return CRYPTO_TOO_BIG;
    own_ctx EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
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

struct crypto_key *crypto_key_load(struct str pem, enum dkim_algorithm algorithm, struct err *err)
{
    int want = algorithm == DKIM_ED25519_SHA256 ? EVP_PKEY_ED25519 : EVP_PKEY_RSA;
    own_bio BIO *bio = BIO_new_mem_buf(pem.p, pem.n > PEM_MAX ? PEM_MAX : (int)pem.n);
    own_pkey EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    struct crypto_key *k;

    if (pkey == NULL) {
        (void)crypto_err(err, "not a private key in PEM form");
        return NULL;
    }
    if (EVP_PKEY_get_base_id(pkey) != want) {
        (void)err_set(err, 0, "not a key for %s", dkim_algorithm_name(algorithm));
        return NULL;
    }
    if (want == EVP_PKEY_RSA && EVP_PKEY_get_bits(pkey) < CRYPTO_RSA_MIN) {
        (void)err_set(err, 0, "an RSA key of less than %d bits", CRYPTO_RSA_MIN);
        return NULL;
    }
    k = mem_type(struct crypto_key);
    k->algorithm = algorithm;
    k->pkey = pkey;
    pkey = NULL;
    return k;
}

void crypto_key_free(struct crypto_key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->pkey);
    free(k);
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

int crypto_sign(const struct crypto_key *k, const unsigned char digest[DKIM_HASH_N],
                struct buf *out, struct err *err)
{
    unsigned char raw[DKIM_SIGNATURE_MAX];
    size_t n = sizeof(raw);
    int done = k->algorithm == DKIM_ED25519_SHA256 ? sign_ed25519(k, digest, raw, &n)
                                                   : sign_rsa(k, digest, raw, &n);

    if (!done)
        return crypto_err(err, "sign");
    buf_append_n(out, raw, n);
    return buf_check(out, "a signature", err);
}
