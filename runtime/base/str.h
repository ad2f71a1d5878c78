/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str - a view of bytes: pointer and length, not owned, not terminated
 *
 * Everything that came from outside is looked at through a `struct str`. Case-insensitive
 * comparison folds ASCII only, whatever the locale. A view with n == 0 may have p == NULL.
 *
 * Lifetime:  as long as the bytes it looks into.
 * Tests:     tests/unit/runtime/base/test_str.c
 */
#ifndef MR_BASE_STR_H
#define MR_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"

struct err;

struct str {
    const char *p;
    size_t n;
};

#define STR_NONE ((struct str){NULL, 0})
/* A view of a string literal. */
#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})
/* The same, usable in a static initialiser. */
#define STR_INIT(lit)           \
    {                           \
        "" lit, sizeof(lit) - 1 \
    }
/* For "%.*s". */
#define STR_ARG(s) (int)(s).n, (s).p

struct str str_of(const char *c); /* of a terminated string; NULL gives STR_NONE */
struct str str_sub(struct str s, size_t at, size_t n); /* clamped to s */
struct str str_skip(struct str s, size_t n);           /* without its first n bytes; clamped */
struct str str_head(struct str s, size_t n);           /* its first n bytes; clamped */

bool str_eq(struct str a, struct str b);
bool str_eq_c(struct str a, const char *b);
bool str_ieq(struct str a, struct str b); /* ASCII case folded */
bool str_ieq_c(struct str a, const char *b);
int str_cmp(struct str a, struct str b); /* bytewise, shorter first */
int str_icmp(struct str a, struct str b);
bool str_starts(struct str s, struct str with);
bool str_istarts(struct str s, struct str with);
bool str_ends(struct str s, struct str with);
bool str_iends(struct str s, struct str with);

/* Index of the first occurrence, or -1. */
ptrdiff_t str_find(struct str s, char c);
ptrdiff_t str_rfind(struct str s, char c);
ptrdiff_t str_find_any(struct str s, const char *set);
ptrdiff_t str_find_str(struct str s, struct str what);

/* Cuts at the first c: *before and *after are set, c in neither. false and nothing set if there is
 * no c. Outputs may alias the input's variable. */
bool str_cut(struct str s, char c, struct str *before, struct str *after);
/* The same at the last c. */
bool str_rcut(struct str s, char c, struct str *before, struct str *after);
/* Takes the next field of *rest up to c (or the end) into *field; false when *rest is exhausted.
 * "a,,b" gives "a", "", "b"; an empty *rest gives nothing, so "a," gives only "a". */
bool str_next(struct str *rest, char c, struct str *field);

struct str str_trim(struct str s); /* SP, HTAB, CR, LF off both ends */
struct str str_trim_set(struct str s, const char *set);
bool str_is_ascii(struct str s); /* every byte below 0x80 */
bool str_is_utf8(struct str s);  /* well formed, no surrogates, no overlong forms */
bool str_has_nul(struct str s);

/* ASCII helpers that do not look at the locale. */
char ascii_lower(char c);
bool ascii_is_alpha(char c);
bool ascii_is_digit(char c);
bool ascii_is_alnum(char c);
bool ascii_is_space(char c); /* SP and HTAB only */
int ascii_hex(char c);       /* 0..15, or -1 */

/* A terminated copy on the heap, free() it; NULL with err set if s holds a NUL. */
must_check char *str_dup_c(struct str s, struct err *err);

#endif
