/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/err.h"

#include "mailstack/lib/proto/pop3_cmd.h"

#include "tests/lib/test.h"

static void commands_are_taken_apart_however_they_were_cut(void **state)
{
    static const struct {
        const char *in;
        const char *verb;
        const char *rest;
        size_t args_n;
        const char *args[2];
    } cases[] = {
        {"NOOP\r\n", "NOOP", "", 0, {"", ""}},
        {"\r\n", "", "", 0, {"", ""}},
        {"top 12 5\r\n", "top", "12 5", 2, {"12", "5"}},
        {"TOP  12  5 \r\n", "TOP", " 12  5 ", 2, {"12", "5"}},
        {"DELE 1 2 3\r\n", "DELE", "1 2 3", 3, {"1", "2"}},
        {"DELE 1 2 3 4 5\r\n", "DELE", "1 2 3 4 5", 3, {"1", "2"}},
        {"PASS a b  c \r\n", "PASS", "a b  c ", 3, {"a", "b"}},
        {"PASS \r\n", "PASS", "", 0, {"", ""}},
        {" NOOP\r\n", "", "NOOP", 1, {"NOOP", ""}},
        {"USER \xff\r\n", "USER", "\xff", 1, {"\xff", ""}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct str whole = str_of(cases[i].in);
        struct pop3_cmd c;
        struct err err = {0};
        size_t used;

        for (size_t n = 0; n < whole.n; n++) {
            assert_int_equal(pop3_cmd_parse(str_head(whole, n), &c, &used, &err), PARSE_MORE);
            assert_int_equal(used, 0);
        }
        assert_int_equal(pop3_cmd_parse(whole, &c, &used, &err), PARSE_DONE);
        assert_int_equal(used, whole.n);
        assert_str(c.verb, cases[i].verb);
        assert_str(c.rest, cases[i].rest);
        assert_int_equal(c.args_n, cases[i].args_n);
        for (size_t k = 0; k < c.args_n && k < POP3_ARGS_MAX; k++)
            assert_str(c.args[k], cases[i].args[k]);
    }
}

static void only_the_first_line_is_taken(void **state)
{
    struct pop3_cmd c;
    struct err err = {0};
    size_t used;

    (void)state;
    assert_int_equal(pop3_cmd_parse(STR("STAT\r\nQUIT\r\n"), &c, &used, &err), PARSE_DONE);
    assert_int_equal(used, 6);
    assert_str(c.verb, "STAT");
}

/* A bad line is passed over whole, so that no part of it is read as the next command. */
static void a_bad_line_is_an_error_that_ends_with_it(void **state)
{
    static const struct {
        struct str in;
        size_t used;
    } cases[] = {
        {STR_INIT("NOOP\nQUIT\r\n"), 5},    {STR_INIT("\n"), 1},
        {STR_INIT("USER a\rQUIT\r\n"), 13}, {STR_INIT("USER a\r\r\n"), 9},
        {STR_INIT("USER a\0b\r\n"), 10},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct pop3_cmd c;
        struct err err = {0};
        size_t used;

        assert_int_equal(pop3_cmd_parse(cases[i].in, &c, &used, &err), PARSE_ERROR);
        assert_int_equal(used, cases[i].used);
        assert_true(err.text[0] != '\0');
    }
}

static void a_line_has_a_limit(void **state)
{
    static char line[POP3_LINE_MAX + 1];
    struct pop3_cmd c;
    struct err err = {0};
    size_t used;

    (void)state;
    memset(line, 'a', sizeof(line));
    assert_int_equal(pop3_cmd_parse((struct str){line, POP3_LINE_MAX - 1}, &c, &used, &err),
                     PARSE_MORE);
    assert_int_equal(pop3_cmd_parse((struct str){line, POP3_LINE_MAX}, &c, &used, &err),
                     PARSE_ERROR);
    assert_int_equal(used, 0);
    line[POP3_LINE_MAX - 1] = '\r';
    line[POP3_LINE_MAX] = '\n';
    assert_int_equal(pop3_cmd_parse((struct str){line, sizeof(line)}, &c, &used, &err),
                     PARSE_ERROR);
    line[POP3_LINE_MAX - 2] = '\r';
    line[POP3_LINE_MAX - 1] = '\n';
    assert_int_equal(pop3_cmd_parse((struct str){line, sizeof(line)}, &c, &used, &err), PARSE_DONE);
    assert_int_equal(used, POP3_LINE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_taken_apart_however_they_were_cut),
        cmocka_unit_test(only_the_first_line_is_taken),
        cmocka_unit_test(a_bad_line_is_an_error_that_ends_with_it),
        cmocka_unit_test(a_line_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
