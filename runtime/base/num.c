/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/num.h"

#include <stdio.h>

#include "runtime/base/err.h"

#define SHOWN_MAX 40 /* of the offending text, in an error */

bool num_add(size_t a, size_t b, size_t *out)
{
    size_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

bool num_mul(size_t a, size_t b, size_t *out)
{
    size_t product;

    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

/* What is left of text that did not parse, short and printable, for an error. */
struct shown {
    char text[SHOWN_MAX + 4];
};

static struct shown show(struct str s)
{
    struct shown out;
    size_t n = s.n < SHOWN_MAX ? s.n : SHOWN_MAX;

    for (size_t i = 0; i < n; i++)
        out.text[i] = s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?';
    (void)snprintf(out.text + n, sizeof(out.text) - n, "%s", s.n > n ? "..." : ""); /* fits */
    return out;
}

/* Digits of a base up to 16, nothing else, without overflow. */
static bool parse_digits(struct str s, unsigned base, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int d = ascii_hex(s.p[i]);

        if (d < 0 || (unsigned)d >= base)
            return false;
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, (unsigned)d, &v))
            return false;
    }
    *out = v;
    return true;
}

int num_parse_u64(struct str s, uint64_t min, uint64_t max, uint64_t *out, struct err *err)
{
    uint64_t v;

    if (!parse_digits(s, 10, &v) || v < min || v > max)
        return err_set(err, 0, "found '%s', expected a number from %llu to %llu", show(s).text,
                       (unsigned long long)min, (unsigned long long)max);
    *out = v;
    return 0;
}

int num_parse_u32(struct str s, uint32_t min, uint32_t max, uint32_t *out, struct err *err)
{
    uint64_t v;

    if (num_parse_u64(s, min, max, &v, err) < 0)
        return -1;
    *out = (uint32_t)v;
    return 0;
}

static bool parse_signed(struct str s, int64_t *out)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    uint64_t v;

    if (!parse_digits(str_skip(s, minus ? 1 : 0), 10, &v))
        return false;
    if (v > (uint64_t)INT64_MAX + (minus ? 1U : 0U))
        return false;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

int num_parse_i64(struct str s, int64_t min, int64_t max, int64_t *out, struct err *err)
{
    int64_t v;

    if (!parse_signed(s, &v) || v < min || v > max)
        return err_set(err, 0, "found '%s', expected a number from %lld to %lld", show(s).text,
                       (long long)min, (long long)max);
    *out = v;
    return 0;
}

int num_parse_octal(struct str s, uint32_t max, uint32_t *out, struct err *err)
{
    uint64_t v;

    if (!parse_digits(s, 8, &v) || v > max)
        return err_set(err, 0, "found '%s', expected an octal number up to %o", show(s).text, max);
    *out = (uint32_t)v;
    return 0;
}

int num_parse_hex(struct str s, uint64_t max, uint64_t *out, struct err *err)
{
    uint64_t v;

    if (!parse_digits(s, 16, &v) || v > max)
        return err_set(err, 0, "found '%s', expected a hexadecimal number up to %llx", show(s).text,
                       (unsigned long long)max);
    *out = v;
    return 0;
}

/* --- with a unit ----------------------------------------------------------------------------- */

struct unit {
    char name; /* lower case */
    uint64_t factor;
};

static const struct unit sizes[] = {
    {'k', 1ULL << 10}, {'m', 1ULL << 20}, {'g', 1ULL << 30}, {'t', 1ULL << 40}, {'\0', 1}};
static const struct unit times[] = {{'s', 1},     {'m', 60},     {'h', 3600},
                                    {'d', 86400}, {'w', 604800}, {'\0', 1}};

static uint64_t cut_unit(struct str *s, const struct unit *units)
{
    char last = s->n > 0 ? ascii_lower(s->p[s->n - 1]) : '\0';

    while (units->name != '\0' && units->name != last)
        units++;
    if (units->name != '\0')
        s->n--;
    return units->factor;
}

static bool parse_unit(struct str s, const struct unit *units, uint64_t max, uint64_t *out)
{
    uint64_t factor = cut_unit(&s, units);
    uint64_t v;

    if (!parse_digits(s, 10, &v) || __builtin_mul_overflow(v, factor, &v) || v > max)
        return false;
    *out = v;
    return true;
}

int num_parse_size(struct str s, uint64_t max, uint64_t *out, struct err *err)
{
    char limit[NUM_TEXT_MAX];

    if (parse_unit(s, sizes, max, out))
        return 0;
    num_format_size(max, limit);
    return err_set(err, 0, "found '%s', expected a size up to %s, such as 4096 or 50M",
                   show(s).text, limit);
}

int num_parse_seconds(struct str s, uint64_t max, uint64_t *out, struct err *err)
{
    if (parse_unit(s, times, max, out))
        return 0;
    return err_set(err, 0, "found '%s', expected a time up to %llus, such as 90, 5m, 4h or 5d",
                   show(s).text, (unsigned long long)max);
}

void num_format_size(uint64_t bytes, char out[NUM_TEXT_MAX])
{
    static const char units[] = {'B', 'K', 'M', 'G', 'T', 'P', 'E'};
    uint64_t tenths = 0;
    size_t unit = 0;

    while (bytes >= 1024 && unit + 1 < ARRAY_N(units)) {
        tenths = bytes % 1024 * 10 / 1024;
        bytes /= 1024;
        unit++;
    }
    if (unit == 0)
        (void)snprintf(out, NUM_TEXT_MAX, "%u", (unsigned)bytes); /* below 1024 */
    else if (tenths == 0)
        (void)snprintf(out, NUM_TEXT_MAX, "%u%c", (unsigned)bytes, units[unit]);
    else
        (void)snprintf(out, NUM_TEXT_MAX, "%u.%u%c", (unsigned)bytes, (unsigned)tenths,
                       units[unit]);
}
