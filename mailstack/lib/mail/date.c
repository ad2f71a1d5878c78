/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text is cut into words (letters) and numbers; what kind a token is, and which fields are
 * still missing, says what it means. So the order hardly matters, as old programs disagreed about
 * it.
 */
#include "mailstack/lib/mail/date.h"

#include <stdbool.h>
#include <stdio.h>

#include "runtime/base/err.h"

#define DAY_S          86400
#define TOKENS_MAX     64
#define YEAR_MIN       1900
#define YEAR_MAX       9999
#define NUMBER_N_MAX   6
#define ZONE_LIMIT_MIN (24 * 60)

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static const struct {
    const char *name;
    int zone_min;
} zones[] = {
    {"UT", 0},     {"UTC", 0},    {"GMT", 0},    {"Z", 0},      {"EST", -300}, {"EDT", -240},
    {"CST", -360}, {"CDT", -300}, {"MST", -420}, {"MDT", -360}, {"PST", -480}, {"PDT", -420},
    {"CET", 60},   {"CEST", 120}, {"MET", 60},   {"MEST", 120}, {"BST", 60},   {"JST", 540},
};

int date_month(struct str name)
{
    for (int i = 0; i < 12; i++) {
        if (name.n >= 3 && str_ieq_c(str_head(name, 3), months[i]))
            return i + 1;
    }
    return 0;
}

const char *date_month_name(int month)
{
    return months[(unsigned)(month - 1) % 12];
}

/* Days since the epoch by counting in eras of 400 years that begin on March 1st. */
static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int64_t date_from_civil(const struct date_civil *c)
{
    return days_from_civil(c->year, c->month, c->day) * DAY_S + c->hour * 3600 + c->minute * 60 +
           c->second;
}

void date_to_civil(int64_t unix_s, struct date_civil *out)
{
    int64_t day = unix_s / DAY_S - (unix_s % DAY_S < 0);
    int64_t in_day = unix_s - day * DAY_S;
    int64_t z = day + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);

    *out = (struct date_civil){
        .year = (int)(yoe + era * 400 + (month <= 2)),
        .month = month,
        .day = (int)(doy - (153 * mp + 2) / 5 + 1),
        .hour = (int)(in_day / 3600),
        .minute = (int)(in_day / 60 % 60),
        .second = (int)(in_day % 60),
        .weekday = (int)(((day + 4) % 7 + 7) % 7),
    };
}

void date_format(char out[DATE_TEXT_MAX], int64_t unix_s, int zone_min)
{
    struct date_civil c;
    unsigned zone = (unsigned)(zone_min < 0 ? -zone_min : zone_min) % ZONE_LIMIT_MIN;

    date_to_civil(unix_s + (int64_t)zone_min * 60, &c);
    (void)snprintf(out, DATE_TEXT_MAX, "%s, %d %s %04d %02d:%02d:%02d %c%02u%02u",
                   days[(unsigned)c.weekday % 7], c.day, date_month_name(c.month), c.year, c.hour,
                   c.minute, c.second, zone_min < 0 ? '-' : '+', zone / 60, zone % 60);
}

/* --- parsing --- */

struct fields {
    struct date_civil c;
    bool has_day;
    bool has_month;
    bool has_year;
    bool has_time;
    bool has_zone;
    int zone_min;
};

/* Skips folding white space and comments. */
static struct str skip_filler(struct str s)
{
    int depth = 0;

    while (s.n) {
        char c = s.p[0];

        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (c == '\\' && depth > 0)
            s = str_skip(s, 1);
        else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != ',')
            break;
        s = str_skip(s, 1);
    }
    return s;
}

static struct str span(struct str s, bool (*is)(char c))
{
    size_t n = 0;

    while (n < s.n && is(s.p[n]))
        n++;
    return str_head(s, n);
}

static int number(struct str digits)
{
    int v = 0;

    for (size_t i = 0; i < digits.n && i < NUMBER_N_MAX; i++)
        v = v * 10 + (digits.p[i] - '0');
    return v;
}

static bool take_number(struct str *s, size_t max, int *out)
{
    struct str digits = span(*s, ascii_is_digit);

    if (digits.n == 0 || digits.n > max)
        return false;
    *out = number(digits);
    *s = str_skip(*s, digits.n);
    return true;
}

