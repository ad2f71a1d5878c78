/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view of no bytes may have a NULL pointer, which memcmp and friends may not be given: each
 * function looks at n before it looks at p.
 */
#include "runtime/base/str.h"

#include <stdint.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"

struct str str_of(const char *c)
{
    if (c == NULL)
        return STR_NONE;
    return (struct str){c, strlen(c)};
}

struct str str_sub(struct str s, size_t at, size_t n)
{
    return str_head(str_skip(s, at), n);
}

struct str str_skip(struct str s, size_t n)
{
    if (n == 0)
        return s;
    if (n > s.n)
        n = s.n;
    return (struct str){n == 0 ? s.p : s.p + n, s.n - n};
}

struct str str_head(struct str s, size_t n)
{
    return (struct str){s.p, n < s.n ? n : s.n};
}

/* --- comparison ------------------------------------------------------------------------------ */

static int order(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

    return c != 0 ? c : order(a.n, b.n);
}

int str_icmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;

    for (size_t i = 0; i < n; i++) {
        unsigned char x = (unsigned char)ascii_lower(a.p[i]);
        unsigned char y = (unsigned char)ascii_lower(b.p[i]);

        if (x != y)
            return x < y ? -1 : 1;
    }
    return order(a.n, b.n);
}

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eq_c(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

bool str_ieq(struct str a, struct str b)
{
    return a.n == b.n && str_icmp(a, b) == 0;
}

bool str_ieq_c(struct str a, const char *b)
{
    return str_ieq(a, str_of(b));
}

bool str_starts(struct str s, struct str with)
{
    return s.n >= with.n && str_eq(str_head(s, with.n), with);
}

bool str_istarts(struct str s, struct str with)
{
    return s.n >= with.n && str_ieq(str_head(s, with.n), with);
}

bool str_ends(struct str s, struct str with)
{
    return s.n >= with.n && str_eq(str_skip(s, s.n - with.n), with);
}

bool str_iends(struct str s, struct str with)
{
    return s.n >= with.n && str_ieq(str_skip(s, s.n - with.n), with);
}

/* --- search ---------------------------------------------------------------------------------- */

static ptrdiff_t index_of(struct str s, const void *found)
{
    return found == NULL ? -1 : (const char *)found - s.p;
}

ptrdiff_t str_find(struct str s, char c)
{
    return s.n == 0 ? -1 : index_of(s, memchr(s.p, c, s.n));
}

ptrdiff_t str_rfind(struct str s, char c)
{
    return s.n == 0 ? -1 : index_of(s, memrchr(s.p, c, s.n));
}

static bool in_set(char c, struct str set)
{
    return str_find(set, c) >= 0;
}

ptrdiff_t str_find_any(struct str s, const char *set)
{
    struct str any = str_of(set);

    for (size_t i = 0; i < s.n; i++) {
        if (in_set(s.p[i], any))
            return (ptrdiff_t)i;
    }
    return -1;
}

ptrdiff_t str_find_str(struct str s, struct str what)
{
    if (what.n == 0)
        return 0;
    return s.n == 0 ? -1 : index_of(s, memmem(s.p, s.n, what.p, what.n));
}

/* --- cutting --------------------------------------------------------------------------------- */

static bool cut_at(struct str s, ptrdiff_t at, struct str *before, struct str *after)
{
    if (at < 0)
        return false;
    *before = str_head(s, (size_t)at);
    *after = str_skip(s, (size_t)at + 1);
    return true;
}

bool str_cut(struct str s, char c, struct str *before, struct str *after)
{
    return cut_at(s, str_find(s, c), before, after);
}

bool str_rcut(struct str s, char c, struct str *before, struct str *after)
{
    return cut_at(s, str_rfind(s, c), before, after);
}

bool str_next(struct str *rest, char c, struct str *field)
{
    struct str s = *rest;

    if (s.n == 0)
        return false;
    if (!str_cut(s, c, field, rest)) {
        *field = s;
        *rest = STR_NONE;
    }
    return true;
}

struct str str_trim(struct str s)
{
    return str_trim_set(s, " \t\r\n");
}

struct str str_trim_set(struct str s, const char *set)
{
    struct str any = str_of(set);

    while (s.n > 0 && in_set(s.p[0], any))
        s = str_skip(s, 1);
    while (s.n > 0 && in_set(s.p[s.n - 1], any))
        s.n--;
    return s;
}

/* --- properties ------------------------------------------------------------------------------ */

bool str_is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    }
    return true;
}

/* RFC 3629 section 4, as a table: what the first byte may be, how many follow, and between what
 * bounds the second one must lie (which keeps out overlong forms, surrogates and > U+10FFFF). */
struct utf8_form {
    uint8_t first_min;
    uint8_t first_max;
    uint8_t follow_n;
    uint8_t second_min;
    uint8_t second_max;
};

static const struct utf8_form utf8_forms[] = {
    {0x00, 0x7f, 0, 0x00, 0x00}, {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
    {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
    {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

static const struct utf8_form *utf8_form_of(uint8_t first)
{
    for (size_t i = 0; i < ARRAY_N(utf8_forms); i++) {
        if (first >= utf8_forms[i].first_min && first <= utf8_forms[i].first_max)
            return &utf8_forms[i];
    }
    return NULL;
}

/* The length of the character s begins with, or 0 if it is not well formed. */
static size_t utf8_char_n(struct str s)
{
    const struct utf8_form *f = utf8_form_of((uint8_t)s.p[0]);

    if (f == NULL || f->follow_n >= s.n)
        return 0;
    for (size_t i = 1; i <= f->follow_n; i++) {
        uint8_t min = i == 1 ? f->second_min : 0x80;
        uint8_t max = i == 1 ? f->second_max : 0xbf;
        uint8_t c = (uint8_t)s.p[i];

        if (c < min || c > max)
            return 0;
    }
    return (size_t)f->follow_n + 1;
}

bool str_is_utf8(struct str s)
{
    while (s.n > 0) {
        size_t n = utf8_char_n(s);

        if (n == 0)
            return false;
        s = str_skip(s, n);
    }
    return true;
}

bool str_has_nul(struct str s)
{
    return str_find(s, '\0') >= 0;
}

/* --- characters ------------------------------------------------------------------------------ */

char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool ascii_is_alpha(char c)
{
    c = ascii_lower(c);
    return c >= 'a' && c <= 'z';
}

bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool ascii_is_alnum(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c);
}

bool ascii_is_space(char c)
{
    return c == ' ' || c == '\t';
}

int ascii_hex(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *str_dup_c(struct str s, struct err *err)
{
    char *p;

    if (str_has_nul(s)) {
        (void)err_set(err, 0, "text with a NUL byte where none may be");
        return NULL;
    }
    p = mem_new(s.n + 1);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    return p;
}
