/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/smtp_ehlo.h"
#include "mailstack/lib/proto/smtp_reply.h"

#include "tests/lib/test.h"

static struct smtp_ehlo read_reply(const char *text, struct str *name)
{
    struct smtp_reply r;
    struct smtp_ehlo e;
    struct err err = {0};
    size_t used;

    assert_int_equal(smtp_reply_parse(str_of(text), &r, &used, &err), PARSE_DONE);
    assert_int_equal(used, strlen(text));
    smtp_ehlo_read(&r, &e, name);
    return e;
}

static void everything_that_is_said_is_heard(void **state)
{
    struct str name;
    struct smtp_ehlo e =
        read_reply("250-mx.far.test at your service\r\n250-pipelining\r\n250-SIZE 1000\r\n"
                   "250-8BITMIME\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n250-X-OTHER a b\r\n"
                   "250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250 AUTH LOGIN PLAIN\r\n",
                   &name);

    (void)state;
    assert_str(name, "mx.far.test");
    assert_true(e.pipelining && e.size && e.eightbit && e.utf8 && e.starttls && e.status_codes);
    assert_true(e.dsn && e.auth_plain);
    assert_int_equal(e.size_max, 1000);
}

static void what_is_not_said_is_not_there(void **state)
{
    struct str name;
    struct smtp_ehlo e = read_reply("250 mx.far.test\r\n", &name);

    (void)state;
    assert_str(name, "mx.far.test");
    assert_false(e.pipelining || e.size || e.eightbit || e.utf8 || e.starttls || e.status_codes);
    assert_false(e.dsn || e.auth_plain);
    e = read_reply("250-mx\r\n250-PIPELININGX\r\n250-XPIPELINING\r\n250 AUTH PLAINER\r\n", &name);
    assert_false(e.pipelining || e.auth_plain);
    e = read_reply("250\r\n", &name);
    assert_false(e.pipelining);
    assert_int_equal(name.n, 0);
}

static void odd_forms_are_understood(void **state)
{
    struct str name;
    struct smtp_ehlo e = read_reply("250-mx\n250-SIZE\n250 AUTH=PLAIN\n", &name);

    (void)state;
    assert_true(e.size && e.auth_plain);
    assert_int_equal(e.size_max, 0);
    e = read_reply("250-mx\r\n250-SIZE rubbish\r\n250 SIZE 99999999999999999999999\r\n", &name);
    assert_true(e.size);
    assert_int_equal(e.size_max, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_that_is_said_is_heard),
        cmocka_unit_test(what_is_not_said_is_not_there),
        cmocka_unit_test(odd_forms_are_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
