/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imap_bodystructure - BODY and BODYSTRUCTURE of a message (RFC 3501 section 7.4.2); pure
 *
 * Sizes are those of the wire: with CRLF line ends, however the message is stored.
 *
 * Tests:     tests/unit/mailstack/lib/proto/test_imap_bodystructure.c
 */
#ifndef MR_PROTO_IMAP_BODYSTRUCTURE_H
#define MR_PROTO_IMAP_BODYSTRUCTURE_H

#include "runtime/base/attr.h"

struct arena;
struct buf;
struct err;
struct mime_part;

enum imap_bodystructure_kind {
    IMAP_BODY,          /* without extension data */
    IMAP_BODYSTRUCTURE, /* with it */
};

/* Appends the parenthesised list, without the word. The arena is for scratch (envelopes). */
must_check int imap_bodystructure_format(struct buf *to, const struct mime_part *root,
                                         enum imap_bodystructure_kind kind, struct arena *scratch,
                                         struct err *err);

#endif
