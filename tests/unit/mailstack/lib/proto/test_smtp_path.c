/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "mailstack/lib/proto/smtp_path.h"

#include "tests/lib/test.h"

#define ALL (SMTP_PATH_NULL | SMTP_PATH_UTF8 | SMTP_PATH_POSTMASTER)

static void paths_become_canonical(void **state)
{
    static const struct {
        struct str in;
        const char *text;
        const char *local;
        const char *domain;
    } cases[] = {
        {STR_INIT("<a@b.example>"), "a@b.example", "a", "b.example"},
        {STR_INIT("<Al@B.Example> SIZE=1"), "Al@b.example", "Al", "b.example"},
        {STR_INIT("<@r.example,@s.example:a@b.example>"), "a@b.example", "a", "b.example"},
        {STR_INIT("<\"al\"@b.example>"), "al@b.example", "al", "b.example"},
        {STR_INIT("<\"a b\"@b.example>"), "\"a b\"@b.example", "\"a b\"", "b.example"},
        {STR_INIT("<\"a\\\"\\\\b\"@b.example>"), "\"a\\\"\\\\b\"@b.example", "\"a\\\"\\\\b\"",
         "b.example"},
        {STR_INIT("<\"a@b\"@c.example>"), "\"a@b\"@c.example", "\"a@b\"", "c.example"},
        {STR_INIT("<a..b@c.example>"), "\"a..b\"@c.example", "\"a..b\"", "c.example"},
        {STR_INIT("<.a@c.example>"), "\".a\"@c.example", "\".a\"", "c.example"},
        {STR_INIT("<a@[192.0.2.1]>"), "a@[192.0.2.1]", "a", "[192.0.2.1]"},
        {STR_INIT("<a@[IPv6:2001:db8::1]>"), "a@[ipv6:2001:db8::1]", "a", "[ipv6:2001:db8::1]"},
        {STR_INIT("<>"), "", "", ""},
        {STR_INIT("<Postmaster>"), "Postmaster", "Postmaster", ""},
        {STR_INIT("<\xc3\xa4@\xc3\xb6.example>"), "\xc3\xa4@\xc3\xb6.example", "\xc3\xa4",
         "\xc3\xb6.example"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct smtp_path p;
        struct err err = {0};
        size_t used = 0;

        assert_ok(smtp_path_parse(cases[i].in, ALL, &p, &used, &err), &err);
        assert_str(smtp_path_str(&p), cases[i].text);
        assert_str(smtp_path_local(&p), cases[i].local);
        assert_str(smtp_path_domain(&p), cases[i].domain);
        assert_int_equal(cases[i].in.p[used - 1], '>');
        for (size_t n = 0; n < used; n++)
            assert_int_equal(smtp_path_parse(str_head(cases[i].in, n), ALL, &p, &used, &err), -1);
    }
}

static void what_is_no_path_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "a@b",
        "<a@b",
        "<a>",
        "<@b>",
        "<a@>",
        "<a@b..c>",
        "<a@.b>",
        "<a@b.>",
        "<a@-b>",
        "<a@b->",
        "<a b@c>",
        "<a@b c>",
        "<a@b@c>",
        "<\"a@b>",
        "<\"a\"b@c>",
        "<a\x01@b>",
        "<\"a\x7f\"@b>",
        "<a@[1.2>",
        "<a@[]>",
        "<a@[1;2]>",
        "<@r:>",
        "<@r a@b>",
        "<a@b\xff>",
        "<a,b@c>",
        "<(a)@b>",
        "<a\\@b@c>",
        "<\"\"@b\r\n>",
        "<a@b\xc3\xa4\xff>",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct smtp_path p;
        struct err err = {0};
        size_t used;

        assert_int_equal(smtp_path_parse(str_of(cases[i]), SMTP_PATH_UTF8, &p, &used, &err), -1);
        assert_int_equal(err.code, EINVAL);
    }
}

static void flags_decide_about_the_odd_ones(void **state)
{
    static const struct {
        const char *in;
        unsigned flag;
        int code;
    } cases[] = {
        {"<>", SMTP_PATH_NULL, EINVAL},
        {"<postmaster>", SMTP_PATH_POSTMASTER, EINVAL},
        {"<\xc3\xa4@b>", SMTP_PATH_UTF8, EILSEQ},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct smtp_path p;
        struct err err = {0};
        size_t used;

        assert_int_equal(smtp_path_parse(str_of(cases[i].in), 0, &p, &used, &err), -1);
        assert_int_equal(err.code, cases[i].code);
        assert_ok(smtp_path_parse(str_of(cases[i].in), cases[i].flag, &p, &used, &err), &err);
    }
}

static void parts_have_limits(void **state)
{
    char text[512];
    struct smtp_path p;
    struct err err = {0};
    size_t used;

    (void)state;
    for (int n = SMTP_LOCAL_MAX; n <= SMTP_LOCAL_MAX + 1; n++) {
        (void)snprintf(text, sizeof(text), "<%0*d@b>", n, 0);
        assert_int_equal(smtp_path_parse(str_of(text), 0, &p, &used, &err),
                         n > SMTP_LOCAL_MAX ? -1 : 0);
    }
    for (int n = 62; n <= 64; n++) {
        (void)snprintf(text, sizeof(text), "<a@%0*d>", n, 0);
        assert_int_equal(smtp_path_parse(str_of(text), 0, &p, &used, &err), n > 63 ? -1 : 0);
    }
    (void)snprintf(text, sizeof(text), "<a@%060d.%060d.%060d.%060d.%011d>", 0, 0, 0, 0, 0);
    assert_int_equal(smtp_path_parse(str_of(text), 0, &p, &used, &err), 0);
    (void)snprintf(text, sizeof(text), "<a@%060d.%060d.%060d.%060d.%012d>", 0, 0, 0, 0, 0);
    assert_int_equal(smtp_path_parse(str_of(text), 0, &p, &used, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_become_canonical),
        cmocka_unit_test(what_is_no_path_is_refused),
        cmocka_unit_test(flags_decide_about_the_odd_ones),
        cmocka_unit_test(parts_have_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
