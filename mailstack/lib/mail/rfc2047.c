/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of neighbouring words of one set are gathered in `pending` and read together when
 * something else follows.
 */
#include "mailstack/lib/mail/rfc2047.h"

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/charset.h"
#include "mailstack/lib/mail/decode.h"
#include "mailstack/lib/mail/header.h"

#define WORD_BYTES_MAX 45 /* they make 60 characters of base64, 72 with what is around them */

struct word {
    struct str charset;
    struct str text;
    enum decode_kind kind;
    size_t n; /* of the whole word */
};

/* "=?set*lang?B?text?=" at the start of s. Spaces within the text are tolerated. */
static bool word_at(struct str s, struct word *w)
{
    struct str rest;
    struct str encoding;
    ptrdiff_t end;

    if (!str_starts(s, STR("=?")) || !str_cut(str_skip(s, 2), '?', &w->charset, &rest) ||
        !str_cut(rest, '?', &encoding, &rest))
        return false;
    if (encoding.n != 1 || w->charset.n == 0 || str_find_any(w->charset, " \t\"<>@,") >= 0)
        return false;
    end = str_find_str(rest, STR("?="));
    if (end < 0)
        return false;
    w->text = str_head(rest, (size_t)end);
    w->n = (size_t)(rest.p - s.p) + w->text.n + 2;
    (void)str_cut(w->charset, '*', &w->charset, &rest);
    w->kind = ascii_lower(encoding.p[0]) == 'b' ? DECODE_BASE64 : DECODE_Q_HEADER;
    return (w->kind == DECODE_BASE64 || ascii_lower(encoding.p[0]) == 'q') &&
           charset_is_known(w->charset);
}

static void flush(struct buf *pending, struct str charset, struct buf *out)
{
    if (pending->n)
        (void)charset_to_utf8(charset, buf_str(pending), out); /* is known */
    buf_reset(pending);
}

static size_t space_n(struct str s)
{
    size_t n = 0;

    while (n < s.n && ascii_is_space(s.p[n]))
        n++;
    return n;
}

static void decode_line(struct str s, struct buf *pending, struct buf *out)
{
    struct str charset = STR_NONE;
    struct word w;

    while (s.n) {
        size_t space = charset.n ? space_n(s) : 0;

        if (word_at(str_skip(s, space), &w)) {
            if (!str_ieq(w.charset, charset))
                flush(pending, charset, out);
            decode_all(w.kind, w.text, pending);
            charset = w.charset;
            s = str_skip(s, space + w.n);
            continue;
        }
        flush(pending, charset, out);
        charset = STR_NONE;
        ptrdiff_t next = str_find_str(str_skip(s, 1), STR("=?"));
        size_t n = next < 0 ? s.n : (size_t)next + 1;

        buf_append(out, str_head(s, n));
        s = str_skip(s, n);
    }
    flush(pending, charset, out);
}

/* Decoded bytes show as they are, but never as line ends: who shows a header would be fooled. */
static void tame(struct buf *out, size_t from)
{
    for (size_t i = from; i < out->n; i++) {
        if (out->p[i] == '\r' || out->p[i] == '\n' || out->p[i] == '\0')
            out->p[i] = ' ';
    }
}

void rfc2047_decode(struct str text, struct buf *utf8)
{
    size_t from = utf8->n;
    own_buf struct buf line = BUF_INIT(text.n + 1);
    own_buf struct buf pending = BUF_INIT(text.n + DECODE_HELD_MAX);

    header_unfold(text, &line);
    decode_line(buf_str(&line), &pending, utf8);
    tame(utf8, from);
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    }
    return str_find_str(s, STR("=?")) < 0;
}

/* As many whole characters as fit into one word. */
static size_t word_bytes(struct str s)
{
    size_t n = s.n < WORD_BYTES_MAX ? s.n : WORD_BYTES_MAX;

    while (n < s.n && n > WORD_BYTES_MAX - 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

void rfc2047_encode(struct str utf8, struct buf *out)
{
    if (is_plain(utf8)) {
        buf_append(out, utf8);
        return;
    }
    for (bool first = true; utf8.n; first = false) {
        size_t n = word_bytes(utf8);

        buf_append_c(out, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
        buf_append_base64(out, str_head(utf8, n));
        buf_append_c(out, "?=");
        utf8 = str_skip(utf8, n);
    }
}
