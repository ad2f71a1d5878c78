/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/imap_utf7.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static void put_utf8(struct buf *to, uint32_t c)
{
    if (c < 0x80) {
        buf_append_u8(to, (uint8_t)c);
    } else if (c < 0x800) {
        buf_append_u8(to, (uint8_t)(0xc0 | c >> 6));
        buf_append_u8(to, (uint8_t)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_append_u8(to, (uint8_t)(0xe0 | c >> 12));
        buf_append_u8(to, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        buf_append_u8(to, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        buf_append_u8(to, (uint8_t)(0xf0 | c >> 18));
        buf_append_u8(to, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        buf_append_u8(to, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        buf_append_u8(to, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

/* UTF-16 units come one by one; a high surrogate is held until its partner. */
struct utf16 {
    uint32_t high;
};

static int put_unit(struct utf16 *u, uint32_t unit, struct buf *to, struct err *err)
{
    bool low = unit >= 0xdc00 && unit <= 0xdfff;

    if (low != (u->high != 0))
        return err_set(err, EILSEQ, "mailbox name: a lone surrogate");
    if (low) {
        put_utf8(to, 0x10000 + ((u->high - 0xd800) << 10) + (unit - 0xdc00));
        u->high = 0;
    } else if (unit >= 0xd800 && unit <= 0xdbff) {
        u->high = unit;
    } else if (unit >= 0x20 && unit < 0x7f) {
        return err_set(err, EILSEQ, "mailbox name: printable ASCII must not be encoded");
    } else {
        put_utf8(to, unit);
    }
    return 0;
}

/* The part between '&' and '-'. */
static int decode_shifted(struct str in, struct buf *to, struct err *err)
{
    struct utf16 u = {0};
    uint32_t bits = 0;
    unsigned bits_n = 0;

    for (size_t i = 0; i < in.n; i++) {
        const char *d = in.p[i] ? strchr(digits, in.p[i]) : NULL;

        if (!d)
            return err_set(err, EILSEQ, "mailbox name: not a digit of modified base64");
        bits = bits << 6 | (uint32_t)(d - digits);
        bits_n += 6;
        if (bits_n >= 16) {
            bits_n -= 16;
            if (put_unit(&u, bits >> bits_n & 0xffff, to, err) < 0)
                return -1;
            bits &= (1u << bits_n) - 1;
        }
    }
    if (bits_n >= 6 || bits != 0 || u.high != 0)
        return err_set(err, EILSEQ, "mailbox name: the encoded part ends in the middle");
    return 0;
}

int imap_utf7_decode(struct str utf7, struct buf *utf8, struct err *err)
{
    bool after_shift = false; /* "&..-&..-" would have been one shift */

    while (utf7.n) {
        unsigned char c = (unsigned char)utf7.p[0];

        if (c < 0x20 || c >= 0x7f)
            return err_set(err, EILSEQ, "mailbox name: byte 0x%02x in modified UTF-7", c);
        utf7 = str_skip(utf7, 1);
        if (c != '&') {
            buf_append_u8(utf8, c);
            after_shift = false;
            continue;
        }
        ptrdiff_t end = str_find(utf7, '-');

        if (end < 0)
            return err_set(err, EILSEQ, "mailbox name: an '&' without its '-'");
        if (end == 0)
            buf_append_char(utf8, '&');
        else if (after_shift)
            return err_set(err, EILSEQ, "mailbox name: two encoded parts in a row");
        else if (decode_shifted(str_head(utf7, (size_t)end), utf8, err) < 0)
            return -1;
        after_shift = end > 0;
        utf7 = str_skip(utf7, (size_t)end + 1);
    }
    return buf_check(utf8, "mailbox name", err);
}

/* Takes one code point off the front of well-formed UTF-8. */
static uint32_t next_utf8(struct str *s)
{
    unsigned char c = (unsigned char)s->p[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t v = n == 1 ? c : c & (0xffu >> (n + 1));

    for (size_t i = 1; i < n; i++)
        v = v << 6 | ((unsigned char)s->p[i] & 0x3f);
    *s = str_skip(*s, n);
    return v;
}

struct base64_out {
    uint32_t bits;
    unsigned bits_n;
};

static void put_16(struct base64_out *b, uint32_t unit, struct buf *to)
{
    b->bits = b->bits << 16 | unit;
    b->bits_n += 16;
    while (b->bits_n >= 6) {
        b->bits_n -= 6;
        buf_append_char(to, digits[b->bits >> b->bits_n & 0x3f]);
    }
    b->bits &= (1u << b->bits_n) - 1;
}

static bool stands_for_itself(char c)
{
    return c >= 0x20 && c < 0x7f;
}

static void encode_run(struct str *s, struct buf *to)
{
    struct base64_out b = {0, 0};

    buf_append_char(to, '&');
    while (s->n && !stands_for_itself(s->p[0])) {
        uint32_t c = next_utf8(s);

        if (c >= 0x10000) {
            put_16(&b, 0xd800 + ((c - 0x10000) >> 10), to);
            put_16(&b, 0xdc00 + ((c - 0x10000) & 0x3ff), to);
        } else {
            put_16(&b, c, to);
        }
    }
    if (b.bits_n)
        buf_append_char(to, digits[b.bits << (6 - b.bits_n) & 0x3f]);
    buf_append_char(to, '-');
}

int imap_utf7_encode(struct str utf8, struct buf *utf7, struct err *err)
{
    if (!str_is_utf8(utf8))
        return err_set(err, EILSEQ, "mailbox name: not UTF-8");
    while (utf8.n) {
        if (!stands_for_itself(utf8.p[0])) {
            encode_run(&utf8, utf7);
            continue;
        }
        buf_append_char(utf7, utf8.p[0]);
        if (utf8.p[0] == '&')
            buf_append_char(utf7, '-');
        utf8 = str_skip(utf8, 1);
    }
    return buf_check(utf7, "mailbox name", err);
}
