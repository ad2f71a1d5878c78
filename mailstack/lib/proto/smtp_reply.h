/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_reply - a reply of an SMTP or LMTP server, as its client reads it (RFC 5321 section 4.2);
 * pure
 *
 * One or more lines "250-text", the last one "250 text" (or "250"). A line may end in a bare LF: we
 * are the client here, and nothing of a reply is passed on as a line.
 *
 * Limits:    a reply is at most SMTP_REPLY_MAX bytes.
 * Lifetime:  views look into the caller's buffer.
 * Tests:     tests/unit/mailstack/lib/proto/test_smtp_reply.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_smtp_reply.c
 */
#ifndef MR_PROTO_SMTP_REPLY_H
#define MR_PROTO_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/proto/parse.h"

struct err;

#define SMTP_REPLY_MAX 16384

struct smtp_reply {
    unsigned code;   /* 200 .. 599 */
    struct str text; /* of the last line, behind the code */
    struct str all;  /* every line */
};

must_check enum parse_result smtp_reply_parse(struct str in, struct smtp_reply *out, size_t *used,
                                              struct err *err);
/* Takes the text of the next line off *all; false at the end. */
bool smtp_reply_line(struct str *all, struct str *text);

/* The enhanced status code (RFC 2034) in front of a text: "5.1.1 no such user" gives "5.1.1", and
 * *rest what follows it. Empty, with *rest the text, if there is none of that class. */
struct str smtp_reply_status(unsigned code, struct str text, struct str *rest);

#endif
