/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"

#include "mailstack/imapd/imap_date.h"

#include "tests/lib/test.h"

static void dates_go_round(void **state)
{
    time_t t = 0;
    int64_t days = 0;
    struct buf out = BUF_INIT(64);

    (void)state;
    assert_true(imap_date_time(STR(" 5-Feb-2020 10:20:30 +0130"), &t));
    assert_int_equal(t, 1580892630);
    imap_date_put(t, &out);
    assert_string_equal(buf_c(&out), "\"05-Feb-2020 08:50:30 +0000\"");
    buf_done(&out);
    assert_true(imap_date_time(STR("05-feb-2020 10:20:30 -0000"), &t));
    assert_true(imap_date(STR("1-Jan-1970"), &days));
    assert_int_equal(days, 0);
    assert_true(imap_date(STR("29-Feb-2024"), &days));
}

static void nonsense_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "5-Feb-2020",
        "5-Foo-2020 10:20:30 +0000",
        "32-Feb-2020 10:20:30 +0000",
        "0-Feb-2020 10:20:30 +0000",
        "5-Feb-20 10:20:30 +0000",
        "5-Feb-2020 24:20:30 +0000",
        "5-Feb-2020 10:20 +0000",
        "5-Feb-2020 10:20:30 0000",
        "5-Feb-2020 10:20:30 +00",
        "5-February-2020 10:20:30 +0000",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        time_t t;

        assert_false(imap_date_time(str_of(bad[i]), &t));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_go_round),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
