/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/caps.h"

#include "tests/lib/test.h"

static void nothing_is_given_that_is_not_held(void **state)
{
    struct caps c = {.bounding = 0xff,
                     .effective = 0x0f,
                     .permitted = 0x3f,
                     .inheritable = 0x30,
                     .ambient = 0x3f};
    struct caps r = caps_within(&c, 0x15);

    (void)state;
    assert_int_equal(r.permitted, 0x15);
    assert_int_equal(r.effective, 0x05);
    assert_int_equal(r.inheritable, 0x10);
    assert_int_equal(r.ambient, 0x10);
    assert_int_equal(r.bounding, 0xff);
}

static void effective_and_ambient_need_the_permitted_ones(void **state)
{
    struct caps c = {.effective = 2, .inheritable = 2, .ambient = 2};
    struct caps r = caps_within(&c, UINT64_MAX);

    (void)state;
    assert_int_equal(r.effective, 0);
    assert_int_equal(r.ambient, 0);
    assert_int_equal(r.inheritable, 2);
}

static void ones_own_sets_can_be_read(void **state)
{
    struct caps c;
    struct err err = {0};

    (void)state;
    assert_ok(caps_get(&c, &err), &err);
    assert_int_equal(c.effective & ~c.permitted, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_given_that_is_not_held),
        cmocka_unit_test(effective_and_ambient_need_the_permitted_ones),
        cmocka_unit_test(ones_own_sets_can_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
