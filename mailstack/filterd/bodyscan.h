/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bodyscan - looks through a message's parts as its body goes by: test string, programs
 *
 * A body is never held: the scanner follows boundaries line by line, decodes each part as it comes
 * and keeps a few kilobytes, however large the message is. It sees the same however the body was
 * cut.
 *
 * Limits:    BODYSCAN_HEADER_MAX bytes of a part's header are read, BODYSCAN_DEPTH_MAX multiparts
 * within each other; a multipart beyond that is a leaf. Tests:
 * tests/unit/mailstack/filterd/test_bodyscan.c Fuzz: tests/fuzz/mailstack/filterd/fuzz_bodyscan.c
 */
#ifndef MR_FILTERD_BODYSCAN_H
#define MR_FILTERD_BODYSCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/buf.h"
#include "runtime/base/str.h"

#include "mailstack/filterd/attach.h"
#include "mailstack/lib/mail/decode.h"
#include "mailstack/lib/mail/mime.h"

struct arena;

#define BODYSCAN_HEADER_MAX 65536
#define BODYSCAN_DEPTH_MAX  MIME_DEPTH_MAX
#define BODYSCAN_LINE_MAX   (MIME_BOUNDARY_MAX + 8) /* of a line that may be a boundary */
#define BODYSCAN_WHY_MAX    160
#define BODYSCAN_INNER_MAX  3 /* encoded messages in each other */

struct bodyscan_boundary {
    char text[MIME_BOUNDARY_MAX];
    size_t n;
    bool digest; /* its parts are messages unless they say otherwise */
};

struct bodyscan {
    struct bodyscan_boundary *open; /* of the multiparts around, the innermost last */
    size_t open_n;
    bool in_header;
    bool in_digest;    /* the header is of a part that is a message unless it says otherwise */
    struct buf header; /* of the part, while it comes */
    struct arena *scratch;

    char line[BODYSCAN_LINE_MAX]; /* of a line that began with a hyphen */
    size_t line_n;
    bool undecided;       /* it is being collected there */
    bool line_begins;     /* the next byte is a line's first */
    bool skip_line;       /* the rest of a boundary's */
    size_t header_line_n; /* bytes of the header's present line, CRs apart */

    struct decode decode;
    struct buf decoded;
    char first[ATTACH_MAGIC_N];
    size_t first_n;
    bool leaf;  /* not what stands around parts */
    bool text;  /* text/ without a file's name: its first bytes are no magic */
    bool named; /* it has a file's name */
    bool is_zip;
    struct attach_zip zip;
    struct attach_uu uu;
    struct bodyscan *inner; /* of a message that is encoded as a whole; NULL: none */
    int depth;              /* in how many such messages this is */
    size_t gtube_n;         /* bytes of the test string seen */

    bool gtube;
    bool program;
    char why[BODYSCAN_WHY_MAX]; /* which program: printable ASCII */
};

/* `header` is the message's, whole. */
void bodyscan_init(struct bodyscan *s, struct str header);
void bodyscan_feed(struct bodyscan *s, struct str in);
void bodyscan_end(struct bodyscan *s);
void bodyscan_done(struct bodyscan *s); /* a zeroed one is fine */

#endif
