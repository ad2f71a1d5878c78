/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "mailstack/lib/mail/date.h"

#include "tests/lib/test.h"

static void dates_of_all_ages_are_read(void **state)
{
    static const struct {
        const char *in;
        int64_t unix_s;
        int zone_min;
    } cases[] = {
        {"Tue, 24 Nov 2026 10:46:18 +0000", 1795517178, 0},
        {" Fri,\r\n 21 Nov 1997 09(comment):   55  :  06 -0600 (CST (x))", 880127706, -360},
        {"21 Nov 97 09:55:06 GMT", 880106106, 0},
        {"Thu, 13\r\n     Feb\r\n  1969\r\n  23:32\r\n -0330 (Newfoundland Time)", -27723480, -210},
        {"Sat, 1 Jan 100 00:00:00 EST", 946702800, -300},
        {"Mon Nov 24 10:46:18 2003", 1069670778, 0},
        {"Mon, 24-Nov-2003 10:46:18 PDT", 1069695978, -420},
        {"24 November 2003 10:46 +0530 junk", 1069650960, 330},
        {"29 Feb 2000 12:00:00.123 Z", 951825600, 0},
        {"31 Dec 2016 23:59:60 +0000", 1483228800, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct err err = {0};
        struct date d = {0};

        assert_ok(date_parse(str_of(cases[i].in), &d, &err), &err);
        assert_int_equal(d.unix_s, cases[i].unix_s);
        assert_int_equal(d.zone_min, cases[i].zone_min);
    }
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const cases[] = {"",
                                        "yesterday",
                                        "24 Nov 2026",
                                        "31 Feb 2026 10:00 +0000",
                                        "1 Jan 2026 25:00:00 +0000",
                                        "1 Jan 12026 10:00",
                                        "10:46:18",
                                        "0 Jan 2026 10:00 +0000",
                                        "1 Jan 1899 10:00 +0000"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct err err = {0};
        struct date d = {.unix_s = 7, .zone_min = 8};

        assert_int_equal(date_parse(str_of(cases[i]), &d, &err), -1);
        assert_int_equal(d.unix_s, 7);
        assert_err(&err, "no date");
    }
}

/* Against the C library's calendar. */
static void the_calendar_is_the_common_one(void **state)
{
    (void)state;
    for (int64_t t = -2208988800; t < INT64_C(253402300800); t += 86399 * INT64_C(37)) {
        struct date_civil c;
        struct tm tm;
        time_t tt = (time_t)t;

        date_to_civil(t, &c);
        assert_non_null(gmtime_r(&tt, &tm));
        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
        assert_int_equal(c.hour, tm.tm_hour);
        assert_int_equal(c.second, tm.tm_sec);
        assert_int_equal(c.weekday, tm.tm_wday);
        assert_int_equal(date_from_civil(&c), t);
    }
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    for (int64_t t = -2208900000; t < INT64_C(253402000000); t += 7999999999) {
        for (int zone = -720; zone <= 840; zone += 195) {
            char text[DATE_TEXT_MAX];
            struct err err = {0};
            struct date d = {0};

            date_format(text, t, zone);
            assert_ok(date_parse(str_of(text), &d, &err), &err);
            assert_int_equal(d.unix_s, t);
            assert_int_equal(d.zone_min, zone);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_of_all_ages_are_read),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(the_calendar_is_the_common_one),
        cmocka_unit_test(what_is_written_is_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
