/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "mailstack/lib/proto/smtp_cmd.h"

#include "tests/lib/test.h"

static void commands_are_taken_apart(void **state)
{
    static const struct {
        struct str in;
        enum smtp_verb verb;
        const char *name;
        const char *args;
    } cases[] = {
        {STR_INIT("EHLO a.example\r\n"), SMTP_EHLO, "EHLO", "a.example"},
        {STR_INIT("mail FROM:<a@b>\r\n"), SMTP_MAIL, "mail", "FROM:<a@b>"},
        {STR_INIT("Quit\r\n"), SMTP_QUIT, "Quit", ""},
        {STR_INIT("  RSET \t\r\n"), SMTP_RSET, "RSET", ""},
        {STR_INIT("NOOP   a  b \r\n"), SMTP_NOOP, "NOOP", "a  b"},
        {STR_INIT("STARTTLS\r\n"), SMTP_STARTTLS, "STARTTLS", ""},
        {STR_INIT("\r\n"), SMTP_UNKNOWN, "", ""},
        {STR_INIT("MAILFROM:<a@b>\r\n"), SMTP_UNKNOWN, "MAILFROM:<a@b>", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct smtp_cmd c;
        struct err err = {0};
        size_t used;

        for (size_t n = 0; n < cases[i].in.n; n++) {
            assert_int_equal(smtp_cmd_parse(str_head(cases[i].in, n), &c, &used, &err), PARSE_MORE);
            assert_int_equal(used, 0);
        }
        assert_int_equal(smtp_cmd_parse(cases[i].in, &c, &used, &err), PARSE_DONE);
        assert_int_equal(used, cases[i].in.n);
        assert_int_equal(c.verb, cases[i].verb);
        assert_str(c.name, cases[i].name);
        assert_str(c.args, cases[i].args);
    }
}

static void only_crlf_ends_a_line(void **state)
{
    static const struct str cases[] = {
        STR_INIT("NOOP\n"), STR_INIT("NOOP\rX"),        STR_INIT("NOOP\r\r\n"),
        STR_INIT("\n"),     STR_INIT("NOOP\nRSET\r\n"), STR_INIT("NO\0OP\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct smtp_cmd c;
        struct err err = {0};
        size_t used;

        assert_int_equal(smtp_cmd_parse(cases[i], &c, &used, &err), PARSE_ERROR);
        assert_int_equal(err.code, EBADMSG);
        assert_true(used <= cases[i].n);
    }
}

static void a_line_has_a_limit(void **state)
{
    struct str in = STR("12345678\r\n");
    struct str line;
    struct err err = {0};
    size_t used;

    (void)state;
    assert_int_equal(smtp_line_parse(in, 10, &line, &used, &err), PARSE_DONE);
    assert_str(line, "12345678");
    for (size_t n = 0; n <= in.n; n++) {
        enum parse_result want = n < 8 ? PARSE_MORE : PARSE_ERROR;

        assert_int_equal(smtp_line_parse(str_head(in, n), 9, &line, &used, &err), want);
        assert_int_equal(used, 0);
    }
    assert_int_equal(err.code, EMSGSIZE);
}

static void chunks_have_a_size_and_perhaps_an_end(void **state)
{
    static const struct {
        struct str in;
        uint64_t size;
        int rc;
        bool last;
    } cases[] = {
        {STR_INIT("0"), 0, 0, false},         {STR_INIT("86 LAST"), 86, 0, true},
        {STR_INIT("1  last"), 1, 0, true},    {STR_INIT(""), 0, -1, false},
        {STR_INIT("1 FIRST"), 0, -1, false},  {STR_INIT("-1"), 0, -1, false},
        {STR_INIT("1 LAST x"), 0, -1, false}, {STR_INIT("9223372036854775808"), 0, -1, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct err err = {0};
        uint64_t size = 0;
        bool last = false;

        assert_int_equal(smtp_bdat_parse(cases[i].in, &size, &last, &err), cases[i].rc);
        assert_int_equal(size, cases[i].size);
        assert_int_equal(last, cases[i].last);
    }
}

static void names_that_can_do_no_harm_are_taken(void **state)
{
    static const struct {
        struct str in;
        bool ok;
    } cases[] = {
        {STR_INIT("a"), true},
        {STR_INIT("mx_1.b-c.example"), true},
        {STR_INIT("[192.0.2.1]"), true},
        {STR_INIT("[IPv6:2001:db8::1]"), true},
        {STR_INIT("b\xc3\xbc.example"), true},
        {STR_INIT(""), false},
        {STR_INIT("a b"), false},
        {STR_INIT("a\tb"), false},
        {STR_INIT("<a>"), false},
        {STR_INIT("a\xff"), false},
        {STR_INIT("a(b)"), false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++)
        assert_int_equal(smtp_is_helo_name(cases[i].in), cases[i].ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_taken_apart),
        cmocka_unit_test(only_crlf_ends_a_line),
        cmocka_unit_test(a_line_has_a_limit),
        cmocka_unit_test(chunks_have_a_size_and_perhaps_an_end),
        cmocka_unit_test(names_that_can_do_no_harm_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
