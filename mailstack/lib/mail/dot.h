/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dot - the data phase of SMTP, LMTP and POP3: dot-stuffing and the discipline of CRLF; pure
 *
 * Reading: only CRLF "." CRLF ends the data (or "." CRLF at its very start). A bare CR or LF never
 * does, so nobody smuggles a second message past us; it is passed on and `bare` tells the session,
 * which refuses the message. Works for any cut of the input.
 *
 * Writing: what comes out has CRLF at the end of each line and nowhere a bare CR or LF: a bare one
 * becomes CRLF.
 *
 * Tests:     tests/unit/mailstack/lib/mail/test_dot.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_dot.c
 */
#ifndef MR_MAIL_DOT_H
#define MR_MAIL_DOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;

struct dot_in {
    unsigned state;
    bool bare;       /* a bare CR or LF was seen */
    uint64_t size;   /* bytes given out */
    size_t line_n;   /* of the line under way */
    size_t line_max; /* longest line so far, without CRLF */
};

/* Consumes from in and appends the unstuffed bytes to out as far as out has room; *used is what was
 * consumed. True when the end was seen: bytes behind it are not consumed. If used < in.n and the
 * answer is false, out is full: empty it and go on. out->max must be at least 8. */
struct dot_in dot_in_start(void);
bool dot_in_feed(struct dot_in *d, struct str in, size_t *used, struct buf *out);

struct dot_out {
    char last; /* the last byte written: '\n' at a line's start, '\r' after a bare CR so far */
};

struct dot_out dot_out_start(void);
void dot_out_feed(struct dot_out *d, struct str in, struct buf *out);
void dot_out_end(struct dot_out *d, struct buf *out); /* the last line end, "." CRLF */
/* Upper bound of what dot_out_feed appends for n bytes. */
#define DOT_OUT_MAX(n) (2 * (n) + 2)

#endif
