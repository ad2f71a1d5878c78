/* SPDX-License-Identifier: Apache-2.0 */
/*
 * envelope - ENVELOPE and BODYSTRUCTURE as IMAP writes them (RFC 3501, 7.4.2); pure
 *
 * Limits:    what the parsers of mailstack/lib/mail allow; a failure of theirs is the arena's
 * limit. Tests:     tests/unit/mailstack/imapd/test_envelope.c Fuzz:
 * tests/fuzz/mailstack/imapd/fuzz_envelope.c
 */
#ifndef MR_IMAPD_ENVELOPE_H
#define MR_IMAPD_ENVELOPE_H

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct buf;
struct err;
struct mime_part;

/* The parenthesised envelope of a message's header. */
must_check int envelope_put(struct str header, struct arena *a, struct buf *out, struct err *err);

enum envelope_structure {
    ENVELOPE_BODY,          /* without extension data */
    ENVELOPE_BODYSTRUCTURE, /* with it */
};

must_check int envelope_put_structure(const struct mime_part *root, enum envelope_structure how,
                                      struct arena *a, struct buf *out, struct err *err);

#endif
