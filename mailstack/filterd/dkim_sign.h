/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dkim_sign - signs a submitted message with each key of the author's domain
 *
 * The keys are those of the longest domain that the domain of From is, or is beneath (relaxed
 * alignment): with keys for example.org and eu.example.org, mail from a@x.eu.example.org gets the
 * latter's signatures. relaxed/relaxed, From signed once more than it occurs.
 *
 * Lifetime:  in place; keys are the configuration's. dkim_sign_done.
 * Tests:     tests/unit/mailstack/filterd/test_dkim_sign.c
 */
#ifndef MR_FILTERD_DKIM_SIGN_H
#define MR_FILTERD_DKIM_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/filterd/body_hash.h"

struct buf;
struct crypto_key;
struct err;
struct header_field;

#define DKIM_SIGN_MAX 8 /* signatures in one message */

struct dkim_sign_key {
    char *domain;
    char *selector;
    enum dkim_algorithm algorithm;
    struct crypto_key *key;
};

struct dkim_sign {
    const struct dkim_sign_key *keys[DKIM_SIGN_MAX];
    size_t n; /* 0: nothing to do */
    struct body_hash body;
};

struct dkim_sign_fields { /* the message's header */
    const struct header_field *v;
    size_t n;
};

void dkim_sign_init(struct dkim_sign *s, const struct dkim_sign_key *keys, size_t keys_n,
                    struct str from_domain);
void dkim_sign_body(struct dkim_sign *s, struct str piece);
void dkim_sign_end(struct dkim_sign *s); /* of the body */
/* Appends the value of the i-th DKIM-Signature field, with the space behind the colon, folded by
 * LF. */
must_check int dkim_sign_make(const struct dkim_sign *s, size_t i, struct dkim_sign_fields fields,
                              int64_t now_s, struct buf *out, struct err *err);
void dkim_sign_done(struct dkim_sign *s);

#endif
