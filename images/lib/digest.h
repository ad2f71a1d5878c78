/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest - sha256 as OCI writes it: "sha256:" and 64 lower-case hex digits
 *
 * Tests:     tests/unit/images/lib/test_digest.c
 */
#ifndef MR_IMAGE_DIGEST_H
#define MR_IMAGE_DIGEST_H

#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#define DIGEST_HEX_N    64
#define DIGEST_PREFIX_N 7
#define DIGEST_TEXT_MAX (DIGEST_PREFIX_N + DIGEST_HEX_N + 1)

struct digest { /* a running sum; digest_init, digest_done */
    void *ctx;
};

void digest_init(struct digest *d);
void digest_done(struct digest *d);
void digest_add(struct digest *d, struct str bytes);
void digest_text(struct digest *d, char out[DIGEST_TEXT_MAX]); /* ends the sum */

void digest_of(struct str bytes, char out[DIGEST_TEXT_MAX]);

/* Exactly "sha256:" and 64 lower-case hex digits: safe to use as the name of a file. */
bool digest_is_sound(struct str text);
/* The digits alone. digest_is_sound is assumed. */
const char *digest_hex(const char *text);

#endif
