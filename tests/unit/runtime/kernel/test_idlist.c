/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/idlist.h"

#include "tests/lib/test.h"

static void ranges_and_numbers_become_bits(void **state)
{
    struct idlist l;
    struct err err = {0};

    (void)state;
    assert_ok(idlist_parse("0-2, 7,64", &l, &err), &err);
    assert_int_equal(l.v[0], 0x87);
    assert_int_equal(l.v[1], 1);
    assert_int_equal(idlist_top(&l), 64);
}

static void what_is_no_list_is_refused(void **state)
{
    static const char *const wrong[] = {"", "x", "3-1", "-1", "1-", "8192", "0-99999"};
    struct idlist l;
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(wrong); i++)
        assert_int_equal(idlist_parse(wrong[i], &l, &err), -1);
}

static void a_full_list_has_all_bits(void **state)
{
    struct idlist l;

    (void)state;
    idlist_fill(&l);
    assert_int_equal(idlist_top(&l), IDLIST_BITS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_and_numbers_become_bits),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(a_full_list_has_all_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
