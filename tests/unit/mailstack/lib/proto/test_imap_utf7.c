/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/imap_utf7.h"

#include "tests/lib/test.h"

static void a_name_goes_there_and_back(void **state)
{
    static const struct {
        const char *utf8;
        const char *utf7;
    } cases[] = {
        {"", ""},
        {"INBOX", "INBOX"},
        {"a&b", "a&-b"},
        {"&&", "&-&-"},
        {"~-+,/", "~-+,/"},
        {"Entw\xc3\xbcrfe", "Entw&APw-rfe"},
        {"\xc3\xbc&\xc3\xbc", "&APw-&-&APw-"},
        {"\xe5\x8f\xb0\xe5\x8c\x97", "&U,BTFw-"},
        {"\xf0\x9f\x98\x80", "&2D3eAA-"},
        {"\xf4\x8f\xbf\xbf", "&2,,f,w-"},
        {"\x7f", "&AH8-"},
        {"a\tb", "a&AAk-b"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf there = BUF_INIT(256);
        own_buf struct buf back = BUF_INIT(256);
        struct err err = {0};

        assert_ok(imap_utf7_encode(str_of(cases[i].utf8), &there, &err), &err);
        assert_str(buf_str(&there), cases[i].utf7);
        assert_ok(imap_utf7_decode(buf_str(&there), &back, &err), &err);
        assert_str(buf_str(&back), cases[i].utf8);
    }
}

/* Two spellings of one name would be two names for access and one for the file system. */
static void a_second_spelling_is_refused(void **state)
{
    static const char *const cases[] = {
        "&",               /* no end */
        "&APw",            /* no end */
        "&AGE-",           /* printable ASCII encoded */
        "&ACY-",           /* '&' itself encoded */
        "Entw\xc3\xbcrfe", /* 8 bit */
        "a\tb",            /* a control character in clear */
        "&2D0-",           /* half a pair */
        "&3gA-",           /* the other half */
        "&2D3YPQ-",        /* two first halves */
        "&APx-",           /* padding bits set */
        "&APwA-",          /* a digit too many */
        "&A-",             /* a digit too few */
        "&AP-",            /* likewise */
        "&APw-&APw-",      /* could have been one shift */
        "&AP/w-",          /* '/' is written ',' here */
        "&APw=-",          /* no padding in this alphabet */
        "& APw-",          /* nothing outside the alphabet */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf out = BUF_INIT(256);
        struct err err = {0};

        assert_int_equal(imap_utf7_decode(str_of(cases[i]), &out, &err), -1);
        assert_err(&err, "mailbox name");
    }
}

static void every_cut_of_a_name_is_a_name_or_refused(void **state)
{
    struct str whole = STR("a&APw-b&U,BTFw-&-&2D3eAA-");

    (void)state;
    for (size_t n = 0; n <= whole.n; n++) {
        own_buf struct buf out = BUF_INIT(256);
        own_buf struct buf again = BUF_INIT(256);
        struct err err = {0};

        if (imap_utf7_decode(str_head(whole, n), &out, &err) < 0)
            continue;
        assert_ok(imap_utf7_encode(buf_str(&out), &again, &err), &err);
        assert_true(str_eq(buf_str(&again), str_head(whole, n)));
    }
}

static void what_is_not_utf8_is_not_encoded(void **state)
{
    static const char *const cases[] = {"\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf",
                                        "\xf5\x80\x80\x80"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf out = BUF_INIT(256);
        struct err err = {0};

        assert_int_equal(imap_utf7_encode(str_of(cases[i]), &out, &err), -1);
    }
}

static void a_name_over_the_buffers_limit_is_an_error(void **state)
{
    own_buf struct buf out = BUF_INIT(4);
    own_buf struct buf in = BUF_INIT(4);
    struct err err = {0};

    (void)state;
    assert_int_equal(imap_utf7_encode(STR("\xc3\xbc"), &out, &err), -1);
    assert_int_equal(imap_utf7_decode(STR("abcde"), &in, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_goes_there_and_back),
        cmocka_unit_test(a_second_spelling_is_refused),
        cmocka_unit_test(every_cut_of_a_name_is_a_name_or_refused),
        cmocka_unit_test(what_is_not_utf8_is_not_encoded),
        cmocka_unit_test(a_name_over_the_buffers_limit_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
