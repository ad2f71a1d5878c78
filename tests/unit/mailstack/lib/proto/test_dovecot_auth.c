/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/dovecot_auth.h"

#include "tests/lib/test.h"

static enum parse_result parse(struct str in, struct dovecot_line *l, size_t *used)
{
    struct err err = {0};
    enum parse_result r = dovecot_auth_parse(in, l, used, &err);

    assert_true(r != PARSE_ERROR || err.text[0] != '\0');
    return r;
}

static void a_line_is_taken_apart_however_it_was_cut(void **state)
{
    struct str whole =
        STR("AUTH\t7\tPLAIN\tservice=smtp\tsecured\trip=192.0.2.1\tresp=AGEAYg==\nX");
    struct dovecot_line l;
    struct str value;
    size_t used;

    (void)state;
    for (size_t n = 0; n < whole.n - 1; n++) {
        assert_int_equal(parse(str_head(whole, n), &l, &used), PARSE_MORE);
        assert_int_equal(used, 0);
    }
    assert_int_equal(parse(whole, &l, &used), PARSE_DONE);
    assert_int_equal(used, whole.n - 1);
    assert_int_equal(l.n, 7);
    assert_str(l.field[0], "AUTH");
    assert_true(dovecot_auth_get(&l, 3, "service", &value));
    assert_str(value, "smtp");
    assert_true(dovecot_auth_get(&l, 3, "secured", &value));
    assert_true(value.p != NULL && value.n == 0);
    assert_true(dovecot_auth_get(&l, 3, "resp", &value));
    assert_str(value, "AGEAYg==");
}

static void a_key_is_not_found_by_a_part_of_it(void **state)
{
    struct dovecot_line l;
    struct str value = STR("untouched");
    size_t used;

    (void)state;
    assert_int_equal(parse(STR("OK\t1\tusername=eve\treusers\tuse\tnouser=x\n"), &l, &used),
                     PARSE_DONE);
    assert_false(dovecot_auth_get(&l, 2, "user", &value));
    assert_str(value, "untouched");
    assert_false(dovecot_auth_get(&l, 3, "username", &value));
    assert_true(dovecot_auth_get(&l, 2, "username", &value));
}

static void empty_fields_keep_their_places(void **state)
{
    struct dovecot_line l;
    size_t used;

    (void)state;
    assert_int_equal(parse(STR("FAIL\t\t3\n"), &l, &used), PARSE_DONE);
    assert_int_equal(l.n, 3);
    assert_int_equal(l.field[1].n, 0);
    assert_str(l.field[2], "3");
    assert_int_equal(parse(STR("\n"), &l, &used), PARSE_ERROR);
    assert_int_equal(used, 1);
}

static void too_long_and_too_many_are_errors(void **state)
{
    static char line[DOVECOT_LINE_MAX + 2];
    struct dovecot_line l;
    size_t used;

    (void)state;
    memset(line, 'a', sizeof(line));
    assert_int_equal(parse((struct str){line, DOVECOT_LINE_MAX - 1}, &l, &used), PARSE_MORE);
    assert_int_equal(parse((struct str){line, DOVECOT_LINE_MAX}, &l, &used), PARSE_ERROR);
    line[DOVECOT_LINE_MAX] = '\n';
    assert_int_equal(parse((struct str){line, sizeof(line)}, &l, &used), PARSE_ERROR);
    line[DOVECOT_LINE_MAX - 1] = '\n';
    assert_int_equal(parse((struct str){line, sizeof(line)}, &l, &used), PARSE_DONE);
    for (size_t i = 0; i < DOVECOT_FIELDS_MAX; i++)
        line[2 * i + 1] = '\t';
    assert_int_equal(parse((struct str){line, sizeof(line)}, &l, &used), PARSE_ERROR);
    line[2 * (DOVECOT_FIELDS_MAX - 1) + 1] = 'b';
    assert_int_equal(parse((struct str){line, sizeof(line)}, &l, &used), PARSE_DONE);
    assert_int_equal(l.n, DOVECOT_FIELDS_MAX);
}

/* A user name with a TAB or LF must not become a field or a line of its own. */
static void no_value_can_split_the_line(void **state)
{
    static const char evil[] = "a\tuser=root\n\0\001\rOK\t1";
    struct str value = {evil, sizeof(evil) - 1};
    own_buf struct buf b = BUF_INIT(256);
    own_buf struct buf back = BUF_INIT(256);
    struct dovecot_line l;
    struct err err = {0};
    struct str got;
    size_t used;

    (void)state;
    dovecot_auth_begin(&b, "OK");
    dovecot_auth_field(&b, NULL, STR("1"));
    dovecot_auth_field(&b, "user", value);
    dovecot_auth_end(&b);
    assert_int_equal(parse(buf_str(&b), &l, &used), PARSE_DONE);
    assert_int_equal(used, b.n);
    assert_int_equal(l.n, 3);
    assert_true(dovecot_auth_get(&l, 2, "user", &got));
    assert_ok(dovecot_auth_unescape(got, &back, &err), &err);
    assert_true(str_eq(buf_str(&back), value));
}

static void an_unknown_escape_is_refused(void **state)
{
    static const struct str cases[] = {STR_INIT("\001"), STR_INIT("ab\001"), STR_INIT("\001x"),
                                       STR_INIT("\001\001"), STR_INIT("\001T")};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf out = BUF_INIT(64);
        struct err err = {0};

        assert_int_equal(dovecot_auth_unescape(cases[i], &out, &err), -1);
        assert_err(&err, "escape");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_taken_apart_however_it_was_cut),
        cmocka_unit_test(a_key_is_not_found_by_a_part_of_it),
        cmocka_unit_test(empty_fields_keep_their_places),
        cmocka_unit_test(too_long_and_too_many_are_errors),
        cmocka_unit_test(no_value_can_split_the_line),
        cmocka_unit_test(an_unknown_escape_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
