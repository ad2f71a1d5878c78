/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authres - the Authentication-Results field (RFC 8601): making one, recognising one's own; pure
 *
 *     authres_begin(&out, hostname);
 *     authres_add(&out, "spf", "pass", NULL);
 *     authres_property(&out, "smtp.mailfrom", value);
 *     authres_end(&out);
 *
 * What is appended is the value, folded with LF and a tab, as the milter protocol has it. Values
 * from outside are quoted or reduced to printable ASCII: they cannot end the field.
 *
 * Tests:     tests/unit/mailstack/lib/mail/test_authres.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_authres.c
 */
#ifndef MR_MAIL_AUTHRES_H
#define MR_MAIL_AUTHRES_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"

struct buf;

#define AUTHRES_VALUE_MAX 320 /* of one property; longer ones are cut */

struct authres {
    struct buf *out;
    size_t line_from; /* where the present line begins */
    bool any;
};

struct authres authres_begin(struct buf *out, const char *hostname);
void authres_add(struct authres *a, const char *method, const char *result,
                 const char *comment); /* NULL: none */
void authres_property(struct authres *a, const char *name, struct str value);
void authres_end(struct authres *a); /* "none" if nothing was added */

/* Does this value claim to be of `hostname`? Comments in front and a final dot are looked through;
 * a value whose first word cannot be read is nobody's. */
bool authres_is_of(struct str value, const char *hostname);

#endif
