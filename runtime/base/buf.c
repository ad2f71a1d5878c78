/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All growth goes through grow(), which compares with max before it takes memory. Storage is one
 * byte larger than what it holds, for the NUL.
 */
#include "runtime/base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#define CAP_FIRST 64

static void check(const struct buf *b)
{
    assert(b->n <= b->cap && b->cap <= b->max + 1);
    assert(b->p == NULL ? b->cap == 0 : b->n < b->cap);
}

void buf_init(struct buf *b, size_t max)
{
    assert(max < SIZE_MAX / 2);
    *b = (struct buf)BUF_INIT(max);
}

void buf_done(struct buf *b)
{
    free(b->p);
    *b = (struct buf)BUF_INIT(b->max);
}

void buf_reset(struct buf *b)
{
    b->failed = false;
    buf_truncate(b, 0);
}

static void set_cap(struct buf *b, size_t cap)
{
    b->p = mem_grow(b->p, cap, 1);
    b->cap = cap;
}

void buf_shrink(struct buf *b)
{
    if (b->p == NULL)
        return;
    if (b->n == 0) {
        free(b->p);
        b->p = NULL;
        b->cap = 0;
        return;
    }
    set_cap(b, b->n + 1);
}

size_t buf_room(const struct buf *b)
{
    return b->max - b->n;
}

/* Storage for n more bytes and the NUL; false at the limit. */
static bool grow(struct buf *b, size_t n)
{
    size_t cap;

    check(b);
    if (n > buf_room(b))
        return false;
    if (b->cap > b->n + n)
        return true;
    cap = b->cap < CAP_FIRST ? CAP_FIRST : b->cap * 2;
    if (cap < b->n + n + 1)
        cap = b->n + n + 1;
    set_cap(b, cap < b->max + 1 ? cap : b->max + 1);
    b->p[b->n] = '\0'; /* whoever reserves may find that there is nothing to commit */
    return true;
}

char *buf_reserve(struct buf *b, size_t n)
{
    return grow(b, n) ? b->p + b->n : NULL;
}

void buf_commit(struct buf *b, size_t n)
{
    if (b->p == NULL && n == 0)
        return;
    assert(b->p != NULL && n < b->cap - b->n);
    b->n += n;
    b->p[b->n] = '\0';
}

/* Room for n bytes that are all appended, or NULL and the mark. */
static char *append(struct buf *b, size_t n)
{
    char *at;

    if (b->failed || !grow(b, n)) {
        b->failed = true;
        return NULL;
    }
    at = b->p + b->n;
    b->n += n;
    b->p[b->n] = '\0';
    return at;
}

/* --- appending ------------------------------------------------------------------------------- */

void buf_append_n(struct buf *b, const void *p, size_t n)
{
    char *at;

    if (n == 0)
        return;
    at = append(b, n);
    if (at != NULL)
        memcpy(at, p, n);
}

void buf_append(struct buf *b, struct str s)
{
    buf_append_n(b, s.p, s.n);
}

void buf_append_c(struct buf *b, const char *c)
{
    buf_append(b, str_of(c));
}

void buf_append_char(struct buf *b, char c)
{
    buf_append_n(b, &c, 1);
}

void buf_append_u8(struct buf *b, uint8_t v)
{
    buf_append_n(b, &v, 1);
}

void buf_append_be16(struct buf *b, uint16_t v)
{
    uint8_t at[] = {(uint8_t)(v >> 8), (uint8_t)v};

    buf_append_n(b, at, sizeof(at));
}

void buf_append_be32(struct buf *b, uint32_t v)
{
    uint8_t at[] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

    buf_append_n(b, at, sizeof(at));
}

void buf_append_be64(struct buf *b, uint64_t v)
{
    uint8_t at[8];

    for (size_t i = 0; i < sizeof(at); i++)
        at[i] = (uint8_t)(v >> (56 - 8 * i));
    buf_append_n(b, at, sizeof(at));
}

