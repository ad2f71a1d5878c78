/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imap_utf7 - mailbox names: modified UTF-7 (RFC 3501 section 5.1.3) from and to UTF-8
 *
 * Decoding is strict, so that a name has one spelling only: no 8-bit bytes, no encoded printable
 * ASCII, no padding bits set, no shift that could have been left out, no lone surrogates.
 *
 * Tests:     tests/unit/mailstack/lib/proto/test_imap_utf7.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_imap_utf7.c
 */
#ifndef MR_PROTO_IMAP_UTF7_H
#define MR_PROTO_IMAP_UTF7_H

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;

must_check int imap_utf7_decode(struct str utf7, struct buf *utf8, struct err *err);
must_check int imap_utf7_encode(struct str utf8, struct buf *utf7, struct err *err);

#endif
