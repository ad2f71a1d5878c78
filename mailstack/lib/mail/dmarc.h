/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dmarc - DMARC policy records, and the steps of the DNS tree walk (RFC 9989); pure
 *
 * Tests:     tests/unit/mailstack/lib/mail/test_dmarc.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_dkim_tags.c
 */
#ifndef MR_MAIL_DMARC_H
#define MR_MAIL_DMARC_H

#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define DMARC_WALK_MAX 8 /* queries of one walk */

enum dmarc_policy {
    DMARC_NO_POLICY, /* not said */
    DMARC_POLICY_NONE,
    DMARC_POLICY_QUARANTINE,
    DMARC_POLICY_REJECT,
};

const char *dmarc_policy_name(enum dmarc_policy p); /* "quarantine" */

enum dmarc_psd {
    DMARC_PSD_UNKNOWN,
    DMARC_PSD_YES, /* a domain beneath which others register theirs */
    DMARC_PSD_NO,  /* this is the organization's domain */
};

struct dmarc_record {
    enum dmarc_policy policy;      /* p= */
    enum dmarc_policy subdomains;  /* sp=; the same as p= where it is not said */
    enum dmarc_policy nonexistent; /* np=; the same as sp= where it is not said */
    bool strict_dkim;
    bool strict_spf;
    bool testing; /* t=y: one step milder than it says */
    enum dmarc_psd psd;
};

/* -1: not a DMARC record. */
must_check int dmarc_parse(struct str txt, struct dmarc_record *out, struct err *err);

/* The next domain to ask about after `domain`: one label
 * less, or the last seven where there are more than eight. n == 0: the walk is over. */
struct str dmarc_walk_next(struct str domain);

#endif
