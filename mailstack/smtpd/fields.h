/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields - the header of a message as a list that a filter may change
 *
 * The fields look into the message; only what is added takes memory. fields_parts gives the header
 * back as few views: neighbours that nobody came between are one view, and nothing is copied.
 *
 * A value that is put in may be folded with LF or CRLF; each continuation begins with white space
 * afterwards, so no value can make a second field.
 *
 * Limits:    FIELDS_MAX fields; memory as the arena has it.
 * Lifetime:  the arena's; views look into the message.
 * Tests:     tests/unit/mailstack/smtpd/test_fields.c
 * Fuzz:      tests/fuzz/mailstack/smtpd/fuzz_fields.c
 */
#ifndef MR_SMTPD_FIELDS_H
#define MR_SMTPD_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct err;

#define FIELDS_MAX 4096

struct field {
    struct str name;
    struct str value; /* behind the colon, with leading space and folds, without the line end */
    struct str raw;   /* all of it with its line end */
    bool is_own;      /* our trace field: a filter neither sees nor counts it */
};

struct fields {
    struct arena *arena;
    struct field *at;
    size_t n;
    size_t cap;
};

/* Parses the header section of a message whose lines end in CRLF. *body: what follows its empty
 * line; the section ends too at the first line that is no field, or has no end. -1: too many
 * fields, or a NUL. */
must_check int fields_parse(struct fields *f, struct arena *a, struct str message, struct str *body,
                            struct err *err);
size_t fields_count(const struct fields *f, const char *name);

/* A whole field, "Received: ...", with its line end, that lives as long as the list: to the top, as
 * our own. */
must_check int fields_put_own(struct fields *f, struct str raw, struct err *err);
/* Puts a field in front of number `index` (its end if it has fewer). value as it stands behind the
 * colon: with its leading space. -1: not a field's name, or a limit. */
must_check int fields_insert(struct fields *f, size_t index, struct str name, struct str value,
                             struct err *err);
/* The nth field of that name, from 1, gets another value; an empty value deletes it. A field that
 * is not there is added, unless the value is empty. */
must_check int fields_change(struct fields *f, size_t nth, struct str name, struct str value,
                             struct err *err);
/* The header, with the empty line at its end. Views live as long as the arena and the message. */
must_check int fields_parts(const struct fields *f, struct str **parts, size_t *parts_n,
                            struct err *err);

#endif
