/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dmarc_check - does what SPF and DKIM found speak for the domain of From? (RFC 9989)
 *
 * The organizational domain is found by the DNS tree walk. What the domain's owner wishes to happen
 * to a failure is reported; what does happen is the engine's decision.
 *
 * Tests:     tests/unit/mailstack/filterd/test_dmarc_check.c
 */
#ifndef MR_FILTERD_DMARC_CHECK_H
#define MR_FILTERD_DMARC_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"

#include "mailstack/lib/mail/dmarc.h"

struct lookup;

#define DMARC_CHECK_MAX 9 /* SPF, and as many signatures as are verified */

enum dmarc_result {
    DMARC_NONE,
    DMARC_PASS,
    DMARC_FAIL,
    DMARC_TEMPERROR,
    DMARC_PERMERROR,
};

const char *dmarc_result_name(enum dmarc_result r);

/* A domain that SPF or DKIM found to be behind the message. */
struct dmarc_identity {
    struct str domain;
    bool is_spf;
    bool unsure; /* it could not be looked up: perhaps it is, perhaps not */
};

struct dmarc_question {
    struct str from; /* the domain of From */
    struct dmarc_identity identities[DMARC_CHECK_MAX];
    size_t identities_n;
};

struct dmarc_outcome {
    enum dmarc_result result;
    enum dmarc_policy policy; /* what applies to this domain, t=y considered */
};

/* false: answers are wanted, run it again when one has come. */
bool dmarc_check(const struct dmarc_question *q, struct lookup *l, struct dmarc_outcome *out);

#endif