void buf_append_hex(struct buf *b, struct str s)
{
    static const char digits[] = "0123456789abcdef";
    char *at;

    if (s.n == 0)
        return;
    at = append(b, s.n > buf_room(b) ? SIZE_MAX : s.n * 2); /* no overflow: s.n <= max */
    for (size_t i = 0; at != NULL && i < s.n; i++) {
        *at++ = digits[(uint8_t)s.p[i] >> 4];
        *at++ = digits[(uint8_t)s.p[i] & 15];
    }
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    char *at;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n <= 0) {
        b->failed = b->failed || n < 0;
        return;
    }
    at = append(b, (size_t)n);
    if (at == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(at, (size_t)n + 1, fmt, ap); /* the same text again: it fits */
    va_end(ap);
}

/* --- base64 ---------------------------------------------------------------------------------- */

static const char b64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void b64_group(char *at, const uint8_t in[3], size_t n)
{
    uint32_t v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

    at[0] = b64_digits[v >> 18];
    at[1] = b64_digits[v >> 12 & 63];
    at[2] = n > 1 ? b64_digits[v >> 6 & 63] : '=';
    at[3] = n > 2 ? b64_digits[v & 63] : '=';
}

void buf_append_base64(struct buf *b, struct str s)
{
    char *at;

    if (s.n == 0)
        return;
    at = append(b, s.n > buf_room(b) ? SIZE_MAX : (s.n + 2) / 3 * 4);
    for (size_t i = 0; at != NULL && i < s.n; i += 3, at += 4) {
        uint8_t in[3] = {0};
        size_t n = s.n - i < 3 ? s.n - i : 3;

        memcpy(in, s.p + i, n);
        b64_group(at, in, n);
    }
}

static int b64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_is_digit(c))
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* Decodes four digits of which the last `pad` are padding; -1 unless canonical. */
static int unb64_group(const char in[4], size_t pad, uint8_t out[3])
{
    uint32_t v = 0;

    for (size_t i = 0; i < 4; i++) {
        int d = i < 4 - pad ? b64_value(in[i]) : 0;

        if (d < 0)
            return -1;
        v = v << 6 | (uint32_t)d;
    }
    if ((v & ((1U << (8 * pad)) - 1)) != 0)
        return -1;
    out[0] = (uint8_t)(v >> 16);
    out[1] = (uint8_t)(v >> 8);
    out[2] = (uint8_t)v;
    return 0;
}

static size_t b64_padding(struct str s)
{
    if (s.n < 4 || s.p[s.n - 1] != '=')
        return 0;
    return s.p[s.n - 2] == '=' ? 2 : 1;
}

int buf_append_unbase64(struct buf *b, struct str s, struct err *err)
{
    size_t before = b->n;
    size_t pad = b64_padding(s);

    if (s.n % 4 != 0)
        return err_set(err, EINVAL, "base64 text of %zu bytes, which is no multiple of 4", s.n);
    if (b->failed || s.n / 4 * 3 - pad > buf_room(b))
        return err_set(err, EMSGSIZE, "base64 text of %zu bytes", s.n);
    for (size_t i = 0; i < s.n; i += 4) {
        size_t tail = i + 4 == s.n ? pad : 0;
        uint8_t out[3];

        if (unb64_group(s.p + i, tail, out) < 0) {
            buf_truncate(b, before);
            return err_set(err, EINVAL, "base64 text that is wrong near byte %zu", i);
        }
        buf_append_n(b, out, 3 - tail);
    }
    return 0;
}

/* --- the rest -------------------------------------------------------------------------------- */

int buf_check(const struct buf *b, const char *what, struct err *err)
{
    if (b->failed)
        return err_set(err, EMSGSIZE, "%s of more than %zu bytes", what, b->max);
    return 0;
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->n);
    if (n == 0)
        return;
    b->n -= n;
    memmove(b->p, b->p + n, b->n + 1);
}

void buf_truncate(struct buf *b, size_t n)
{
    assert(n <= b->n);
    b->n = n;
    if (b->p != NULL)
        b->p[n] = '\0';
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->p, b->n};
}

const char *buf_c(const struct buf *b)
{
    return b->p == NULL ? "" : b->p;
}

char *buf_take(struct buf *b)
{
    char *p = b->p != NULL ? b->p : mem_new(1);

    *b = (struct buf)BUF_INIT(b->max);
    return p;
}
