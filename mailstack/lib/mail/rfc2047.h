/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rfc2047 - encoded words in header fields (RFC 2047, language tags of RFC 2231); pure
 *
 * Tests:     tests/unit/mailstack/lib/mail/test_rfc2047.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_rfc2047.c
 */
#ifndef MR_MAIL_RFC2047_H
#define MR_MAIL_RFC2047_H

#include "runtime/base/str.h"

struct buf;

/* Appends the text with its encoded words decoded to UTF-8 and folds undone; space between
 * neighbouring encoded words is dropped, and the bytes of neighbours of one set and encoding are
 * joined before they are read, as a character may be cut in two. A word of an unknown character set
 * or encoding is left as it is. */
void rfc2047_decode(struct str text, struct buf *utf8);

/* Appends text (UTF-8) as it may stand in an unstructured field or a phrase: as it is where it is
 * printable ASCII, else as encoded words, each at most 75 bytes, folded with CRLF SP between. */
void rfc2047_encode(struct str utf8, struct buf *out);

#endif
