/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spf_check - may this client send for this domain? check_host() of RFC 7208 section 4
 *
 * Explanations (exp=) are not fetched: the reply to a sender is ours, never a stranger's text.
 *
 * Limits:    SPF_LOOKUPS_MAX terms that ask DNS, SPF_VOIDS_MAX of them without an answer,
 *            SPF_NAMES_MAX hosts of an mx or names of a ptr (section 4.6.4).
 * Tests:     tests/unit/mailstack/filterd/test_spf_check.c; tests/mail/test_spf_suite.py
 * Fuzz:      tests/fuzz/mailstack/filterd/fuzz_spf_check.c
 */
#ifndef MR_FILTERD_SPF_CHECK_H
#define MR_FILTERD_SPF_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"

#include "mailstack/lib/mail/spf.h"

struct lookup;

#define SPF_LOOKUPS_MAX 10
#define SPF_VOIDS_MAX   2
#define SPF_NAMES_MAX   10
#define SPF_WHY_MAX     160

struct spf_question {
    struct str sender; /* the path of MAIL without brackets; empty: the HELO name is checked */
    struct str helo;
    unsigned char addr[SPF_ADDR_MAX];
    size_t addr_n; /* 4 or 16; IPv4 within IPv6 is IPv4 */
};

struct spf_outcome {
    enum spf_result result;
    char why[SPF_WHY_MAX]; /* of an error */
};

/* false: answers are wanted, run it again when one has come. */
bool spf_check(const struct spf_question *q, struct lookup *l, struct spf_outcome *out);
/* The domain that is checked: a view. */
struct str spf_domain(const struct spf_question *q);

#endif
