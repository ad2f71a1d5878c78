/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pop3_cmd - parse one POP3 command line (RFC 1939 section 3, RFC 2449 section 4)
 *
 * Limits:    a line is at most POP3_LINE_MAX bytes with CRLF (RFC 2449 says 255; AUTH's initial
 *            response needs more); a bare CR or LF, or a NUL, is an error; at most two arguments,
 *            but the rest of PASS is one.
 * Lifetime:  the views look into the caller's buffer.
 * Tests:     tests/unit/mailstack/lib/proto/test_pop3_cmd.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_pop3_cmd.c
 */
#ifndef MR_PROTO_POP3_CMD_H
#define MR_PROTO_POP3_CMD_H

#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/proto/parse.h"

struct err;

#define POP3_LINE_MAX 4096
#define POP3_ARGS_MAX 2

struct pop3_cmd {
    struct str verb; /* as sent; compare without case */
    struct str rest; /* everything behind the verb's space, for PASS */
    struct str args[POP3_ARGS_MAX];
    size_t args_n; /* POP3_ARGS_MAX + 1 if there were more */
};

/* On PARSE_ERROR *used bytes end the bad line, or 0 if its end is not known: close the connection.
 */
must_check enum parse_result pop3_cmd_parse(struct str in, struct pop3_cmd *out, size_t *used,
                                            struct err *err);

#endif
