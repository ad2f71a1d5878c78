/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/charset.h"

#include "tests/lib/test.h"

static void sets_become_utf8(void **state)
{
    static const struct {
        const char *set;
        struct str in;
        const char *out;
        bool known;
    } cases[] = {
        {"UTF-8", STR_INIT("gr\xc3\xbc\xc3\x9f"), "grüß", true},
        {"utf8", STR_INIT("a\xff\xc3"), "a\xef\xbf\xbd\xef\xbf\xbd", true},
        {"us-ascii", STR_INIT("plain"), "plain", true},
        {"ISO-8859-1", STR_INIT("gr\xfc\xdf \x80"), "grüß €", true},
        {"iso-8859-15", STR_INIT("\xa4"), "€", true},
        {"windows-1252", STR_INIT("\x93q\x94"), "“q”", true},
        {"koi8-r", STR_INIT("\xd0\xd2\xc9\xd7\xc5\xd4"), "привет", true},
        {"iso-8859-2", STR_INIT("\xb3"), "ł", true},
        {"utf-16",
         STR_INIT("\xff\xfe"
                  "a\0\x3d\xd8\0\xde"),
         "a\xf0\x9f\x98\x80", true},
        {"utf-16be", STR_INIT("\0a\0b"), "ab", true},
        {"x-unheard-of", STR_INIT("a\x80"), "a\xef\xbf\xbd", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf out = BUF_INIT(100);

        assert_int_equal(charset_to_utf8(str_of(cases[i].set), cases[i].in, &out), cases[i].known);
        assert_int_equal(charset_is_known(str_of(cases[i].set)), cases[i].known);
        assert_str(buf_str(&out), cases[i].out);
    }
}

static void every_byte_of_every_set_gives_utf8(void **state)
{
    static const char *const sets[] = {"us-ascii", "iso-8859-1", "iso-8859-7", "windows-1255",
                                       "utf-8",    "utf-16",     "koi8-u",     "none"};
    char all[256];

    (void)state;
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    for (size_t i = 0; i < ARRAY_N(sets); i++) {
        own_buf struct buf out = BUF_INIT(2000);

        (void)charset_to_utf8(str_of(sets[i]), (struct str){all, sizeof(all)}, &out);
        assert_true(str_is_utf8(buf_str(&out)));
        assert_false(out.failed);
    }
}

static void what_is_no_code_point_is_replaced(void **state)
{
    static const unsigned cases[] = {0xd800, 0xdfff, 0x110000, 0xffffffff};
    own_buf struct buf out = BUF_INIT(100);

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        buf_reset(&out);
        charset_append(&out, cases[i]);
        assert_str(buf_str(&out), "\xef\xbf\xbd");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_become_utf8),
        cmocka_unit_test(every_byte_of_every_set_gives_utf8),
        cmocka_unit_test(what_is_no_code_point_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
