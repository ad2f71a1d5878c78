/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imap_envelope - ENVELOPE of a message (RFC 3501 section 7.4.2); pure
 *
 * Tests:     tests/unit/mailstack/lib/proto/test_imap_envelope.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_imap_envelope.c
 */
#ifndef MR_PROTO_IMAP_ENVELOPE_H
#define MR_PROTO_IMAP_ENVELOPE_H

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct buf;
struct err;

/* Appends the parenthesised list, without the word ENVELOPE. `header` may be the whole message. The
 * arena is for scratch. */
must_check int imap_envelope_format(struct buf *to, struct str header, struct arena *scratch,
                                    struct err *err);

#endif
