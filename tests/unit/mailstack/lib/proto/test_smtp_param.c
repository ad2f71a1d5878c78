/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "mailstack/lib/proto/smtp_param.h"

#include "tests/lib/test.h"

static void mail_is_taken_apart(void **state)
{
    struct smtp_mail m;
    struct err err = {0};

    (void)state;
    assert_ok(smtp_mail_parse(STR("FROM:<a@b.example> SIZE=123  BODY=8bitmime smtputf8 RET=hdrs "
                                  "ENVID=a+2Bb AUTH=<>"),
                              &m, &err),
              &err);
    assert_str(smtp_path_str(&m.from), "a@b.example");
    assert_int_equal(m.size, 123);
    assert_true(m.is_8bit && m.is_utf8);
    assert_int_equal(m.ret, SMTP_RET_HDRS);
    assert_str(m.envid, "a+2Bb");
    assert_ok(smtp_mail_parse(STR("from: <>"), &m, &err), &err);
    assert_int_equal(m.from.n, 0);
    assert_true(m.size == 0 && !m.is_8bit && !m.is_utf8 && !m.ret && !m.envid.p);
}

static void rcpt_is_taken_apart(void **state)
{
    struct smtp_rcpt r;
    struct err err = {0};
    char text[SMTP_NOTIFY_TEXT_MAX];

    (void)state;
    assert_ok(smtp_rcpt_parse(STR("TO:<a@b.example> NOTIFY=delay,SUCCESS ORCPT=rfc822;a+3Db@c"),
                              false, &r, &err),
              &err);
    assert_str(smtp_path_str(&r.to), "a@b.example");
    assert_int_equal(r.notify, SMTP_NOTIFY_DELAY | SMTP_NOTIFY_SUCCESS);
    assert_str(r.orcpt, "rfc822;a+3Db@c");
    smtp_notify_format(r.notify, text);
    assert_string_equal(text, "SUCCESS,DELAY");
    smtp_notify_format(0, text);
    assert_string_equal(text, "");
    smtp_notify_format(15, text);
    assert_string_equal(text, "NEVER,SUCCESS,FAILURE,DELAY");
}

static void a_wrong_parameter_has_its_code(void **state)
{
    static const struct {
        const char *in;
        int code;
    } cases[] = {
        {"TO:<a@b>", EINVAL},
        {"FROM:<a@b>X=1", EINVAL},
        {"FROM:a@b", EINVAL},
        {"FROM:<\xc3\xa4@b>", EILSEQ},
        {"FROM:<a@b> X=1", ENOTSUP},
        {"FROM:<a@b> NOTIFY=NEVER", ENOTSUP},
        {"FROM:<a@b> SIZE", EBADMSG},
        {"FROM:<a@b> SIZE=", EBADMSG},
        {"FROM:<a@b> SIZE=1x", EBADMSG},
        {"FROM:<a@b> SIZE=1 size=1", EBADMSG},
        {"FROM:<a@b> BODY=9BIT", EBADMSG},
        {"FROM:<a@b> SMTPUTF8=1", EBADMSG},
        {"FROM:<a@b> RET=ALL", EBADMSG},
        {"FROM:<a@b> ENVID=", EBADMSG},
        {"FROM:<a@b> ENVID=a+2", EBADMSG},
        {"FROM:<a@b> ENVID=a=b", EBADMSG},
        {"FROM:<a@b> AUTH", EBADMSG},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct smtp_mail m;
        struct err err = {0};

        assert_int_equal(smtp_mail_parse(str_of(cases[i].in), &m, &err), -1);
        assert_int_equal(err.code, cases[i].code);
    }
}

static void a_wrong_parameter_of_rcpt_too(void **state)
{
    static const char *const cases[] = {
        "TO:<a@b> NOTIFY=",        "TO:<a@b> NOTIFY=NEVER,DELAY", "TO:<a@b> NOTIFY=x",
        "TO:<a@b> NOTIFY=DELAY,,", "TO:<a@b> ORCPT=a@b",          "TO:<a@b> ORCPT=;a",
        "TO:<a@b> ORCPT=rfc822;",  "TO:<a@b> ORCPT=rfc822;a=b",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct smtp_rcpt r;
        struct err err = {0};

        assert_int_equal(smtp_rcpt_parse(str_of(cases[i]), false, &r, &err), -1);
        assert_int_equal(err.code, EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_is_taken_apart),
        cmocka_unit_test(rcpt_is_taken_apart),
        cmocka_unit_test(a_wrong_parameter_has_its_code),
        cmocka_unit_test(a_wrong_parameter_of_rcpt_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
