/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyder - the numbers in keys of DKIM: RSA and Ed25519, in DER and PEM; pure
 *
 * Public: SubjectPublicKeyInfo (RFC 5280) or a bare RSAPublicKey (RFC 8017), as both stand in DNS.
 * Private: PKCS #8 (RFC 5958, 8410) or a bare RSAPrivateKey. libcrypto reads all of this too, but
 * through decoders that cost a daemon two megabytes; what DKIM needs are these few forms.
 *
 * Numbers are big-endian, without the zero in front that DER's sign asks for.
 *
 * Lifetime:  views look into the given bytes.
 * Errors:    lengths that are indefinite or not the shortest, negative numbers, other versions,
 *            other algorithms, bytes left over.
 * Tests:     tests/unit/mailstack/lib/mail/test_keyder.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_keyder.c
 */
#ifndef MR_MAIL_KEYDER_H
#define MR_MAIL_KEYDER_H

#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;

#define KEYDER_NUMBERS 8 /* n, e, d, p, q, d mod p-1, d mod q-1, 1/q mod p */
#define KEYDER_SEED_N  32

enum keyder_kind {
    KEYDER_RSA,
    KEYDER_ED25519,
};

struct keyder {
    enum keyder_kind kind;
    struct str rsa[KEYDER_NUMBERS]; /* of a public key the first two */
    struct str seed;                /* Ed25519: KEYDER_SEED_N bytes */
};

must_check int keyder_public(struct str der, struct keyder *out, struct err *err);
must_check int keyder_private(struct str der, struct keyder *out, struct err *err);

/* Bits of n. */
size_t keyder_bits(const struct keyder *k);

/* Appends the bytes of the first PRIVATE KEY or RSA PRIVATE KEY; encrypted ones are not read. */
must_check int keyder_unpem(struct str pem, struct buf *der, struct err *err);

#endif
