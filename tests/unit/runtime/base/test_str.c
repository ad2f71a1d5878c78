/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "runtime/base/str.h"

#include "tests/lib/test.h"

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static void sub_skip_and_head_are_clamped(void **state)
{
    struct str s = STR("hello");

    (void)state;
    assert_str(str_sub(s, 1, 3), "ell");
    assert_str(str_sub(s, 1, SIZE_MAX), "ello");
    assert_str(str_sub(s, 9, 3), "");
    assert_str(str_skip(s, SIZE_MAX), "");
    assert_str(str_head(s, SIZE_MAX), "hello");
    assert_int_equal(str_skip(STR_NONE, 3).n, 0);
    assert_int_equal(str_of(NULL).n, 0);
}

static void comparison_is_bytewise_and_shorter_first(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        int cmp;
        int icmp;
    } rows[] = {
        {"", "", 0, 0},      {"", "a", -1, -1},
        {"a", "a", 0, 0},    {"a", "A", 1, 0},
        {"ab", "a", 1, 1},   {"abc", "ABD", 1, -1},
        {"\xff", "a", 1, 1}, {"[", "a", -1, -1},
        {"z", "Z[", 1, -1},  {"\xc3\x84", "\xc3\xa4", -1, -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct str a = str_of(rows[i].a);
        struct str b = str_of(rows[i].b);

        assert_int_equal(sign(str_cmp(a, b)), rows[i].cmp);
        assert_int_equal(sign(str_cmp(b, a)), -rows[i].cmp);
        assert_int_equal(sign(str_icmp(a, b)), rows[i].icmp);
        assert_int_equal(str_eq(a, b), rows[i].cmp == 0);
        assert_int_equal(str_ieq(a, b), rows[i].icmp == 0);
        assert_int_equal(str_eq_c(a, rows[i].b), rows[i].cmp == 0);
        assert_int_equal(str_ieq_c(a, rows[i].b), rows[i].icmp == 0);
    }
}

static void beginnings_and_ends(void **state)
{
    struct str s = STR("Hello");

    (void)state;
    assert_true(str_starts(s, STR("He")) && !str_starts(s, STR("he")));
    assert_true(str_istarts(s, STR("hE")) && !str_istarts(s, STR("Hellos")));
    assert_true(str_ends(s, STR("lo")) && !str_ends(s, STR("LO")));
    assert_true(str_iends(s, STR("LO")) && !str_iends(s, STR("xHello")));
    assert_true(str_starts(s, STR_NONE) && str_ends(STR_NONE, STR_NONE));
}

static void finding(void **state)
{
    struct str s = STR("a=b=c");

    (void)state;
    assert_int_equal(str_find(s, '='), 1);
    assert_int_equal(str_rfind(s, '='), 3);
    assert_int_equal(str_find(s, 'x'), -1);
    assert_int_equal(str_rfind(STR_NONE, 'x'), -1);
    assert_int_equal(str_find_any(s, "cb"), 2);
    assert_int_equal(str_find_any(s, ""), -1);
    assert_int_equal(str_find_str(s, STR("=c")), 3);
    assert_int_equal(str_find_str(s, STR("=cc")), -1);
    assert_int_equal(str_find_str(s, STR("")), 0);
}

static void cutting_may_alias_its_input(void **state)
{
    struct str s = STR("key=a=b");
    struct str key;

    (void)state;
    assert_true(str_cut(s, '=', &key, &s));
    assert_str(key, "key");
    assert_str(s, "a=b");
    assert_true(str_rcut(s, '=', &s, &key));
    assert_str(s, "a");
    assert_str(key, "b");
    assert_false(str_cut(s, '=', &key, &s));
    assert_str(s, "a");
    assert_str(key, "b");
}

