/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dkim_verify - checks a message's DKIM signatures (RFC 6376 section 6)
 *
 * The signatures are known when the header is; the body is hashed as it goes by, once for each
 * distinct way of hashing it; keys come through lookup.h.
 *
 * A signature whose l= leaves part of the body unsigned is "policy", not "pass": what follows could
 * be anybody's (RFC 6376 section 8.2).
 *
 * Limits:    the first DKIM_VERIFY_MAX signatures from the top; the rest is not looked at.
 * Lifetime:  in place; refers to the message's header and arena. dkim_verify_done.
 * Tests:     tests/unit/mailstack/filterd/test_dkim_verify.c
 */
#ifndef MR_FILTERD_DKIM_VERIFY_H
#define MR_FILTERD_DKIM_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"

#include "mailstack/filterd/body_hash.h"
#include "mailstack/lib/mail/dkim.h"

struct arena;
struct header_field;
struct lookup;

#define DKIM_VERIFY_MAX     8
#define DKIM_VERIFY_WHY_MAX 120
#define DKIM_VERIFY_SKEW_S  86400 /* a clock may be wrong by this */

enum dkim_result { /* RFC 8601 section 2.7.1 */
    DKIM_NONE,
    DKIM_PASS,
    DKIM_FAIL,
    DKIM_POLICY,
    DKIM_NEUTRAL,
    DKIM_TEMPERROR,
    DKIM_PERMERROR,
};

const char *dkim_result_name(enum dkim_result r);

struct dkim_verify_one {
    const struct header_field *field;
    struct dkim_signature *signature; /* NULL: it could not be read */
    size_t body;                      /* which of the hashes */
    bool decided;
    enum dkim_result result;
    unsigned bits;
    char why[DKIM_VERIFY_WHY_MAX];
};

struct dkim_verify {
    const struct header_field *fields;
    size_t fields_n;
    struct dkim_verify_one at[DKIM_VERIFY_MAX];
    size_t n;
    struct body_hash bodies[DKIM_VERIFY_MAX];
    size_t bodies_n;
};

void dkim_verify_init(struct dkim_verify *v, const struct header_field *fields, size_t fields_n,
                      struct arena *a);
void dkim_verify_body(struct dkim_verify *v, struct str piece);
void dkim_verify_end(struct dkim_verify *v); /* of the body */
/* Asks for keys and decides what can be decided; false: not all yet. */
bool dkim_verify_run(struct dkim_verify *v, struct lookup *l);
void dkim_verify_done(struct dkim_verify *v);

#endif
