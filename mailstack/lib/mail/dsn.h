/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsn - delivery status notifications: multipart/report (RFC 3464, 6522, 6533); pure
 *
 * Three parts: a text for people, message/delivery-status for programs, and the original message or
 * its header. Everything a remote server said is reduced to printable characters and folded.
 *
 * Errors:    the buffer's (buf_check): its max is the limit.
 * Tests:     tests/unit/mailstack/lib/mail/test_dsn.c
 */
#ifndef MR_MAIL_DSN_H
#define MR_MAIL_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/str.h"

struct buf;

enum dsn_action {
    DSN_FAILED,
    DSN_DELAYED,
    DSN_DELIVERED,
    DSN_RELAYED,
    DSN_EXPANDED
};

struct dsn_recipient {
    struct str address;  /* the address that was tried */
    struct str original; /* ORCPT as given, "rfc822;a@b" (xtext decoded); may be empty */
    enum dsn_action action;
    struct str status;     /* "5.1.1"; empty: made from the action */
    struct str diagnostic; /* what the remote server said, "550 5.1.1 no such user"; may be empty */
    struct str remote_mta; /* its name; may be empty */
    struct str reason;     /* for people, where no server said anything: "no MX host answers" */
    int64_t last_attempt_s; /* 0: not told */
    int64_t retry_until_s;  /* DSN_DELAYED: until when it is tried; 0: not told */
};

struct dsn {
    struct str hostname; /* the reporting MTA */
    struct str to;       /* the envelope sender, who gets it */
    struct str envid;    /* ENVID, decoded; may be empty */
    struct str queue_id; /* for the text, Message-ID and boundary; unique */
    int64_t arrival_s;
    int64_t now_s;
    const struct dsn_recipient *rcpts;
    size_t rcpts_n;
    struct str message; /* the original, or at least its header; CRLF or LF */
    bool whole;         /* RET=FULL: all of it, else its header only */
    bool smtputf8;      /* the original needed SMTPUTF8 */
};

/* Appends the whole message, CRLF at the ends of lines; to be sent from <>. */
void dsn_format(struct buf *out, const struct dsn *d);

#endif
