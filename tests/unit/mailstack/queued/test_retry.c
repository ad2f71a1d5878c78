/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/conf.h"
#include "mailstack/queued/retry.h"

#include "tests/lib/test.h"

static const struct conf conf = {.first_s = 60, .max_s = 14400, .give_up_s = 432000};

static void intervals_double_up_to_the_greatest(void **state)
{
    static const int64_t waits[] = {60, 120, 240, 480, 960, 1920, 3840, 7680, 14400, 14400};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(waits); i++)
        assert_int_equal(retry_next(&conf, 0, (uint32_t)i + 1, 1000), 1000 + waits[i]);
    assert_int_equal(retry_next(&conf, 0, UINT32_MAX, 1000), 1000 + 14400);
}

static void the_last_attempt_is_at_the_end(void **state)
{
    int64_t end = 500 + conf.give_up_s;

    (void)state;
    assert_int_equal(retry_next(&conf, 500, 99, end - 1), end);
    assert_false(retry_is_over(&conf, 500, end - 1));
    assert_true(retry_is_over(&conf, 500, end));
    assert_int_equal(retry_next(&conf, 500, 99, end), end + 14400);
}

static void a_delay_is_told_after_hours_or_half_of_the_time(void **state)
{
    struct conf quick = {.first_s = 1, .max_s = 1, .give_up_s = 10};

    (void)state;
    assert_false(retry_is_late(&conf, 0, RETRY_DELAY_S - 1));
    assert_true(retry_is_late(&conf, 0, RETRY_DELAY_S));
    assert_false(retry_is_late(&quick, 0, 4));
    assert_true(retry_is_late(&quick, 0, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_double_up_to_the_greatest),
        cmocka_unit_test(the_last_attempt_is_at_the_end),
        cmocka_unit_test(a_delay_is_told_after_hours_or_half_of_the_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
