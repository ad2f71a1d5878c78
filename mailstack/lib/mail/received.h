/* SPDX-License-Identifier: Apache-2.0 */
/*
 * received - the trace field a server adds (RFC 5321 section 4.4, RFC 8601 apart); pure
 *
 * The formatter cannot be talked into a second header: what a peer said is reduced to printable
 * characters.
 *
 * Tests:     tests/unit/mailstack/lib/mail/test_received.c
 */
#ifndef MR_MAIL_RECEIVED_H
#define MR_MAIL_RECEIVED_H

#include <stdint.h>

#include "runtime/base/str.h"

struct buf;

#define RECEIVED_HOPS_MAX 50 /* more Received fields are taken for a loop */

/* Empty fields are left out, with what belongs to them. */
struct received {
    struct str helo;        /* what the client called itself */
    struct str client_name; /* its verified name; empty: "unknown" */
    struct str client_addr; /* numeric: "192.0.2.1", "2001:db8::1" */
    struct str by;          /* our name */
    struct str with;        /* "ESMTPSA", "LMTP", ... (RFC 3848, 6531) */
    struct str tls;         /* "TLSv1.3 cipher NAME" for a comment */
    struct str id;
    struct str rcpt; /* the recipient, if there is just one: others must not learn of each other */
    int64_t unix_s;
};

/* Appends the whole field, "Received: ...", folded, with its CRLF. */
void received_format(struct buf *out, const struct received *r);

#endif