/* The text is behind the hour, in front of its ':' (or '.', as some wrote). */
static bool take_time(struct str *s, struct fields *f, int hour)
{
    char sep = s->p[0];

    f->c.hour = hour;
    *s = str_skip(*s, 1);
    *s = skip_filler(*s);
    if (!take_number(s, 2, &f->c.minute))
        return false;
    struct str rest = skip_filler(*s);

    if (rest.n > 1 && rest.p[0] == sep) {
        rest = skip_filler(str_skip(rest, 1));
        if (!take_number(&rest, 2, &f->c.second))
            return false;
        *s = rest;
        if (s->n > 1 && s->p[0] == '.' && ascii_is_digit(s->p[1])) /* a fraction */
            *s = str_skip(*s, 1 + span(str_skip(*s, 1), ascii_is_digit).n);
    }
    f->has_time = true;
    return true;
}

static bool take_zone(struct str *s, struct fields *f)
{
    bool west = s->p[0] == '-';
    struct str digits = span(str_skip(*s, 1), ascii_is_digit);
    int v = number(digits);

    if (digits.n != 4 || v % 100 > 59 || v / 100 > 23)
        return false;
    f->zone_min = v / 100 * 60 + v % 100;
    if (west)
        f->zone_min = -f->zone_min;
    f->has_zone = true;
    *s = str_skip(*s, 1 + digits.n);
    return true;
}

static void set_year(struct fields *f, int v, size_t digits_n)
{
    if (digits_n <= 2)
        v += v < 50 ? 2000 : 1900;
    else if (digits_n == 3)
        v += 1900;
    f->c.year = v;
    f->has_year = true;
}

static bool take_numeric(struct str *s, struct fields *f)
{
    struct str digits = span(*s, ascii_is_digit);
    int v = number(digits);

    *s = str_skip(*s, digits.n);
    struct str next = skip_filler(*s);

    if (!f->has_time && digits.n <= 2 && next.n > 1 && next.p[0] == ':') {
        *s = next;
        return take_time(s, f, v);
    }
    if (!f->has_day && digits.n <= 2 && v >= 1 && v <= 31) {
        f->c.day = v;
        f->has_day = true;
    } else if (!f->has_year && digits.n >= 2 && digits.n <= 4) {
        set_year(f, v, digits.n);
    } else {
        return false;
    }
    return true;
}

/* A weekday says nothing; an unknown word in the zone's place is UTC (RFC 5322 section 4.3). */
static bool take_word(struct str *s, struct fields *f)
{
    struct str w = span(*s, ascii_is_alpha);
    int month = date_month(w);

    *s = str_skip(*s, w.n);
    if (s->n && s->p[0] == '.')
        *s = str_skip(*s, 1);
    if (month && !f->has_month) {
        f->c.month = month;
        f->has_month = true;
        return true;
    }
    for (size_t i = 0; i < ARRAY_N(zones); i++) {
        if (str_ieq_c(w, zones[i].name) && !f->has_zone) {
            f->zone_min = zones[i].zone_min;
            f->has_zone = true;
        }
    }
    return w.n <= 9;
}

static bool take_token(struct str *s, struct fields *f)
{
    char c = s->p[0];

    if (ascii_is_digit(c))
        return take_numeric(s, f);
    if (ascii_is_alpha(c))
        return take_word(s, f);
    if ((c == '+' || c == '-') && f->has_time && !f->has_zone && s->n > 1 &&
        ascii_is_digit(s->p[1]))
        return take_zone(s, f);
    if (c == '-' || c == '/' || c == '.') { /* 12-Jan-1999 */
        *s = str_skip(*s, 1);
        return true;
    }
    return false;
}

static bool is_possible(const struct fields *f)
{
    static const int days_n[13] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const struct date_civil *c = &f->c;

    if (!f->has_day || !f->has_month || !f->has_year || !f->has_time)
        return false;
    return c->year >= YEAR_MIN && c->year <= YEAR_MAX && c->day <= days_n[c->month] &&
           c->hour <= 23 && c->minute <= 59 && c->second <= 60;
}

int date_parse(struct str value, struct date *out, struct err *err)
{
    struct fields f = {0};
    struct str s = skip_filler(value);

    /* What follows a whole date (a comment in other brackets, a second zone) does no harm. */
    for (int i = 0; i < TOKENS_MAX && s.n && take_token(&s, &f); i++)
        s = skip_filler(s);
    if (!is_possible(&f))
        return err_set(err, 0, "no date: '%.*s'", STR_ARG(str_head(value, 80)));
    out->unix_s = date_from_civil(&f.c) - (int64_t)f.zone_min * 60;
    out->zone_min = f.zone_min;
    return 0;
}
