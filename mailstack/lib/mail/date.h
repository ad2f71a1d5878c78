/* SPDX-License-Identifier: Apache-2.0 */
/*
 * date - dates of mail (RFC 5322 section 3.3 and 4.3), and the calendar beneath; pure
 *
 * Parsing tolerates comments, folds, missing weekday or seconds, two- and three-digit years, named
 * zones, a month in front of the day; it refuses what is no date at all.
 *
 * Limits:    years 1900 to 9999.
 * Tests:     tests/unit/mailstack/lib/mail/test_date.c
 * Fuzz:      tests/fuzz/mailstack/lib/mail/fuzz_date.c
 */
#ifndef MR_MAIL_DATE_H
#define MR_MAIL_DATE_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

struct date {
    int64_t unix_s;
    int zone_min; /* minutes east of UTC, as written */
};

struct date_civil {
    int year;  /* 2026 */
    int month; /* 1 .. 12 */
    int day;   /* 1 .. 31 */
    int hour;
    int minute;
    int second;  /* 60: a leap second */
    int weekday; /* 0 is Sunday; not looked at by date_from_civil */
};

must_check int date_parse(struct str value, struct date *out, struct err *err);

#define DATE_TEXT_MAX 40
/* "Tue, 24 Nov 2026 10:46:18 +0000" */
void date_format(char out[DATE_TEXT_MAX], int64_t unix_s, int zone_min);

void date_to_civil(int64_t unix_s, struct date_civil *out); /* UTC */
int64_t date_from_civil(const struct date_civil *c);        /* UTC */
/* 1 .. 12 for "Jan" .. "Dec" (case folded), or 0. */
int date_month(struct str name);
const char *date_month_name(int month); /* "Jan" */

#endif
