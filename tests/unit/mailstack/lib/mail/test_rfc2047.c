/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/header.h"
#include "mailstack/lib/mail/rfc2047.h"

#include "tests/lib/test.h"

static void words_are_decoded(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"plain", "plain"},
        {" =?utf-8?Q?gr=C3=BC=C3=9F?=", "grüß"},
        {"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n "
         "=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
         "If you can read this you understand the example."},
        {"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"},
        {"(=?ISO-8859-1?Q?a?= b)", "(a b)"},
        {"(=?ISO-8859-1?Q?a_b?=)", "(a b)"},
        /* a character cut in two */
        {"=?utf-8?B?w7w=?= =?utf-8?Q?=C3?= =?UTF-8?Q?=9F?=", "üß"},
        {"=?US-ASCII*EN?Q?Keith_Moore?= <x>", "Keith Moore <x>"},
        {"=?x-unknown?Q?abc?= z", "=?x-unknown?Q?abc?= z"},
        {"=?utf-8?X?abc?=", "=?utf-8?X?abc?="},
        {"=?utf-8?Q?unended", "=?utf-8?Q?unended"},
        {"a=?=?utf-8?Q?b?=", "a=?b"},
        {"=?utf-8?Q?a=0D=0AB:_c?=", "a  B: c"},
        {"=?utf-8?Q?a b?=", "a b"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf out = BUF_INIT(1000);

        rfc2047_decode(str_of(cases[i].in), &out);
        assert_str(buf_str(&out), cases[i].out);
    }
}

static void what_is_encoded_is_decoded_again(void **state)
{
    static const char *const cases[] = {
        "plain text", "grüß Gott", "=?utf-8?Q?a?=",
        ("ein sehr langer Betreff mit ö und ü und ä, der auf mehrere Wörter verteilt werden muß, denn "
         "jedes ist höchstens fünfundsiebzig Zeichen lang")};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf out = BUF_INIT(1000);
        own_buf struct buf back = BUF_INIT(1000);
        struct str rest;
        struct str line;

        rfc2047_encode(str_of(cases[i]), &out);
        assert_true(str_is_ascii(buf_str(&out)));
        for (rest = buf_str(&out); header_line(&rest, &line);)
            assert_true(header_chomp(line).n <= 76);
        rfc2047_decode(buf_str(&out), &back);
        assert_str(buf_str(&back), cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_decoded),
        cmocka_unit_test(what_is_encoded_is_decoded_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
