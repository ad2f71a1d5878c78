/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "mailstack/lib/proto/smtp_reply.h"

#include "tests/lib/test.h"

static void any_cut_gives_the_same_reply(void **state)
{
    struct str in = STR("250-first\r\n250-second\n250 third\r\n220 next\r\n");
    struct smtp_reply r;
    struct str text;
    struct err err = {0};
    size_t used;
    size_t whole = in.n - strlen("220 next\r\n");

    (void)state;
    for (size_t n = 0; n <= in.n; n++) {
        assert_int_equal(smtp_reply_parse(str_head(in, n), &r, &used, &err),
                         n < whole ? PARSE_MORE : PARSE_DONE);
        assert_int_equal(used, n < whole ? 0 : whole);
    }
    assert_int_equal(r.code, 250);
    assert_str(r.text, "third");
    assert_true(smtp_reply_line(&r.all, &text));
    assert_str(text, "first");
    assert_true(smtp_reply_line(&r.all, &text));
    assert_str(text, "second");
    assert_true(smtp_reply_line(&r.all, &text));
    assert_false(smtp_reply_line(&r.all, &text));
}

static void a_code_alone_is_a_reply(void **state)
{
    struct smtp_reply r;
    struct err err = {0};
    size_t used;

    (void)state;
    assert_int_equal(smtp_reply_parse(STR("354\r\n"), &r, &used, &err), PARSE_DONE);
    assert_int_equal(r.code, 354);
    assert_int_equal(r.text.n, 0);
}

static void what_is_no_reply_is_refused(void **state)
{
    static const char *const cases[] = {"hello\r\n", "199 x\r\n", "650 x\r\n",         "25 x\r\n",
                                        "2500\r\n",  "\r\n",      "250-a\r\n251 b\r\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct smtp_reply r;
        struct err err = {0};
        size_t used;

        assert_int_equal(smtp_reply_parse(str_of(cases[i]), &r, &used, &err), PARSE_ERROR);
    }
}

static void a_reply_has_a_limit(void **state)
{
    static char text[SMTP_REPLY_MAX];
    struct smtp_reply r;
    struct err err = {0};
    size_t used;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[0] = '2';
    text[1] = '5';
    text[2] = '0';
    text[3] = ' ';
    assert_int_equal(smtp_reply_parse((struct str){text, sizeof(text) - 1}, &r, &used, &err),
                     PARSE_MORE);
    assert_int_equal(smtp_reply_parse((struct str){text, sizeof(text)}, &r, &used, &err),
                     PARSE_ERROR);
    assert_int_equal(err.code, EMSGSIZE);
}

static void an_enhanced_status_is_cut_off(void **state)
{
    static const struct {
        unsigned code;
        struct str text;
        const char *status;
        const char *rest;
    } cases[] = {
        {550, STR_INIT("5.1.1 no such user"), "5.1.1", "no such user"},
        {250, STR_INIT("2.0.0"), "2.0.0", ""},
        {550, STR_INIT("4.1.1 of another class"), "", "4.1.1 of another class"},
        {550, STR_INIT("no status"), "", "no status"},
        {550, STR_INIT("5.1 x"), "", "5.1 x"},
        {550, STR_INIT("5.1.1234 x"), "", "5.1.1234 x"},
        {550, STR_INIT(""), "", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct str rest;

        assert_str(smtp_reply_status(cases[i].code, cases[i].text, &rest), cases[i].status);
        assert_str(rest, cases[i].rest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_gives_the_same_reply),  cmocka_unit_test(a_code_alone_is_a_reply),
        cmocka_unit_test(what_is_no_reply_is_refused),   cmocka_unit_test(a_reply_has_a_limit),
        cmocka_unit_test(an_enhanced_status_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
