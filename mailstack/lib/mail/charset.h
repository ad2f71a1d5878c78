/* SPDX-License-Identifier: Apache-2.0 */
/*
 * charset - text of other character sets as UTF-8; pure
 *
 * UTF-8, UTF-16 and the 8-bit sets of charset_table.c; there are no gconv modules in the
 * containers. US-ASCII and ISO-8859-1 are read as windows-1252, as browsers do. What is not well
 * formed becomes U+FFFD.
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
