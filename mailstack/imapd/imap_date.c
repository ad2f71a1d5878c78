/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/imapd/imap_date.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"

#include "mailstack/lib/mail/date.h"

static bool number(struct str s, uint32_t min, uint32_t max, int *out)
{
    struct err ignored;
    uint32_t v;

    if (s.n == 2 && s.p[0] == '0')
        s = str_skip(s, 1);
    if (num_parse_u32(s, min, max, &v, &ignored) < 0)
        return false;
    *out = (int)v;
    return true;
}

static bool civil_date(struct str s, struct date_civil *c)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct str day, month, year;

    if (!str_cut(s, '-', &day, &s) || !str_cut(s, '-', &month, &year) || year.n != 4)
        return false;
    c->month = date_month(month);
    if (month.n != 3 || c->month == 0)
        return false;
    return number(year, 1900, 9999, &c->year) &&
           number(day, 1, (uint32_t)days[c->month - 1], &c->day);
}

static bool civil_time(struct str s, struct date_civil *c)
{
    struct str hour, minute;

    if (!str_cut(s, ':', &hour, &s) || !str_cut(s, ':', &minute, &s))
        return false;
    return number(hour, 0, 23, &c->hour) && number(minute, 0, 59, &c->minute) &&
           number(s, 0, 60, &c->second);
}

static bool zone(struct str s, int *minutes)
{
    int h, m;

    if (s.n != 5 || (s.p[0] != '+' && s.p[0] != '-'))
        return false;
    if (!number(str_sub(s, 1, 2), 0, 23, &h) || !number(str_sub(s, 3, 2), 0, 59, &m))
        return false;
    *minutes = (s.p[0] == '-' ? -1 : 1) * (60 * h + m);
    return true;
}

bool imap_date_time(struct str s, time_t *out)
{
    struct date_civil c = {0};
    struct str day, time;
    int minutes;

    s = str_trim_set(s, " ");
    if (!str_cut(s, ' ', &day, &s) || !str_cut(s, ' ', &time, &s))
        return false;
    if (!civil_date(day, &c) || !civil_time(time, &c) || !zone(s, &minutes))
        return false;
    *out = date_from_civil(&c) - (int64_t)minutes * 60;
    return true;
}

bool imap_date(struct str s, int64_t *days)
{
    struct date_civil c = {0};

    if (!civil_date(s, &c))
        return false;
    *days = date_from_civil(&c) / 86400;
    return true;
}

void imap_date_put(int64_t unix_s, struct buf *out)
{
    struct date_civil c;

    date_to_civil(unix_s, &c);
    buf_printf(out, "\"%02d-%s-%04d %02d:%02d:%02d +0000\"", c.day, date_month_name(c.month),
               c.year, c.hour, c.minute, c.second);
}
