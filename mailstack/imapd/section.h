/* SPDX-License-Identifier: Apache-2.0 */
/*
 * section - BODY[...]<...> of IMAP: which bytes of a message are meant (RFC 3501, 6.4.5); pure
 *
 * Tests:     tests/unit/mailstack/imapd/test_section.c
 * Fuzz:      tests/fuzz/mailstack/imapd/fuzz_section.c
 */
#ifndef MR_IMAPD_SECTION_H
#define MR_IMAPD_SECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct buf;
struct mime_part;

#define SECTION_DEPTH_MAX  50
#define SECTION_FIELDS_MAX 200

enum section_what {
    SECTION_ALL,    /* BODY[], BODY[1.2] */
    SECTION_HEADER, /* of the message, or of the message within a part */
    SECTION_FIELDS, /* HEADER.FIELDS (...) */
    SECTION_NOT,    /* HEADER.FIELDS.NOT (...) */
    SECTION_TEXT,
    SECTION_MIME, /* the part's own header */
};

struct section {
    enum section_what what;
    const uint32_t *path;
    size_t path_n;
    const struct str *fields;
    size_t fields_n;
    bool has_partial;
    uint32_t first; /* of the partial */
    uint32_t count;
};

/* `text` begins behind "BODY[" or "BODY.PEEK[", and has the rest of the atom: "1.TEXT]<0.10>". Sets
 * *label_n to the bytes up to and with the ']'. false: a syntax error, or the arena is full. */
must_check bool section_parse(struct str text, struct arena *a, struct section *out,
                              size_t *label_n);

/* The bytes as stored: a view into the message, or, for chosen fields, of what was appended to
 * `made`. p == NULL: there is no such part. */
struct str section_find(const struct section *s, const struct mime_part *root, struct str raw,
                        struct buf *made);
/* Whether it can be found without the tree. */
bool section_is_simple(const struct section *s);

#endif
