/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_ehlo - what a server says it can do, in its reply to EHLO or LHLO (RFC 5321
 * section 4.1.1.1); pure
 *
 * Unknown keywords are passed over; a keyword that is said twice counts once.
 *
 * Tests:     tests/unit/mailstack/lib/proto/test_smtp_ehlo.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_smtp_ehlo.c
 */
#ifndef MR_PROTO_SMTP_EHLO_H
#define MR_PROTO_SMTP_EHLO_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

struct smtp_reply;

struct smtp_ehlo {
    bool pipelining;
    bool size;         /* SIZE was said */
    uint64_t size_max; /* 0: no fixed limit */
    bool eightbit;
    bool utf8;
    bool starttls;
    bool status_codes;
    bool dsn;
    bool auth_plain;
};

/* The reply's first line is the server's name: *name looks into the reply. */
void smtp_ehlo_read(const struct smtp_reply *r, struct smtp_ehlo *out, struct str *name);

#endif
