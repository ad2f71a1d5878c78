/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf - growable bytes with a hard maximum
 *
 * Appending beyond `max` appends nothing and marks the buffer as failed; the mark stays until
 * buf_reset, so a formatter appends many times and asks once, with buf_check, before the bytes
 * are used. Memory is taken in doubling steps, never more than max. The content is always followed
 * by a NUL that is not counted, so that buf_c() can be handed to a system call.
 *
 * Lifetime:  in place, buf_init/buf_done; or `own_buf`. Storage is taken at the first append.
 * Invariant: n <= cap <= max + 1; asserted.
 * Tests:     tests/unit/runtime/base/test_buf.c
 */
#ifndef MR_BASE_BUF_H
#define MR_BASE_BUF_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

struct buf {
    char *p;
    size_t n;
    size_t cap;
    size_t max;
    bool failed;
};

#define BUF_INIT(limit)            \
    {                              \
        NULL, 0, 0, (limit), false \
    }

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);   /* frees; the struct may be used again as after buf_init */
void buf_reset(struct buf *b);  /* empty and not failed; keeps storage */
void buf_shrink(struct buf *b); /* gives back storage that is not used; all of it if empty */

void buf_append(struct buf *b, struct str s);
void buf_append_c(struct buf *b, const char *c);
void buf_append_char(struct buf *b, char c);
void buf_append_n(struct buf *b, const void *p, size_t n);
void buf_append_u8(struct buf *b, uint8_t v);
void buf_append_be16(struct buf *b, uint16_t v);
void buf_append_be32(struct buf *b, uint32_t v);
void buf_append_be64(struct buf *b, uint64_t v);
void buf_append_hex(struct buf *b, struct str s);    /* lower case */
void buf_append_base64(struct buf *b, struct str s); /* RFC 4648, padded, no line breaks */
void buf_printf(struct buf *b, const char *fmt, ...) fmt_printf(2, 3);

/* Decodes RFC 4648 base64 with padding, strictly: nothing but the alphabet, canonical padding. */
must_check int buf_append_unbase64(struct buf *b, struct str s, struct err *err);

/* 0 if all appends fitted, else -1 with EMSGSIZE and `what` in the message. */
must_check int buf_check(const struct buf *b, const char *what, struct err *err);

/* Room for at least n more bytes at the end, or NULL at the limit (not marked as failed); fill it,
 * then buf_commit what was written. */
must_check char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);
size_t buf_room(const struct buf *b); /* bytes that may still be appended */

void buf_consume(struct buf *b, size_t n);  /* drops the first n bytes */
void buf_truncate(struct buf *b, size_t n); /* keeps the first n bytes */

struct str buf_str(const struct buf *b); /* a view until the next change of b */
const char *buf_c(const struct buf *b);  /* terminated; "" if empty; same lifetime */

/* Ownership of the bytes moves to the caller (free() it); b is empty afterwards. Never NULL. */
must_check char *buf_take(struct buf *b);

#endif
