/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quoted-printable holds back what may still turn out to be something else: an escape under way
 * ("=", "=4"), a soft line end ("= \t\r"), or white space that is dropped if a line end follows.
 */
#include "mailstack/lib/mail/decode.h"

#include "runtime/base/buf.h"

struct decode decode_start(enum decode_kind kind)
{
    return (struct decode){.kind = kind};
}

/* --- base64 --- */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* The end of a run: what is left makes one or two bytes. */
static void base64_flush(struct decode *d, struct buf *out)
{
    if (d->bits_n == 12) {
        buf_append_u8(out, (uint8_t)(d->bits >> 4));
    } else if (d->bits_n == 18) {
        buf_append_u8(out, (uint8_t)(d->bits >> 10));
        buf_append_u8(out, (uint8_t)(d->bits >> 2));
    }
    if (d->bits_n == 6)
        d->flawed = true;
    d->bits = 0;
    d->bits_n = 0;
}

static void base64_feed(struct decode *d, struct str in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        int v = base64_value(in.p[i]);

        if (v < 0) {
            if (in.p[i] == '=')
                base64_flush(d, out);
            else if (!ascii_is_space(in.p[i]) && in.p[i] != '\r' && in.p[i] != '\n')
                d->flawed = true;
            continue;
        }
        d->bits = d->bits << 6 | (uint32_t)v;
        d->bits_n += 6;
        if (d->bits_n == 24) {
            char three[3] = {(char)(d->bits >> 16 & 0xff), (char)(d->bits >> 8 & 0xff),
                             (char)(d->bits & 0xff)};

            buf_append_n(out, three, sizeof(three));
            d->bits = 0;
            d->bits_n = 0;
        }
    }
}

/* --- quoted-printable --- */

static void release(struct decode *d, struct buf *out)
{
    buf_append_n(out, d->held, d->held_n);
    d->held_n = 0;
}

static void hold(struct decode *d, char c, struct buf *out)
{
    if (d->held_n == DECODE_HELD_MAX) {
        d->flawed = true;
        release(d, out);
    }
    d->held[d->held_n++] = c;
}

static void quoted_plain(struct decode *d, char c, struct buf *out)
{
    bool cr = d->held_n && d->held[d->held_n - 1] == '\r';

    if (d->kind == DECODE_Q_HEADER && c != '=') {
        buf_append_char(out, c == '_' ? ' ' : c);
    } else if (c == '\n') {
        d->held_n = 0;
        buf_append_c(out, cr ? "\r\n" : "\n");
    } else if (!cr && (ascii_is_space(c) || c == '\r')) {
        hold(d, c, out);
    } else {
        release(d, out);
        if (c == '=' || c == '\r' || ascii_is_space(c))
            hold(d, c, out);
        else
            buf_append_char(out, c);
    }
}

/* Within an escape. False: it is none, what is held goes out as it is, c must be looked at anew. */
static bool quoted_escape(struct decode *d, char c, struct buf *out)
{
    char last = d->held[d->held_n - 1];

    if (ascii_hex(last) >= 0 && d->held_n == 2) {
        if (ascii_hex(c) < 0)
            return false;
        buf_append_u8(out, (uint8_t)(ascii_hex(last) << 4 | ascii_hex(c)));
        d->held_n = 0;
        return true;
    }
    if (d->held_n == 1 && ascii_hex(c) >= 0) {
        hold(d, c, out);
        return true;
    }
    if (d->kind == DECODE_Q_HEADER)
        return false;
    if (c == '\n') {
        d->held_n = 0;
        return true;
    }
    if (last == '\r' || (c != '\r' && !ascii_is_space(c)) || d->held_n == DECODE_HELD_MAX)
        return false;
    hold(d, c, out);
    return true;
}

static size_t quoted_run(struct str in)
{
    size_t n = 0;

    while (n < in.n && in.p[n] > ' ' && in.p[n] != '=' && in.p[n] != '_')
        n++;
    return n;
}

static void quoted_feed(struct decode *d, struct str in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        if (d->held_n == 0) {
            size_t n = quoted_run(str_skip(in, i));

            buf_append(out, str_sub(in, i, n));
            i += n;
            if (i == in.n)
                return;
        }
        if (d->held_n && d->held[0] == '=') {
            if (quoted_escape(d, in.p[i], out))
                continue;
            d->flawed = true;
            release(d, out);
        }
        quoted_plain(d, in.p[i], out);
    }
}

/* A "=" at the very end is a soft line end whose line end is missing. */
static void quoted_end(struct decode *d, struct buf *out)
{
    if (d->held_n && d->held[0] == '=' && d->held_n > 1 && ascii_hex(d->held[1]) >= 0) {
        d->flawed = true;
        release(d, out);
    } else if (d->held_n && d->held[d->held_n - 1] == '\r' && d->held[0] != '=') {
        buf_append_char(out, '\r');
    }
    d->held_n = 0;
}

void decode_feed(struct decode *d, struct str in, struct buf *out)
{
    switch (d->kind) {
    case DECODE_NONE:
        buf_append(out, in);
        return;
    case DECODE_BASE64:
        base64_feed(d, in, out);
        return;
    case DECODE_QUOTED:
    case DECODE_Q_HEADER:
        quoted_feed(d, in, out);
        return;
    }
}

void decode_end(struct decode *d, struct buf *out)
{
    switch (d->kind) {
    case DECODE_NONE:
        return;
    case DECODE_BASE64:
        base64_flush(d, out);
        return;
    case DECODE_QUOTED:
    case DECODE_Q_HEADER:
        quoted_end(d, out);
        return;
    }
}

void decode_all(enum decode_kind kind, struct str in, struct buf *out)
{
    struct decode d = decode_start(kind);

    decode_feed(&d, in, out);
    decode_end(&d, out);
}
