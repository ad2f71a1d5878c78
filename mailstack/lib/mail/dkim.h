/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dkim - DKIM signatures and key records as structs, and the bytes that are signed (RFC 6376, 8301,
 * 8463); pure: no DNS, no cryptography
 *
 * Lifetime:  views look into the given texts.
 * Limits:    DKIM_NAMES_MAX names in h=, DKIM_SIGNATURE_MAX and DKIM_KEY_MAX bytes once decoded.
 * Tests:     tests/unit/mailstack/lib/mail/test_dkim.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_dkim.c
 */
#ifndef MR_MAIL_DKIM_H
#define MR_MAIL_DKIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/mail/canon.h"

struct buf;
struct err;
struct header_field;

#define DKIM_NAMES_MAX     256  /* each is looked for among all fields */
#define DKIM_SIGNATURE_MAX 1024 /* of an RSA key of 8192 bits */
#define DKIM_KEY_MAX       1100 /* the same key in DER */
#define DKIM_HASH_N        32   /* SHA-256 */

enum dkim_algorithm {
    DKIM_RSA_SHA256,
    DKIM_ED25519_SHA256,
    DKIM_RSA_SHA1, /* is known, and no longer worth anything (RFC 8301) */
};

const char *dkim_algorithm_name(enum dkim_algorithm a); /* "rsa-sha256" */

struct dkim_signature {
    enum dkim_algorithm algorithm;
    enum canon_kind header_canon;
    enum canon_kind body_canon;
    struct str domain;   /* d= */
    struct str selector; /* s= */
    struct str identity; /* i=, or p == NULL */
    struct str names;    /* h= */
    bool has_length;
    uint64_t length; /* l= */
    int64_t time_s;  /* t=, or -1 */
    int64_t until_s; /* x=, or -1 */
    struct str b;    /* as written, with the white space around it, for the hash */
    unsigned char hash[DKIM_HASH_N];
    size_t hash_n; /* bh=; 20 of SHA-1 */
    unsigned char bytes[DKIM_SIGNATURE_MAX];
    size_t bytes_n; /* b= */
};

/* The value of a DKIM-Signature field. */
must_check int dkim_parse_signature(struct str value, struct dkim_signature *out, struct err *err);

enum dkim_key_kind {
    DKIM_KEY_RSA,
    DKIM_KEY_ED25519,
};

struct dkim_key {
    enum dkim_key_kind kind;
    bool revoked; /* p= is empty */
    bool sha256;  /* h= allows it */
    bool mail;    /* s= allows it */
    bool strict;  /* t=s: i= must be of the very domain of d= */
    bool testing; /* t=y */
    unsigned char bytes[DKIM_KEY_MAX];
    size_t bytes_n;
};

must_check int dkim_parse_key(struct str record, struct dkim_key *out, struct err *err);

/* Is this the key's signature to make: kind, hash, service, domain? The reason is in err. */
must_check int dkim_key_fits(const struct dkim_key *k, const struct dkim_signature *s,
                             struct err *err);

/* Appends what the signature signs: the fields that h= names, each name's from the bottom up, and
 * the signature's own field with an empty b= and without its CRLF. `own` is the whole field, with
 * the bytes that s->b looks into. */
void dkim_signed_bytes(const struct dkim_signature *s, struct str own,
                       const struct header_field *fields, size_t fields_n, struct buf *out);

/* --- making one --- */

struct dkim_making {
    enum dkim_algorithm algorithm; /* relaxed/relaxed */
    struct str domain;
    struct str selector;
    int64_t time_s;
    struct str body_hash; /* raw */
};

/* Appends a DKIM-Signature field, folded, up to and with "b=". h= names the fields that are there
 * and are worth it, From once more than it occurs, so that none can be added. */
void dkim_format(const struct dkim_making *m, const struct header_field *fields, size_t fields_n,
                 struct buf *out);
/* Appends what is to be signed for such a field. */
must_check int dkim_bytes_to_sign(struct str field, const struct header_field *fields,
                                  size_t fields_n, struct buf *out, struct err *err);
/* Appends the signature's base64, folded, and CRLF. */
void dkim_format_signature(struct str signature, struct buf *out);

/* Is `domain` the same as, or beneath, `above`? */
bool dkim_is_beneath(struct str domain, struct str above);
/* Letters, digits, hyphens and underscores in labels of 1 to 63, 253 bytes at most. */
bool dkim_is_domain(struct str s);

#endif
