/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dovecot_auth - lines of Dovecot's auth protocol, client side as of version 1.2; pure
 *
 * A line is a command and its fields, separated by TAB and ended by LF. Within a field the bytes
 * NUL, 0x01, TAB, CR and LF are written as 0x01 and one of "01trn". Both ends of the conversation
 * use this: authd reads what the client (ours, Postfix's, Exim's) writes, and the other way round.
 *
 *     server: VERSION 1 2 / MECH PLAIN plaintext / SPID n / CUID n / COOKIE hex / DONE
 *     client: VERSION 1 2 / CPID n
 *     client: AUTH id mech service=smtp [secured] [rip=..] [lip=..] [nologin] resp=base64
 *     client: CONT id base64
 *     server: OK id user=.. quota=.. | FAIL id user=.. [temp] [reason=..] | CONT id base64
 *
 * Limits:    a line is at most DOVECOT_LINE_MAX bytes, with DOVECOT_FIELDS_MAX fields.
 * Tests:     tests/unit/mailstack/lib/proto/test_dovecot_auth.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_dovecot_auth.c
 */
#ifndef MR_PROTO_DOVECOT_AUTH_H
#define MR_PROTO_DOVECOT_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/proto/parse.h"

struct buf;
struct err;

#define DOVECOT_LINE_MAX   8192 /* Dovecot's own AUTH_CLIENT_MAX_LINE_LENGTH */
#define DOVECOT_FIELDS_MAX 64

struct dovecot_line {
    size_t n;
    struct str field[DOVECOT_FIELDS_MAX]; /* still escaped; field[0] is the command */
};

must_check enum parse_result dovecot_auth_parse(struct str in, struct dovecot_line *out,
                                                size_t *used, struct err *err);
/* The value of "key=value" among the fields from `from` on, or of a bare "key" (empty, p not NULL).
 */
bool dovecot_auth_get(const struct dovecot_line *l, size_t from, const char *key, struct str *out);
must_check int dovecot_auth_unescape(struct str in, struct buf *out, struct err *err);

/* Building a line: the command, then fields, then dovecot_auth_end. A key of NULL: only the value.
 */
void dovecot_auth_begin(struct buf *to, const char *command);
void dovecot_auth_field(struct buf *to, const char *key, struct str value);
void dovecot_auth_end(struct buf *to);

#endif
