/* SPDX-License-Identifier: Apache-2.0 */
/*
 * charset - text of other character sets as UTF-8; pure
 *
 * Tables of our own for UTF-8, US-ASCII, ISO-8859-1, ISO-8859-15 and windows-1252 (as which the
 * first and US-ASCII with 8-bit bytes are read, like browsers do) and UTF-16 where its form is
 * known: there are no gconv modules in the containers. What is not well formed becomes U+FFFD.
 *
 * Tests:     tests/unit/mailstack/lib/mail/test_charset.c
 */
#ifndef MR_MAIL_CHARSET_H
#define MR_MAIL_CHARSET_H

#include <stdbool.h>

#include "runtime/base/str.h"

struct buf;

bool charset_is_known(struct str name);
/* Appends `in` as UTF-8. Of an unknown set the ASCII bytes are kept, others become U+FFFD, and the
 * answer is false. */
bool charset_to_utf8(struct str name, struct str in, struct buf *out);
/* Appends a code point (U+FFFD for what is none). */
void charset_append(struct buf *out, unsigned code);

#endif
