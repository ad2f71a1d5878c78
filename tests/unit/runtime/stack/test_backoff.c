/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/backoff.h"

#include "tests/lib/test.h"

static void the_first_restart_is_immediate_and_the_waits_grow(void **state)
{
    static const uint64_t waits[] = {0,    100,  200,   400,   800,   1600,
                                     3200, 6400, 12800, 25600, 30000, 30000};
    struct backoff b = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(waits); i++)
        assert_int_equal(backoff_next(&b, 0), waits[i]);
}

static void a_good_run_begins_anew(void **state)
{
    struct backoff b = {0};

    (void)state;
    for (int i = 0; i < 5; i++)
        (void)backoff_next(&b, BACKOFF_GOOD_MS - 1);
    assert_int_equal(backoff_next(&b, BACKOFF_GOOD_MS - 1), 1600);
    assert_int_equal(backoff_next(&b, BACKOFF_GOOD_MS), 0);
    assert_int_equal(backoff_next(&b, 0), BACKOFF_FIRST_MS);
}

/* A service that dies for weeks: the wait neither overflows nor shrinks. */
static void it_stays_at_the_most(void **state)
{
    struct backoff b = {0};

    (void)state;
    for (int i = 0; i < 100000; i++)
        (void)backoff_next(&b, 0);
    assert_int_equal(backoff_next(&b, 0), BACKOFF_MAX_MS);
    b.fails = UINT32_MAX - 1;
    assert_int_equal(backoff_next(&b, 0), BACKOFF_MAX_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_restart_is_immediate_and_the_waits_grow),
        cmocka_unit_test(a_good_run_begins_anew),
        cmocka_unit_test(it_stays_at_the_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
