/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crlf - stored text (LF, or CRLF where a program stored that) as it goes over the wire; pure
 *
 * An LF without a CR in front of it becomes CRLF; everything else stays. Works piecewise: `last` is
 * the byte in front of the piece, '\0' at the start.
 *
 * Tests:     tests/unit/mailstack/lib/store/test_crlf.c
 * Fuzz:      tests/fuzz/mailstack/lib/store/fuzz_crlf.c
 */
#ifndef MR_STORE_CRLF_H
#define MR_STORE_CRLF_H

#include "runtime/base/str.h"

/* Size of the whole piece on the wire. */
size_t crlf_size(struct str raw, char last);

/* Converts from *raw, which is advanced, into out as far as it fits; returns the bytes written. cap
 * must be at least 2. *last is kept up to date. */
size_t crlf_convert(struct str *raw, char *last, char *out, size_t cap);

#endif
