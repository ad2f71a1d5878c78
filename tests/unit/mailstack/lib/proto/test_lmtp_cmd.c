/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/err.h"

#include "mailstack/lib/proto/lmtp_cmd.h"

#include "tests/lib/test.h"

static void commands_are_taken_apart(void **state)
{
    static const struct {
        const char *line;
        enum lmtp_verb verb;
        const char *addr;
        uint64_t size, quota;
    } cases[] = {
        {"LHLO me.example", LMTP_LHLO, "", 0, LMTP_NO_QUOTA},
        {"mail from:<a@b.example>", LMTP_MAIL, "a@b.example", 0, LMTP_NO_QUOTA},
        {"MAIL FROM:<> SIZE=12 BODY=8BITMIME SMTPUTF8", LMTP_MAIL, "", 12, LMTP_NO_QUOTA},
        {"MAIL FROM: <a@b> ", LMTP_MAIL, "a@b", 0, LMTP_NO_QUOTA},
        {"RCPT TO:<@x,@y:a@b> XQUOTA=0", LMTP_RCPT, "a@b", 0, 0},
        {"RCPT TO:<\"a b\\\"@\"@c> xquota=77", LMTP_RCPT, "a b\"@@c", 0, 77},
        {"RCPT TO:<j\xc3\xbcrgen@b>", LMTP_RCPT, "j\xc3\xbcrgen@b", 0, LMTP_NO_QUOTA},
        {"RCPT TO:<a@[IPv6:::1]>", LMTP_RCPT, "a@[IPv6:::1]", 0, LMTP_NO_QUOTA},
        {"BDAT 100 LAST", LMTP_BDAT, "", 100, LMTP_NO_QUOTA},
        {"data", LMTP_DATA, "", 0, LMTP_NO_QUOTA},
        {"EHLO x", LMTP_UNKNOWN, "", 0, LMTP_NO_QUOTA},
        {"", LMTP_UNKNOWN, "", 0, LMTP_NO_QUOTA},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct err err = {0};
        struct lmtp_cmd c;

        assert_int_equal(lmtp_cmd_parse(str_of(cases[i].line), &c, &err), 0);
        assert_int_equal(c.verb, cases[i].verb);
        assert_string_equal(c.addr, cases[i].addr);
        assert_true(c.size == cases[i].size && c.quota == cases[i].quota);
    }
}

static void what_is_malformed_is_refused(void **state)
{
    static const char *const bad[] = {
        "LHLO",
        "MAIL",
        "MAIL FROM:a@b",
        "MAIL FROM:<a@b",
        "MAIL FROM:<a>",
        "MAIL FROM:<a@>",
        "MAIL FROM:<a@b>SIZE=1",
        "MAIL FROM:<a@b> SIZE=x",
        "MAIL FROM:<a@b> NONSENSE=1",
        "MAIL FROM:<a@b> BODY=BINARYMIME",
        "RCPT TO:<>",
        "RCPT TO:<\"a@b>",
        "RCPT TO:<a\x01@b>",
        "RCPT TO:<\xff@b>",
        "RCPT TO:<a@b> XQUOTA=-1",
        "RCPT TO:<a@b c>",
        "BDAT",
        "BDAT 1 FIRST",
        "BDAT 5000000000",
        "DATA x",
        "QUIT now",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct err err = {0};
        struct lmtp_cmd c;

        assert_int_equal(lmtp_cmd_parse(str_of(bad[i]), &c, &err), -1);
        assert_true(err.text[0] != '\0');
    }
}

static void an_address_over_the_limit_is_refused(void **state)
{
    char line[LMTP_ADDR_MAX + 64] = "RCPT TO:<";
    struct err err = {0};
    struct lmtp_cmd c;

    (void)state;
    memset(line + 9, 'a', LMTP_ADDR_MAX);
    memcpy(line + 9 + LMTP_ADDR_MAX, "@b>", 4);
    assert_int_equal(lmtp_cmd_parse(str_of(line), &c, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_taken_apart),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(an_address_over_the_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
