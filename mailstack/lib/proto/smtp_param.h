/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_param - the arguments of MAIL and RCPT: a path and ESMTP parameters; pure
 *
 * Parameters: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), AUTH (RFC 4954; checked and
 * not used, as section 5 allows a server that trusts nobody), RET, ENVID, NOTIFY, ORCPT (RFC 3461).
 *
 * Errors:    err->code is EINVAL: the path (501 5.1.x), EILSEQ: it needs SMTPUTF8 (553 5.6.7),
 *            EBADMSG: a parameter's value, or one twice (501 5.5.4), ENOTSUP: an unknown parameter
 *            (555 5.5.4). The text is fit for the reply.
 * Limits:    SMTP_ENVID_MAX, SMTP_ORCPT_MAX (RFC 3461 section 4).
 * Lifetime:  envid and orcpt look into the line.
 * Tests:     tests/unit/mailstack/lib/proto/test_smtp_param.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_smtp_param.c
 */
#ifndef MR_PROTO_SMTP_PARAM_H
#define MR_PROTO_SMTP_PARAM_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/proto/smtp_path.h"

struct err;

#define SMTP_ENVID_MAX 100
#define SMTP_ORCPT_MAX 500

enum smtp_ret {
    SMTP_RET_UNSET,
    SMTP_RET_FULL,
    SMTP_RET_HDRS
};

enum {
    SMTP_NOTIFY_NEVER = 1,
    SMTP_NOTIFY_SUCCESS = 2,
    SMTP_NOTIFY_FAILURE = 4,
    SMTP_NOTIFY_DELAY = 8,
};

struct smtp_mail {
    struct smtp_path from; /* n == 0: the null sender */
    uint64_t size;         /* 0: not told */
    bool is_8bit;          /* BODY=8BITMIME */
    bool is_utf8;          /* SMTPUTF8 */
    enum smtp_ret ret;
    struct str envid; /* xtext, as given; p NULL: none */
};

struct smtp_rcpt {
    struct smtp_path to;
    unsigned notify;  /* 0: not told */
    struct str orcpt; /* "rfc822;xtext", as given; p NULL: none */
};

/* The arguments behind MAIL: "FROM:<a@b> SIZE=1". */
must_check int smtp_mail_parse(struct str args, struct smtp_mail *out, struct err *err);
/* Behind RCPT: "TO:<a@b>". is_utf8: MAIL had SMTPUTF8. */
must_check int smtp_rcpt_parse(struct str args, bool is_utf8, struct smtp_rcpt *out,
                               struct err *err);

/* "SUCCESS,DELAY" of the bits; "" for none. */
#define SMTP_NOTIFY_TEXT_MAX 32
void smtp_notify_format(unsigned notify, char out[SMTP_NOTIFY_TEXT_MAX]);

#endif
