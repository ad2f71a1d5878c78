/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"

#include "mailstack/lib/store/maildir.h"
#include "mailstack/lib/store/store.h"

#include "tests/lib/test.h"

static void a_full_name_is_taken_apart(void **state)
{
    struct maildir_name m;

    (void)state;
    assert_true(maildir_parse(STR("1.M2P3.host,S=10,W=12,U=7,V=99:2,FSac"), &m));
    assert_true(str_eq_c(m.base, "1.M2P3.host,S=10,W=12,U=7,V=99"));
    assert_int_equal(m.size, 10);
    assert_int_equal(m.vsize, 12);
    assert_int_equal(m.uid, 7);
    assert_int_equal(m.validity, 99);
    assert_int_equal(m.flags, MAILDIR_FLAGGED | MAILDIR_SEEN | (1u << 6) | (1u << 8));
    assert_int_equal(m.unknown.n, 0);
}

static void a_foreign_name_is_a_message_too(void **state)
{
    struct maildir_name m;

    (void)state;
    assert_true(maildir_parse(STR("1234.x"), &m));
    assert_int_equal(m.uid, 0);
    assert_true(m.size == MAILDIR_NO_SIZE);
    assert_true(maildir_parse(STR("1234.x,S=abc,U=-1:2,SXQ"), &m));
    assert_true(m.size == MAILDIR_NO_SIZE);
    assert_int_equal(m.uid, 0);
    assert_int_equal(m.flags, MAILDIR_SEEN);
    assert_true(str_eq_c(m.unknown, "SXQ"));
    assert_false(maildir_parse(STR(".hidden"), &m));
    assert_false(maildir_parse(STR(""), &m));
}

static void flags_are_sorted_and_unknown_letters_kept(void **state)
{
    struct buf out = BUF_INIT(MAILDIR_NAME_MAX);

    (void)state;
    maildir_format(STR("b"), MAILDIR_SEEN | MAILDIR_DRAFT | (1u << 6), STR("QSX"), &out);
    assert_string_equal(buf_c(&out), "b:2,DQSXa");
    buf_done(&out);
}

static void parse_and_format_are_inverse_for_every_flag(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 32; bit++) {
        struct buf out = BUF_INIT(MAILDIR_NAME_MAX);
        struct maildir_name m;

        maildir_format(STR("b,S=1"), 1u << bit, STR_NONE, &out);
        assert_true(maildir_parse(buf_str(&out), &m));
        assert_int_equal(m.flags, 1u << bit);
        buf_done(&out);
    }
}

static void a_new_uid_takes_the_place_of_the_old(void **state)
{
    struct buf out = BUF_INIT(MAILDIR_NAME_MAX);

    (void)state;
    maildir_with_uid(STR("1.x,S=5,U=3,V=4,W=6"), 8, 9, &out);
    assert_string_equal(buf_c(&out), "1.x,S=5,W=6,U=8,V=9");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_name_is_taken_apart),
        cmocka_unit_test(a_foreign_name_is_a_message_too),
        cmocka_unit_test(flags_are_sorted_and_unknown_letters_kept),
        cmocka_unit_test(parse_and_format_are_inverse_for_every_flag),
        cmocka_unit_test(a_new_uid_takes_the_place_of_the_old),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
