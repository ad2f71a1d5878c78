/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imap_parser - read one IMAP command with its literals (RFC 3501 section 9, RFC 7888)
 *
 * Two steps. imap_scan finds where a command ends, looking at each byte once however it was cut on
 * its way, and stops at each literal, so that the caller can send "+ " for a synchronising one and
 * can take a large one (APPEND) out of the stream. imap_parse makes a complete command into a tree
 * of arguments.
 *
 * Limits:    a command without its literals is at most IMAP_LINE_MAX bytes; at most
 *            IMAP_LITERALS_MAX literals; lists nest IMAP_DEPTH_MAX deep; at most IMAP_ARGS_MAX
 *            arguments in all. A bare CR or LF is an error, and so is NUL outside of literals.
 * Lifetime:  the tree lives in the arena, its views look into the caller's buffer.
 * Tests:     tests/unit/mailstack/lib/proto/test_imap_parser.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_imap_parser.c
 */
#ifndef MR_PROTO_IMAP_PARSER_H
#define MR_PROTO_IMAP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct err;

#define IMAP_LINE_MAX     65536 /* RFC 7162 asks for 8192; long UID sets of real clients need more */
#define IMAP_LITERALS_MAX 64
#define IMAP_LITERAL_MAX  UINT32_MAX
#define IMAP_DEPTH_MAX    32
#define IMAP_ARGS_MAX     32768
#define IMAP_TAG_MAX      256

enum imap_scan_result {
    IMAP_SCAN_ERROR =
        -1, /* err says why; the stream cannot be followed any more unless `at` moved */
    IMAP_SCAN_MORE = 0,
    IMAP_SCAN_LITERAL = 1, /* a literal was announced: literal_n, literal_sync; it begins at `at` */
    IMAP_SCAN_DONE = 2,    /* the command ends before `at` */
};

struct imap_scan {
    size_t at;         /* bytes looked at so far, from the command's start */
    size_t literal_n;  /* of the literal just announced, or still awaited */
    bool literal_sync; /* the client waits for "+ " */
    size_t line_n;     /* bytes outside of literals */
    size_t line_start;
    unsigned literals_n;
};

/* Start with *s zeroed. `in` begins with the command's first byte and grows from call to call.
 * After IMAP_SCAN_LITERAL a further call waits for the literal's bytes in `in`. */
must_check enum imap_scan_result imap_scan(struct imap_scan *s, struct str in, struct err *err);
/* The literal just announced was, or will be, taken out of the stream by the caller: `in` of the
 * next call continues behind it without its bytes. */
void imap_scan_taken(struct imap_scan *s);

enum imap_kind {
    IMAP_ATOM,
    IMAP_QUOTED,
    IMAP_LITERAL,
    IMAP_LIST
};

struct imap_arg {
    enum imap_kind kind;
    struct str
        s; /* of a quoted string: unescaped; of a literal that was taken: p NULL, n its size */
    const struct imap_arg *list;
    size_t list_n;
};

struct imap_cmd {
    struct str tag;
    struct str name; /* as sent; compare without case */
    bool uid;        /* it came as "UID name" */
    const struct imap_arg *args;
    size_t args_n;
};

/* `in` is the command with its final CRLF, or up to and with the CRLF of the announcement of a
 * literal that is not in the buffer. An atom takes a section in brackets and a partial with it:
 * "BODY.PEEK[HEADER.FIELDS (TO CC)]<0.100>" is one IMAP_ATOM. Where the tag could be read it is set
 * in *out even on failure. */
must_check int imap_parse(struct str in, struct arena *a, struct imap_cmd *out, struct err *err);

/* Views of one argument; false if it is of another kind. NIL is an atom, in any case. */
bool imap_arg_atom(const struct imap_arg *a, struct str *out);
bool imap_arg_astring(const struct imap_arg *a, struct str *out); /* atom, quoted or literal */
bool imap_arg_string(const struct imap_arg *a, struct str *out);  /* quoted or literal */
bool imap_arg_is_nil(const struct imap_arg *a);
bool imap_arg_is(const struct imap_arg *a, const char *atom); /* this atom, in any case */
bool imap_arg_u32(const struct imap_arg *a, uint32_t *out);

#endif
