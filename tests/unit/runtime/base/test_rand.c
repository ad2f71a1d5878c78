/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/rand.h"

#include "tests/lib/test.h"

static void below_stays_below_and_reaches_everything(void **state)
{
    unsigned seen[7] = {0};

    (void)state;
    for (int i = 0; i < 2000; i++)
        seen[rand_below(ARRAY_N(seen))]++;
    for (size_t i = 0; i < ARRAY_N(seen); i++)
        assert_true(seen[i] > 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(rand_below(1), 0);
}

static void hex_is_terminated_and_differs(void **state)
{
    char a[33];
    char b[33];

    (void)state;
    rand_hex(a, 32);
    rand_hex(b, 32);
    assert_int_equal(strlen(a), 32);
    assert_int_equal(strspn(a, "0123456789abcdef"), 32);
    assert_string_not_equal(a, b);
    assert_true(rand_u64() != rand_u64());
    rand_hex(a, 0);
    assert_string_equal(a, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_stays_below_and_reaches_everything),
        cmocka_unit_test(hex_is_terminated_and_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
