/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header - pull parser over the header section of a message (RFC 5322 section 2.2); pure
 *
 *     struct header_walk w = header_walk(message);
 *     struct header_field f;
 *     while (header_next(&w, &f)) ... f.name, f.value ...
 *     body = w.rest;
 *
 * Lines end in CRLF or LF (stored mail has LF); a CR elsewhere is an ordinary byte. The section
 * ends at the first empty line or at the end of the input. A line that is no field and no
 * continuation
 * ("From " of an mbox, rubbish) comes as a field with an empty name, so that nothing is hidden.
 *
 * Lifetime:  views look into the given bytes.
 * Tests:     tests/unit/mailstack/lib/mail/test_header.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_header.c
 */
#ifndef MR_MAIL_HEADER_H
#define MR_MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;

struct header_field {
    struct str raw;  /* all of it, with folds and the last line end */
    struct str name; /* in front of the colon, without trailing space; empty: not a field */
    struct str
        value; /* behind the colon, folds and leading space kept, without the last line end */
};

struct header_walk {
    struct str rest; /* not yet walked; the body when header_next has said false */
};

struct header_walk header_walk(struct str message);
/* The next field; false at the end of the section, whose empty line is then consumed. */
bool header_next(struct header_walk *w, struct header_field *f);

/* Bytes of the section with its empty line: where the body begins. The whole length if there is no
 * empty line. */
size_t header_end(struct str message);
/* The same for bytes that are still arriving: false while the end has not been seen. *from is where
 * the search goes on, 0 at first. */
bool header_end_seen(struct str so_far, size_t *from, size_t *end);

/* The first field of that name (case folded); false, f untouched, if there is none. */
bool header_find(struct str header, const char *name, struct header_field *f);
size_t header_count(struct str header, const char *name);

/* Appends the value without line ends (the white space of a fold stays) and without space at its
 * ends. NULs, CRs and LFs left over become spaces: the result is one line. */
void header_unfold(struct str value, struct buf *out);

/* Takes a line off *rest, line end included; false if *rest is empty. */
bool header_line(struct str *rest, struct str *line);
/* Without its line end, CRLF or LF. */
struct str header_chomp(struct str line);
/* Is this a field's name: printable ASCII without colon, not empty? */
bool header_is_name(struct str s);

#endif
