/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dkim_tags - the tag=value lists of DKIM and DMARC (RFC 6376 section 3.2); pure
 *
 * Lifetime:  views look into the given text.
 * Limits:    DKIM_TAGS_MAX tags.
 * Errors:    a tag twice, a tag without "=", a name that is none, control characters.
 * Tests:     tests/unit/mailstack/lib/mail/test_dkim_tags.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_dkim_tags.c
 */
#ifndef MR_MAIL_DKIM_TAGS_H
#define MR_MAIL_DKIM_TAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define DKIM_TAGS_MAX 64

struct dkim_tag {
    struct str name;
    struct str value; /* without white space and folds at its ends; those within it stay */
    struct str whole; /* all between "=" and ";" */
};

struct dkim_tags {
    struct dkim_tag at[DKIM_TAGS_MAX];
    size_t n;
};

must_check int dkim_tags_parse(struct str text, struct dkim_tags *out, struct err *err);
/* Names are compared as they are. */
const struct dkim_tag *dkim_tags_get(const struct dkim_tags *t, const char *name); /* or NULL */
/* The value, or p == NULL if the tag is absent. */
struct str dkim_tags_value(const struct dkim_tags *t, const char *name);

/* Takes the next element of a list parted by colons, white space around it left out; false at its
 * end. */
bool dkim_tags_next(struct str *list, struct str *element);
/* Is it one of the elements, case folded? */
bool dkim_tags_has(struct str list, const char *element);

/* Copies s without white space and line ends; -1 if it has more than max bytes left. */
must_check int dkim_tags_squeeze(struct str s, char *out, size_t max, size_t *n);

#endif
