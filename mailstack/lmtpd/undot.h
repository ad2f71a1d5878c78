/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undot - the end of a message after DATA, and the dots in front of its lines (RFC 5321, 4.5.2)
 *
 * Only CRLF "." CRLF ends a message, and a dot is only taken away behind a CRLF: a bare CR or LF is
 * content (SMTP smuggling).
 *
 * Tests:     tests/unit/mailstack/lmtpd/test_undot.c
 * Fuzz:      tests/fuzz/mailstack/lmtpd/fuzz_undot.c
 */
#ifndef MR_LMTPD_UNDOT_H
#define MR_LMTPD_UNDOT_H

#include <stdbool.h>

#include "runtime/base/str.h"

enum undot_state {
    UNDOT_LINE_START, /* the state of a zeroed struct: a message begins with a line */
    UNDOT_INSIDE,
    UNDOT_CR,
    UNDOT_DOT,
    UNDOT_DOT_CR,
};

struct undot {
    enum undot_state state;
};

/* Takes bytes from *in and gives the next piece of content, which may look into `in` or a literal
 * and may be empty. true: the message has ended, *in stands behind its end, *out is empty. Call
 * while in->n > 0. */
bool undot_next(struct undot *u, struct str *in, struct str *out);

#endif