static void fields_are_taken_one_by_one(void **state)
{
    static const struct {
        const char *text;
        const char *fields; /* joined by '|' with one at the end */
    } rows[] = {{"a,,b", "a||b|"}, {"", ""}, {"a", "a|"}, {"a,", "a|"}, {",", "|"}, {",a", "|a|"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct str rest = str_of(rows[i].text);
        char joined[32] = "";
        size_t n = 0;
        struct str f;

        while (str_next(&rest, ',', &f))
            n += (size_t)snprintf(joined + n, sizeof(joined) - n, "%.*s|", STR_ARG(f));
        assert_string_equal(joined, rows[i].fields);
    }
}

static void trimming(void **state)
{
    (void)state;
    assert_str(str_trim(STR(" \t\r\n a b \n")), "a b");
    assert_str(str_trim(STR(" \t")), "");
    assert_str(str_trim(STR_NONE), "");
    assert_str(str_trim_set(STR("xxaxx"), "x"), "a");
}

static void utf8_is_judged_as_rfc_3629_does(void **state)
{
    static const struct {
        struct str s;
        bool good;
    } rows[] = {
        {STR_INIT(""), true},
        {STR_INIT("plain"), true},
        {STR_INIT("\xc2\x80"), true},
        {STR_INIT("\xdf\xbf"), true},
        {STR_INIT("\xe0\xa0\x80"), true},
        {STR_INIT("\xed\x9f\xbf"), true},
        {STR_INIT("\xee\x80\x80"), true},
        {STR_INIT("\xf0\x90\x80\x80"), true},
        {STR_INIT("\xf4\x8f\xbf\xbf"), true},
        {STR_INIT("\x80"), false},
        {STR_INIT("\xc0\x80"), false},
        {STR_INIT("\xc1\xbf"), false},
        {STR_INIT("\xe0\x9f\xbf"), false},
        {STR_INIT("\xed\xa0\x80"), false},
        {STR_INIT("\xf0\x8f\xbf\xbf"), false},
        {STR_INIT("\xf4\x90\x80\x80"), false},
        {STR_INIT("\xf5\x80\x80\x80"), false},
        {STR_INIT("\xff"), false},
        {STR_INIT("a\xc3"), false},
        {STR_INIT("\xe2\x82"), false},
        {STR_INIT("\xe2\x28\xa1"), false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        assert_int_equal(str_is_utf8(rows[i].s), rows[i].good);
}

static void every_code_point_is_utf8_and_none_with_a_byte_less(void **state)
{
    (void)state;
    for (unsigned c = 0x80; c < 0x110000; c += 7) {
        char b[4];
        size_t n = 0;

        if (c >= 0x10000) {
            b[n++] = (char)(0xf0 | c >> 18);
            b[n++] = (char)(0x80 | (c >> 12 & 63));
        } else if (c >= 0x800) {
            b[n++] = (char)(0xe0 | c >> 12);
        }
        b[n] = n == 0 ? (char)(0xc0 | c >> 6) : (char)(0x80 | (c >> 6 & 63));
        n++;
        b[n++] = (char)(0x80 | (c & 63));
        assert_int_equal(str_is_utf8((struct str){b, n}), c < 0xd800 || c > 0xdfff);
        assert_false(str_is_utf8((struct str){b, n - 1}));
    }
}

static void characters(void **state)
{
    (void)state;
    for (int c = -128; c < 128; c++) {
        char ch = (char)c;
        bool upper = c >= 'A' && c <= 'Z';
        bool lower = c >= 'a' && c <= 'z';
        bool digit = c >= '0' && c <= '9';

        assert_int_equal(ascii_lower(ch), upper ? c + 32 : c);
        assert_int_equal(ascii_is_alpha(ch), upper || lower);
        assert_int_equal(ascii_is_digit(ch), digit);
        assert_int_equal(ascii_is_alnum(ch), upper || lower || digit);
        assert_int_equal(ascii_is_space(ch), c == ' ' || c == '\t');
    }
    assert_int_equal(ascii_hex('f'), 15);
    assert_int_equal(ascii_hex('F'), 15);
    assert_int_equal(ascii_hex('9'), 9);
    assert_int_equal(ascii_hex('g'), -1);
    assert_true(str_is_ascii(STR("a\x7f")) && !str_is_ascii(STR("\x80")));
}

static void a_c_string_never_hides_a_nul(void **state)
{
    struct err err;
    char *copy = str_dup_c(STR("abc"), &err);

    (void)state;
    assert_string_equal(copy, "abc");
    free(copy);
    copy = str_dup_c(STR_NONE, &err);
    assert_string_equal(copy, "");
    free(copy);
    assert_null(str_dup_c(STR("a\0b"), &err));
    assert_err(&err, "NUL");
    assert_true(str_has_nul(STR("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sub_skip_and_head_are_clamped),
        cmocka_unit_test(comparison_is_bytewise_and_shorter_first),
        cmocka_unit_test(beginnings_and_ends),
        cmocka_unit_test(finding),
        cmocka_unit_test(cutting_may_alias_its_input),
        cmocka_unit_test(fields_are_taken_one_by_one),
        cmocka_unit_test(trimming),
        cmocka_unit_test(utf8_is_judged_as_rfc_3629_does),
        cmocka_unit_test(every_code_point_is_utf8_and_none_with_a_byte_less),
        cmocka_unit_test(characters),
        cmocka_unit_test(a_c_string_never_hides_a_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
