/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_path - the paths of MAIL and RCPT (RFC 5321 section 4.1.2, RFC 6531); pure
 *
 * "<@relay:"Al"@Example.ORG>" becomes al@example.org's canonical text: the source route dropped,
 * the local part quoted only where it must be, the domain in lower case. The local part keeps its
 * case.
 *
 * Limits:    local part SMTP_LOCAL_MAX, domain SMTP_DOMAIN_MAX bytes; no control characters.
 * Tests:     tests/unit/mailstack/lib/proto/test_smtp_path.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_smtp_path.c
 */
#ifndef MR_PROTO_SMTP_PATH_H
#define MR_PROTO_SMTP_PATH_H

#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define SMTP_LOCAL_MAX  64
#define SMTP_DOMAIN_MAX 255
#define SMTP_PATH_MAX   (2 * SMTP_LOCAL_MAX + 2 + 1 + SMTP_DOMAIN_MAX) /* all of it quoted */

enum {
    SMTP_PATH_NULL = 1,       /* "<>" is allowed */
    SMTP_PATH_UTF8 = 2,       /* SMTPUTF8 was given */
    SMTP_PATH_POSTMASTER = 4, /* "<postmaster>" without a domain is allowed */
};

struct smtp_path {
    size_t n;
    size_t local_n; /* of text, with quotes; the '@' stands there if there is a domain */
    char text[SMTP_PATH_MAX + 1]; /* without brackets, terminated */
};

/* Reads a path at the start of `in`; *used: its length with the brackets. -1: err->code is EILSEQ
 * where the address needs SMTPUTF8, else EINVAL; its text is fit for a reply. */
must_check int smtp_path_parse(struct str in, unsigned flags, struct smtp_path *out, size_t *used,
                               struct err *err);

struct str smtp_path_str(const struct smtp_path *p);
struct str smtp_path_local(const struct smtp_path *p);  /* as in text: perhaps quoted */
struct str smtp_path_domain(const struct smtp_path *p); /* empty if there is none */

#endif
