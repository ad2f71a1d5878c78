/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/smtp_reply.h"
#include "mailstack/queued/message.h"
#include "mailstack/queued/reply.h"

#include "tests/lib/test.h"

static void a_reply_is_judged_by_its_code(void **state)
{
    static const struct {
        const char *reply;
        enum outcome_kind kind;
        const char *status;
        const char *text;
    } cases[] = {
        {"250 2.0.0 ok\r\n", OUTCOME_SENT, "2.0.0", "250 2.0.0 ok"},
        {"250\r\n", OUTCOME_SENT, "2.0.0", "250"},
        {"550 5.1.1 no such user\r\n", OUTCOME_PERM, "5.1.1", "550 5.1.1 no such user"},
        {"550 go away\r\n", OUTCOME_PERM, "5.0.0", "550 go away"},
        {"550 4.1.1 of another class\r\n", OUTCOME_PERM, "5.0.0", "550 4.1.1 of another class"},
        {"451 4.7.1 greylisted\r\n", OUTCOME_TEMP, "4.7.1", "451 4.7.1 greylisted"},
        {"354 what?\r\n", OUTCOME_TEMP, "4.0.0", "354 what?"},
        {"550-5.7.1 first\r\n550-5.7.1 second\r\n550 5.7.1 third\r\n", OUTCOME_PERM, "5.7.1",
         "550 5.7.1 first second third"},
        {"550-first\r\n550 second\r\n", OUTCOME_PERM, "5.0.0", "550 first second"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf text = BUF_INIT(SMTP_REPLY_MAX);
        struct smtp_reply r;
        struct outcome o;
        struct err err = {0};
        size_t used;

        assert_int_equal(smtp_reply_parse(str_of(cases[i].reply), &r, &used, &err), PARSE_DONE);
        reply_outcome(&r, STR("mx"), &text, &o);
        assert_int_equal(o.kind, cases[i].kind);
        assert_str(o.status, cases[i].status);
        assert_str(o.text, cases[i].text);
        assert_str(o.remote, "mx");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_reply_is_judged_by_its_code)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
