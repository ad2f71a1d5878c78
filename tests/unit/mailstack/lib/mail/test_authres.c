/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/authres.h"

#include "tests/lib/test.h"

static void results_stand_one_a_line(void **state)
{
    own_buf struct buf out = BUF_INIT(4096);
    struct authres r = authres_begin(&out, "mail.example.org");

    (void)state;
    authres_add(&r, "spf", "pass", NULL);
    authres_property(&r, "smtp.mailfrom", STR("a@example.com"));
    authres_property(&r, "nothing", STR(""));
    authres_add(&r, "dkim", "fail", "why (not)\r\n?");
    authres_property(&r, "header.i", STR("a b\"c\r\nX: y"));
    authres_end(&r);
    assert_str(buf_str(&out), "mail.example.org;\n\tspf=pass smtp.mailfrom=a@example.com;\n"
                              "\tdkim=fail (why _not___?) header.i=\"a b\\\"c__X: y\"");
}

static void long_lines_are_folded(void **state)
{
    own_buf struct buf out = BUF_INIT(4096);
    struct authres r = authres_begin(&out, "h");
    struct str rest, line;

    (void)state;
    authres_add(&r, "dkim", "pass", "2048-bit key");
    for (int i = 0; i < 8; i++)
        authres_property(&r, "header.d", STR("subdomain.example.org"));
    authres_end(&r);
    rest = buf_str(&out);
    while (str_next(&rest, '\n', &line))
        assert_true(line.n <= 76);
}

static void nothing_is_none(void **state)
{
    own_buf struct buf out = BUF_INIT(64);
    struct authres r = authres_begin(&out, "h.org");

    (void)state;
    authres_end(&r);
    assert_str(buf_str(&out), "h.org; none");
}

static void ones_own_are_recognised_however_written(void **state)
{
    static const struct {
        const char *value;
        bool ours;
    } rows[] = {
        {" mail.example.org; none", true},
        {"MAIL.example.ORG;none", true},
        {"\r\n\tmail.example.org 1; spf=pass", true},
        {"(a (nested) \\) one) mail.example.org(x); none", true},
        {" \"mail.ex\\ample.org\"; none", true},
        {" mail.example.org.; none", true},
        {"mail.example.org", true},
        {" other.example.org; none", false},
        {" mail.example.organ; none", false},
        {" xmail.example.org; none", false},
        {"", false},
        {"(mail.example.org", false},
        {"; mail.example.org", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        if (authres_is_of(str_of(rows[i].value), "mail.example.org") != rows[i].ours)
            fail_msg("'%s'", rows[i].value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_stand_one_a_line),
        cmocka_unit_test(long_lines_are_folded),
        cmocka_unit_test(nothing_is_none),
        cmocka_unit_test(ones_own_are_recognised_however_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
