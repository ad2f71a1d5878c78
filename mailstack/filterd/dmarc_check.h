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

#define DMARC_CHECK_DOMAINS_MAX 8

enum dmarc_result {
    DMARC_NONE,
    DMARC_PASS,
    DMARC_FAIL,
    DMARC_TEMPERROR,
    DMARC_PERMERROR,
};

const char *dmarc_result_name(enum dmarc_result r);

struct dmarc_question {
    struct str from;                                  /* the domain of From */
    struct str spf_domain;                            /* that passed; empty: none */
    struct str dkim_domains[DMARC_CHECK_DOMAINS_MAX]; /* of signatures that passed */
    size_t dkim_n;
    bool unsure; /* SPF or a key could not be looked up: no "fail" from that */
};

struct dmarc_outcome {
    enum dmarc_result result;
    enum dmarc_policy policy; /* what applies to this domain, t=y considered */
};

/* false: answers are wanted, run it again when one has come. */
bool dmarc_check(const struct dmarc_question *q, struct lookup *l, struct dmarc_outcome *out);

#endif
