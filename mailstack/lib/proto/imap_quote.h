/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imap_quote - strings as an IMAP server sends them (RFC 3501 section 4.3)
 *
 * The shortest form that can carry the bytes: an atom (astring only), a quoted string, or a
 * literal. What is appended can never contain a bare CR or LF outside of a literal.
 *
 * Tests:     tests/unit/mailstack/lib/proto/test_imap_quote.c
 */
#ifndef MR_PROTO_IMAP_QUOTE_H
#define MR_PROTO_IMAP_QUOTE_H

#include "runtime/base/str.h"

struct buf;

void imap_quote_string(struct buf *to, struct str s);  /* quoted or literal */
void imap_quote_nstring(struct buf *to, struct str s); /* p == NULL: NIL */
void imap_quote_astring(struct buf *to, struct str s); /* atom if it can be one */

#endif
