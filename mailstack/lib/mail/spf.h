/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spf - SPF records and their macros (RFC 7208 sections 4.6, 5, 6, 7); pure: no DNS
 *
 * Lifetime:  a record lives in the arena and looks into its text.
 * Limits:    SPF_TERMS_MAX terms; an expanded name is cut from the left to SPF_NAME_MAX.
 * Errors:    any syntax error in a record is one of the whole record ("permerror").
 * Tests:     tests/unit/mailstack/lib/mail/test_spf.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_spf.c
 */
#ifndef MR_MAIL_SPF_H
#define MR_MAIL_SPF_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct buf;
struct err;

#define SPF_TERMS_MAX 2000
#define SPF_NAME_MAX  253
#define SPF_ADDR_MAX  16

enum spf_result {
    SPF_NONE,
    SPF_NEUTRAL,
    SPF_PASS,
    SPF_FAIL,
    SPF_SOFTFAIL,
    SPF_TEMPERROR,
    SPF_PERMERROR,
};

const char *spf_result_name(enum spf_result r); /* "softfail" */

enum spf_mechanism {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
};

struct spf_term {
    enum spf_mechanism mechanism;
    enum spf_result qualifier;
    struct str domain; /* with its macros; n == 0: the present domain */
    unsigned char addr[SPF_ADDR_MAX];
    unsigned prefix4; /* 32 where none is given */
    unsigned prefix6; /* 128 */
};

struct spf_record {
    struct spf_term *terms;
    size_t terms_n;
    struct str redirect; /* p == NULL: none */
    bool has_all;        /* then redirect is not followed */
};

/* Is this TXT record one of SPF? ("v=spf1", alone or with a space behind) */
bool spf_is_record(struct str txt);
must_check int spf_parse(struct str txt, struct arena *a, struct spf_record *out, struct err *err);

struct spf_macros {
    struct str local;  /* of the sender; "postmaster" where it has none */
    struct str sender; /* its domain */
    struct str domain; /* the present one */
    struct str helo;
    struct str validated; /* the client's name, or "unknown" */
    unsigned char addr[SPF_ADDR_MAX];
    size_t addr_n; /* 4 or 16 */
};

/* Does it hold a %{p}, for which the client's name must be looked up? */
bool spf_wants_name(struct str spec);
/* Appends the expanded domain. `spec` is of a parsed record, so that its syntax is right. */
void spf_expand(struct str spec, const struct spf_macros *m, struct buf *out);

/* Can it be asked for: labels of 1 to 63 bytes, two of them at least, 253 bytes in all? */
bool spf_is_name(struct str s);
/* Are the first n bits the same? */
bool spf_same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits);

#endif
