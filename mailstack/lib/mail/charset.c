/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/mail/charset.h"

#include "runtime/base/buf.h"

#include "mailstack/lib/mail/charset_table.h"

#define REPLACEMENT 0xfffdu

enum kind {
    UNKNOWN,
    UTF_8,
    UTF_16, /* by its mark; big-endian without one */
    UTF_16LE,
    TABLE,
};

static const struct {
    const char *alias;
    enum kind kind;
    const char *table;
} aliases[] = {
    {"utf-8", UTF_8, NULL},
    {"utf8", UTF_8, NULL},
    {"utf-16", UTF_16, NULL},
    {"utf-16be", UTF_16, NULL},
    {"utf-16le", UTF_16LE, NULL},
    {"us-ascii", TABLE, "windows-1252"},
    {"ascii", TABLE, "windows-1252"},
    {"ansi_x3.4-1968", TABLE, "windows-1252"},
    {"", TABLE, "windows-1252"},
    {"iso-8859-1", TABLE, "windows-1252"},
    {"latin1", TABLE, "windows-1252"},
    {"iso_8859-1", TABLE, "windows-1252"},
    {"iso8859-1", TABLE, "windows-1252"},
    {"l1", TABLE, "windows-1252"},
    {"cp1252", TABLE, "windows-1252"},
    {"cp1251", TABLE, "windows-1251"},
    {"cp1250", TABLE, "windows-1250"},
    {"latin2", TABLE, "iso-8859-2"},
    {"iso8859-2", TABLE, "iso-8859-2"},
    {"iso8859-15", TABLE, "iso-8859-15"},
    {"latin-9", TABLE, "iso-8859-15"},
    {"latin9", TABLE, "iso-8859-15"},
};

static enum kind find(struct str name, const struct charset_table **table)
{
    enum kind kind = UNKNOWN;

    for (size_t i = 0; i < ARRAY_N(aliases) && kind == UNKNOWN; i++) {
        if (!str_ieq_c(name, aliases[i].alias))
            continue;
        kind = aliases[i].kind;
        name = str_of(aliases[i].table);
    }
    for (size_t i = 0; i < charset_tables_n; i++) {
        if (str_ieq_c(name, charset_tables[i].name)) {
            *table = &charset_tables[i];
            return TABLE;
        }
    }
    return kind;
}

bool charset_is_known(struct str name)
{
    const struct charset_table *table;

    return find(name, &table) != UNKNOWN;
}

void charset_append(struct buf *out, unsigned code)
{
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        code = REPLACEMENT;
    if (code < 0x80) {
        buf_append_u8(out, (uint8_t)code);
        return;
    }
    if (code < 0x800) {
        buf_append_u8(out, (uint8_t)(0xc0 | code >> 6));
    } else if (code < 0x10000) {
        buf_append_u8(out, (uint8_t)(0xe0 | code >> 12));
        buf_append_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
    } else {
        buf_append_u8(out, (uint8_t)(0xf0 | code >> 18));
        buf_append_u8(out, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
        buf_append_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
    }
    buf_append_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
}

/* Length of the well-formed character at the start, 0 if there is none. */
static size_t utf8_char_n(struct str s)
{
    size_t max = s.n < 4 ? s.n : 4;

    for (size_t n = 1; n <= max; n++) {
        if (str_is_utf8(str_head(s, n)))
            return n;
    }
    return 0;
}

static void from_utf8(struct str in, struct buf *out)
{
    if (str_is_utf8(in)) {
        buf_append(out, in);
        return;
    }
    while (in.n) {
        size_t n = utf8_char_n(in);

        if (n)
            buf_append(out, str_head(in, n));
        else
            charset_append(out, REPLACEMENT);
        in = str_skip(in, n ? n : 1);
    }
}

static unsigned unit(struct str s, size_t at, bool little)
{
    unsigned a = (unsigned char)s.p[at];
    unsigned b = (unsigned char)s.p[at + 1];

    return little ? b << 8 | a : a << 8 | b;
}

static void from_utf16(struct str in, bool little, struct buf *out)
{
    size_t at = 0;

    if (in.n >= 2 && unit(in, 0, true) == 0xfeff)
        little = true;
    if (in.n >= 2 && unit(in, 0, little) == 0xfeff)
        at = 2;
    while (at + 2 <= in.n) {
        unsigned u = unit(in, at, little);
        unsigned low = at + 4 <= in.n ? unit(in, at + 2, little) : 0;

        at += 2;
        if (u >= 0xd800 && u < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
            at += 2;
        }
        charset_append(out, u);
    }
    if (at < in.n)
        charset_append(out, REPLACEMENT);
}

static void from_table(const struct charset_table *table, struct str in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        unsigned c = (unsigned char)in.p[i];

        if (c >= 0x80)
            c = table ? table->upper[c - 0x80] : REPLACEMENT;
        charset_append(out, c);
    }
}

bool charset_to_utf8(struct str name, struct str in, struct buf *out)
{
    const struct charset_table *table = NULL;
    enum kind kind = find(name, &table);

    switch (kind) {
    case UTF_8:
        from_utf8(in, out);
        return true;
    case UTF_16:
    case UTF_16LE:
        from_utf16(in, kind == UTF_16LE, out);
        return true;
    case UNKNOWN:
    case TABLE:
        break;
    }
    if (str_is_ascii(in))
        buf_append(out, in);
    else
        from_table(table, in, out);
    return kind != UNKNOWN;
}
