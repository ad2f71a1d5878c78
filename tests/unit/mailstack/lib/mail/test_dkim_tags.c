/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/mail/dkim_tags.h"

#include "tests/lib/test.h"

static void values_come_without_the_folds_around_them(void **state)
{
    struct dkim_tags t;
    struct err err = {0};

    (void)state;
    assert_ok(dkim_tags_parse(STR("v=1; a = rsa\r\n\t;b=\r\n x y\r\n z \r\n ; e=;"), &t, &err),
              &err);
    assert_int_equal(t.n, 4);
    assert_str(dkim_tags_value(&t, "v"), "1");
    assert_str(dkim_tags_value(&t, "a"), "rsa");
    assert_str(dkim_tags_value(&t, "b"), "x y\r\n z");
    assert_str(dkim_tags_get(&t, "b")->whole, "\r\n x y\r\n z \r\n ");
    assert_str(dkim_tags_value(&t, "e"), "");
    assert_non_null(dkim_tags_value(&t, "e").p);
    assert_null(dkim_tags_value(&t, "z").p);
    assert_null(dkim_tags_get(&t, "V"));
}

static void what_is_no_list_is_refused(void **state)
{
    static const char *const bad[] = {"",      ";",  "a",      "a=1;;b=2", "a=1; a=2",  "1a=1",
                                      "a b=1", "=1", "a=\x01", "a=1; b",   "a=1;b=\x7f"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct dkim_tags t;
        struct err err = {0};

        assert_int_equal(dkim_tags_parse(str_of(bad[i]), &t, &err), -1);
    }
}

static void lists_with_colons_are_walked(void **state)
{
    struct str list = STR("From : to\r\n\t:  Subject"), e;

    (void)state;
    assert_true(dkim_tags_has(list, "TO"));
    assert_false(dkim_tags_has(list, "cc"));
    assert_true(dkim_tags_next(&list, &e));
    assert_str(e, "From");
    assert_true(dkim_tags_next(&list, &e));
    assert_str(e, "to");
    assert_true(dkim_tags_next(&list, &e));
    assert_str(e, "Subject");
    assert_false(dkim_tags_next(&list, &e));
}

static void squeezing_leaves_out_white_space(void **state)
{
    char out[4];
    size_t n = 99;

    (void)state;
    assert_int_equal(dkim_tags_squeeze(STR(" a\r\n b\tc "), out, sizeof(out), &n), 0);
    assert_str(((struct str){out, n}), "abc");
    assert_int_equal(dkim_tags_squeeze(STR("abcde"), out, sizeof(out), &n), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_without_the_folds_around_them),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(lists_with_colons_are_walked),
        cmocka_unit_test(squeezing_leaves_out_white_space),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
