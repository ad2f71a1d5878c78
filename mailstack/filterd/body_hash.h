/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body_hash - the hash of a body in a canonical form, of its first bytes only if so wanted
 *
 * Tests:     tests/unit/mailstack/filterd/test_body_hash.c
 */
#ifndef MR_FILTERD_BODY_HASH_H
#define MR_FILTERD_BODY_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

#include "mailstack/lib/mail/canon.h"
#include "mailstack/lib/mail/dkim.h"

struct crypto_hash;

struct body_hash {
    enum canon_kind kind;
    uint64_t max;   /* UINT64_MAX: all of it */
    uint64_t total; /* bytes of the canonical form */
    struct canon_body canon;
    struct crypto_hash *hash;
    unsigned char result[DKIM_HASH_N]; /* after body_hash_end */
};

void body_hash_init(struct body_hash *b, enum canon_kind kind, uint64_t max);
void body_hash_feed(struct body_hash *b, struct str piece);
void body_hash_end(struct body_hash *b);
void body_hash_done(struct body_hash *b); /* a zeroed one is fine */

#endif
