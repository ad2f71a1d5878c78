/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jw - JSON written straight into a buffer, without a tree
 *
 * For documents we make ourselves: state, lists, features, a dumped configuration. Unsigned 64-bit
 * numbers are written as they are (jansson knows signed ones only). Text is escaped; bytes that are
 * not UTF-8 become U+FFFD, so that the output is always valid JSON.
 *
 *     struct jw w = jw_start(&buf, JW_INDENT_TABS);
 *     jw_object(&w, NULL);  jw_str(&w, "id", id);  jw_uint(&w, "pid", pid);  jw_end(&w);
 *
 * `key` is the member's name inside an object and NULL inside an array and at the top. Errors: the
 * buffer's own (buf_check).
 *
 * Limits:    JW_DEPTH_MAX containers within each other; asserted, for the shape is our own.
 * Tests:     tests/unit/runtime/base/test_jw.c
 */
#ifndef MR_BASE_JW_H
#define MR_BASE_JW_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

struct buf;

#define JW_DEPTH_MAX 32

enum jw_style {
    JW_ONE_LINE,
    JW_INDENT_TWO,
    JW_INDENT_TABS
};

struct jw {
    struct buf *out;
    enum jw_style style;
    unsigned depth;
    char close[JW_DEPTH_MAX]; /* '}' or ']' of each open one */
    bool some[JW_DEPTH_MAX];  /* it has an element already */
};

struct jw jw_start(struct buf *out, enum jw_style style);
void jw_object(struct jw *w, const char *key);
void jw_array(struct jw *w, const char *key);
void jw_end(struct jw *w); /* of the innermost object or array */

void jw_str(struct jw *w, const char *key, struct str value);
void jw_c(struct jw *w, const char *key, const char *value); /* NULL is written as null */
void jw_uint(struct jw *w, const char *key, uint64_t value);
void jw_int(struct jw *w, const char *key, int64_t value);
void jw_bool(struct jw *w, const char *key, bool value);
void jw_null(struct jw *w, const char *key);
void jw_raw(struct jw *w, const char *key, struct str json); /* a value that is JSON already */

/* Just the quoted, escaped string. */
void jw_quote(struct buf *out, struct str value);

#endif
