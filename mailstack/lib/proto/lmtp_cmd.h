/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmtp_cmd - parse one LMTP command line (RFC 2033; RFC 5321 section 4.1) of a delivering peer
 *
 * The line comes without its CRLF. A path is taken apart: a source route is dropped, a quoted local
 * part unquoted. Unknown parameters are an error, as RFC 5321 wants it.
 *
 * Limits:    LMTP_LINE_MAX bytes a line; LMTP_ADDR_MAX bytes an address.
 * Lifetime:  addresses are copied into the struct, nothing looks into the line.
 * Tests:     tests/unit/mailstack/lib/proto/test_lmtp_cmd.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_lmtp_cmd.c
 */
#ifndef MR_PROTO_LMTP_CMD_H
#define MR_PROTO_LMTP_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define LMTP_LINE_MAX 4096
#define LMTP_ADDR_MAX 512
#define LMTP_NO_QUOTA UINT64_MAX

enum lmtp_verb {
    LMTP_LHLO,
    LMTP_MAIL,
    LMTP_RCPT,
    LMTP_DATA,
    LMTP_BDAT,
    LMTP_RSET,
    LMTP_NOOP,
    LMTP_VRFY,
    LMTP_QUIT,
    LMTP_UNKNOWN,
};

struct lmtp_cmd {
    enum lmtp_verb verb;
    char addr[LMTP_ADDR_MAX + 1]; /* MAIL, RCPT: without brackets; "" for the null sender */
    uint64_t size;                /* SIZE of MAIL, 0 if absent; bytes of BDAT */
    uint64_t quota;               /* XQUOTA of RCPT, or LMTP_NO_QUOTA */
    bool last;                    /* BDAT n LAST */
};

/* -1: a syntax error; err->text is fit for a 501 reply. */
must_check int lmtp_cmd_parse(struct str line, struct lmtp_cmd *out, struct err *err);

#endif
