/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode - base64 and quoted-printable (RFC 2045 section 6), streaming; pure
 *
 * Input comes in pieces cut anywhere. Decoding never fails: base64 skips what is not in its
 * alphabet and takes padding as the end of a run, quoted-printable passes malformed escapes
 * through; `flawed` says that it happened.
 *
 *     struct decode d = decode_start(DECODE_BASE64);
 *     decode_feed(&d, piece, &out); ...
 *     decode_end(&d, &out);
 *
 * Limits:    the output is never longer than the input plus DECODE_HELD_MAX.
 * Tests:     tests/unit/mailstack/lib/mail/test_decode.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_decode.c
 */
#ifndef MR_MAIL_DECODE_H
#define MR_MAIL_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/str.h"

struct buf;

#define DECODE_HELD_MAX \
    256 /* white space at a line's end is held back until it is known to be none */

enum decode_kind {
    DECODE_NONE, /* 7bit, 8bit, binary: as it is */
    DECODE_BASE64,
    DECODE_QUOTED,   /* quoted-printable */
    DECODE_Q_HEADER, /* the Q encoding of RFC 2047: '_' is a space */
};

struct decode {
    enum decode_kind kind;
    bool flawed;
    uint32_t bits; /* base64: what is collected */
    unsigned bits_n;
    char held[DECODE_HELD_MAX]; /* quoted: "=", "=X", or white space */
    size_t held_n;
};

struct decode decode_start(enum decode_kind kind);
void decode_feed(struct decode *d, struct str in, struct buf *out);
void decode_end(struct decode *d, struct buf *out);

/* All at once. */
void decode_all(enum decode_kind kind, struct str in, struct buf *out);

#endif
