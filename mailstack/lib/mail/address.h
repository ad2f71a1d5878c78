/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address - address lists of header fields (RFC 5322 section 3.4, RFC 6532, obsolete syntax); pure
 *
 * Tolerant as a mail store must be: comments, routes, empty elements, dots in phrases, raw UTF-8
 * are taken; what cannot be an address is skipped up to the next comma and `flawed` says so. Groups
 * come as IMAP wants them: a start with the name, the members, an end.
 *
 * Lifetime:  results live in the arena or look into the input, so both must stay.
 * Limits:    ADDRESS_MAX elements; the rest is left out and `flawed` set. Comments nest at most
 *            ADDRESS_COMMENT_DEPTH_MAX deep.
 * Errors:    only the arena's limit.
 * Tests:     tests/unit/mailstack/lib/mail/test_address.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_address.c
 */
#ifndef MR_MAIL_ADDRESS_H
#define MR_MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct buf;
struct err;

#define ADDRESS_MAX               10000
#define ADDRESS_COMMENT_DEPTH_MAX 32

enum address_kind {
    ADDRESS_MAILBOX,
    ADDRESS_GROUP,     /* name is the group's */
    ADDRESS_GROUP_END, /* nothing else is set */
};

struct address {
    enum address_kind kind;
    struct str name;   /* display name (or the comment behind), unquoted, encoded words left as they
                          are; p == NULL if there is none */
    struct str route;  /* "@a,@b" of the obsolete source route; p == NULL if there is none */
    struct str local;  /* unquoted */
    struct str domain; /* without comments and spaces; a literal with its brackets; p == NULL if
                          there is none */
};

struct address_list {
    struct address *at;
    size_t n;
    bool flawed; /* something was no address */
};

must_check int address_parse_list(struct str value, struct arena *a, struct address_list *out,
                                  struct err *err);

/* Appends local@domain, the local part quoted where it must be. */
void address_format_spec(struct buf *to, struct str local, struct str domain);
/* Appends `"Name" <local@domain>`, or just the address if there is no name. */
void address_format(struct buf *to, const struct address *a);

#endif
