/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mime - the tree of a message's parts (RFC 2045, 2046, 2183, 2231); pure
 *
 * One pass over the bytes, lines ending in CRLF or LF. Every part says where its header and its
 * body lie, as views: with the message's first byte they give offsets. A multipart's children are
 * its parts, the child of a message/rfc822 (or message/global) is the message within.
 *
 * Tolerant: a malformed Content-Type counts as absent, a missing end boundary ends where its
 * surroundings end, a multipart without a boundary is a leaf.
 *
 * Lifetime:  the tree lives in the arena, views look into the message.
 * Limits:    MIME_PARTS_MAX parts, MIME_DEPTH_MAX deep, MIME_PARAMS_MAX parameters of a field; what
 *            is beyond stays an unparsed leaf (or is left out) and the root's `cut` is set.
 * Errors:    only the arena's limit.
 * Tests:     tests/unit/mailstack/lib/mail/test_mime.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_mime.c
 */
#ifndef MR_MAIL_MIME_H
#define MR_MAIL_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/mail/decode.h"

struct arena;
struct buf;
struct err;

#define MIME_PARTS_MAX    2000
#define MIME_DEPTH_MAX    50
#define MIME_PARAMS_MAX   100
#define MIME_BOUNDARY_MAX 256 /* RFC 2046 says 70; longer ones are seen */

struct mime_param {
    struct str name;  /* as written: "filename*0*" */
    struct str value; /* unquoted, otherwise as written */
};

/* A value with parameters: `attachment; filename="a.txt"`. */
struct mime_value {
    struct str value; /* p == NULL: the field is absent or malformed */
    const struct mime_param *params;
    size_t params_n;
};

struct mime_part {
    struct mime_part *parent;
    struct mime_part *child; /* the first */
    struct mime_part *next;  /* the next of the same parent */
    struct str header;       /* with its empty line */
    struct str body;         /* without the line end that belongs to the boundary behind */
    size_t header_lone_n;    /* LFs without a CR in them: what CRLF would add to the size */
    size_t body_lone_n;
    size_t body_lines; /* line ends in the body */

    struct str type;    /* "text"; as written, or the default */
    struct str subtype; /* "plain" */
    struct mime_value content_type;
    struct mime_value disposition;
    struct str encoding_name; /* as written; p == NULL: absent */
    enum decode_kind encoding;
    struct str id; /* these: trimmed, folds kept; p == NULL: absent */
    struct str description;
    struct str md5;
    struct str language;
    struct str location;
    bool cut; /* a limit was met within (of the root: anywhere) */
};

must_check int mime_parse(struct str message, struct arena *a, struct mime_part **root,
                          struct err *err);
/* The same where header and body do not lie side by side. */
must_check int mime_parse_apart(struct str header, struct str body, struct arena *a,
                                struct mime_part **root, struct err *err);

/* `value; name=value; ...` of any field. value.p == NULL if it is malformed. */
must_check int mime_parse_value(struct str text, struct arena *a, struct mime_value *out,
                                struct err *err);

bool mime_is(const struct mime_part *p, const char *type, const char *subtype); /* NULL: any */
bool mime_is_message(const struct mime_part *p); /* a message within */

/* The raw value of a parameter by its exact name (case folded), or p == NULL. */
struct str mime_param(const struct mime_value *v, const char *name);
/* Appends the parameter as UTF-8 with RFC 2231 (continuations, sets) and RFC 2047 undone; false if
 * there is none. */
bool mime_param_text(const struct mime_value *v, const char *name, struct buf *utf8);

/* The part IMAP calls "1.2.3" (RFC 3501 section 6.4.5), or NULL. n == 0 gives the root. */
const struct mime_part *mime_section(const struct mime_part *root, const uint32_t *path, size_t n);

/* Walks the tree, parents before children; NULL at the end. */
const struct mime_part *mime_next(const struct mime_part *root, const struct mime_part *at);

#endif
