/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "runtime/base/clock.h"

#include "tests/lib/fake_clock.h"
#include "tests/lib/test.h"

static void the_kernels_time_goes_on(void **state)
{
    uint64_t a = clock_now_ms();

    (void)state;
    assert_true(clock_now_ms() >= a);
    assert_true(clock_wall_s() > 1700000000);
    assert_true(clock_wall_us() / 1000000 >= 1700000000);
}

static void a_fake_moves_only_when_told(void **state)
{
    uint64_t start;

    (void)state;
    fake_clock_start();
    start = clock_now_ms();
    assert_int_equal(clock_wall_s(), FAKE_CLOCK_WALL_S);
    fake_clock_advance_ms(1500);
    assert_int_equal(clock_now_ms(), start + 1500);
    assert_int_equal(clock_wall_s(), FAKE_CLOCK_WALL_S + 1);
    fake_clock_stop();
    assert_true(clock_wall_us() != (int64_t)FAKE_CLOCK_WALL_S * 1000000 + 1500000);
}

static void check_text(int64_t seconds, long ns)
{
    const struct timespec t = {.tv_sec = seconds, .tv_nsec = ns};
    char text[CLOCK_TEXT_MAX], expected[CLOCK_TEXT_MAX];
    struct tm tm;

    assert_non_null(gmtime_r(&t.tv_sec, &tm));
    (void)snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ",
                   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                   ns);
    clock_text(&t, text);
    assert_string_equal(text, expected);
}

static void a_time_as_text_is_that_of_the_library(void **state)
{
    const int64_t day = 86400, first = -719162 * day, last = 2932896 * day; /* years 1 and 9999 */

    (void)state;
    for (int64_t t = first; t <= last; t += 11 * day)
        check_text(t, 0);
    for (int64_t d = -200000; d < 200000; d++) { /* every day of eleven centuries, at both ends */
        if (d % 7 != 0 && d % 365 > 5)
            continue;
        check_text(d * day, 1);
        check_text(d * day + day - 1, 999999999);
    }
    for (int64_t t = -3 * day; t < 3 * day; t += 7)
        check_text(t, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernels_time_goes_on),
        cmocka_unit_test(a_fake_moves_only_when_told),
        cmocka_unit_test(a_time_as_text_is_that_of_the_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
