/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto - the hashes and signatures of DKIM, by libcrypto
 *
 * Tests:     tests/unit/mailstack/filterd/test_crypto.c
 */
#ifndef MR_FILTERD_CRYPTO_H
#define MR_FILTERD_CRYPTO_H

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/mail/dkim.h"

struct buf;
struct err;

#define CRYPTO_RSA_MIN 1024 /* bits; RFC 8301: weaker signatures are as good as none */
#define CRYPTO_RSA_MAX 8192 /* a signature may not cost us a second */

/* SHA-256, piece by piece. */
struct crypto_hash;
must_check struct crypto_hash *crypto_hash_new(void);
void crypto_hash_free(struct crypto_hash *h); /* NULL is fine */
void crypto_hash_feed(struct crypto_hash *h, struct str bytes);
void crypto_hash_end(struct crypto_hash *h, unsigned char out[DKIM_HASH_N]);
void crypto_hash_all(struct str bytes, unsigned char out[DKIM_HASH_N]);

enum crypto_verdict {
    CRYPTO_GOOD,
    CRYPTO_BAD,     /* the signature is not of these bytes by this key */
    CRYPTO_NO_KEY,  /* the key's bytes are no key */
    CRYPTO_WEAK,    /* RSA of less than CRYPTO_RSA_MIN bits */
    CRYPTO_TOO_BIG, /* or of more than CRYPTO_RSA_MAX */
};

/* `digest` is SHA-256 of what was signed; *bits is the size of the key, where there is one. */
enum crypto_verdict crypto_verify(const struct dkim_key *key,
                                  const unsigned char digest[DKIM_HASH_N], struct str signature,
                                  unsigned *bits);

/* A private key in PEM form. It is checked here, and handed to libcrypto when it is first used. */
struct crypto_key;
must_check struct crypto_key *crypto_key_load(struct str pem, enum dkim_algorithm algorithm,
                                              struct err *err);
void crypto_key_free(struct crypto_key *k); /* NULL is fine */
/* Appends the raw signature. */
must_check int crypto_sign(struct crypto_key *k, const unsigned char digest[DKIM_HASH_N],
                           struct buf *out, struct err *err);

#endif
