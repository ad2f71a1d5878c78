/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canon - canonical forms of header fields and bodies for DKIM (RFC 6376 section 3.4); pure
 *
 * A body is fed in pieces cut anywhere; what comes out, through `out`, is the same however it was
 * cut. Only CRLF ends a line; a lone CR or LF is an ordinary byte. Nothing is buffered: empty lines
 * that may turn out to be the last ones are counted, not kept.
 *
 * Tests:     tests/unit/mailstack/lib/mail/test_canon.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_canon.c
 */
#ifndef MR_MAIL_CANON_H
#define MR_MAIL_CANON_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"

struct buf;

enum canon_kind {
    CANON_SIMPLE,
    CANON_RELAXED,
};

struct canon_body {
    enum canon_kind kind;
    void (*out)(void *ctx, struct str bytes);
    void *ctx;
    size_t lines_n; /* line ends held back: the last ones of a body are left out */
    bool space;     /* white space held back: at the end of a line it is left out */
    bool cr;        /* a CR that may be half of a line end */
    bool any;       /* something came out */
};

struct canon_body canon_body_start(enum canon_kind kind, void (*out)(void *ctx, struct str bytes),
                                   void *ctx);
void canon_body_feed(struct canon_body *c, struct str in);
void canon_body_end(struct canon_body *c);

/* Appends the field, given with its folds and its final CRLF, in canonical form with a CRLF. */
void canon_header(enum canon_kind kind, struct str field, struct buf *out);

#endif
