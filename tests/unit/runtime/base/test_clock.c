/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/clock.h"

#include "tests/lib/fake_clock.h"
#include "tests/lib/test.h"

static void the_kernels_time_goes_on(void **state)
{
    uint64_t a = clock_now_us();

    (void)state;
    assert_true(clock_now_us() >= a);
    assert_true(clock_now_ms() >= a / 1000);
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
    assert_int_equal(clock_now_us(), (start + 1500) * 1000);
    assert_int_equal(clock_wall_s(), FAKE_CLOCK_WALL_S + 1);
    fake_clock_stop();
    assert_true(clock_wall_us() != (int64_t)FAKE_CLOCK_WALL_S * 1000000 + 1500000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernels_time_goes_on),
        cmocka_unit_test(a_fake_moves_only_when_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
