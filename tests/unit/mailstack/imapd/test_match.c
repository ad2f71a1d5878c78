/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"

#include "mailstack/imapd/match.h"

#include "tests/lib/test.h"

static void case_does_not_matter_in_the_alphabets_we_know(void **state)
{
    static const struct {
        const char *what, *in;
        bool found;
    } cases[] = {
        {"", "x", true},        {"B", "abc", true},         {"abcd", "abc", false},
        {"ÄÖÜ", "xäöüx", true}, {"straße", "STRAßE", true}, {"ŽLUŤ", "žluť", true},
        {"ΑΒΓ", "αβγ", true},   {"МОСКВА", "москва", true}, {"ЁЛКА", "ёлка", true},
        {"×", "÷", false},      {"x", "", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct buf folded = BUF_INIT(100);

        match_fold(str_of(cases[i].what), &folded);
        assert_int_equal(match_in(buf_str(&folded), str_of(cases[i].in)), cases[i].found);
        buf_done(&folded);
    }
}

static void folding_twice_is_folding_once(void **state)
{
    (void)state;
    for (unsigned c = 0x80; c < 0x800; c++) {
        char utf8[] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))};
        struct buf once = BUF_INIT(10), twice = BUF_INIT(10);

        match_fold((struct str){utf8, 2}, &once);
        match_fold(buf_str(&once), &twice);
        assert_true(str_eq(buf_str(&once), buf_str(&twice)));
        buf_done(&once);
        buf_done(&twice);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_does_not_matter_in_the_alphabets_we_know),
        cmocka_unit_test(folding_twice_is_folding_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
