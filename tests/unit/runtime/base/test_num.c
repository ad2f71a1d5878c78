/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/num.h"

#include "tests/lib/test.h"

static void sums_and_products_say_no(void **state)
{
    size_t out = 7;

    (void)state;
    assert_true(num_add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    out = 7;
    assert_false(num_add(SIZE_MAX, 1, &out));
    assert_false(num_mul(SIZE_MAX / 2 + 1, 2, &out));
    assert_int_equal(out, 7);
    assert_true(num_mul(SIZE_MAX, 0, &out));
    assert_int_equal(out, 0);
}

static const char *const never[] = {"",   " ",  "+1", "-",   "--1", "1 ",  " 1", "0x1",
                                    "1a", "a1", "1.", "1,0", "\t1", "1\n", "٣",  "1e3"};

static void only_the_whole_text_is_a_number(void **state)
{
    struct err err;
    uint64_t u = 7;
    uint32_t o = 7;
    int64_t i = 7;

    (void)state;
    for (size_t k = 0; k < ARRAY_N(never); k++) {
        struct str s = str_of(never[k]);

        assert_int_equal(num_parse_u64(s, 0, UINT64_MAX, &u, &err), -1);
        assert_int_equal(num_parse_i64(s, INT64_MIN, INT64_MAX, &i, &err), -1);
        assert_int_equal(num_parse_octal(s, UINT32_MAX, &o, &err), -1);
        assert_int_equal(num_parse_size(s, UINT64_MAX, &u, &err), -1);
        assert_int_equal(num_parse_seconds(s, UINT64_MAX, &u, &err), -1);
    }
    assert_int_equal(num_parse_u64(STR("-1"), 0, UINT64_MAX, &u, &err), -1);
    assert_int_equal(num_parse_u64(STR("1\0"), 0, UINT64_MAX, &u, &err), -1);
    assert_int_equal(num_parse_octal(STR("8"), UINT32_MAX, &o, &err), -1);
    assert_int_equal(num_parse_hex(STR("g"), UINT64_MAX, &u, &err), -1);
    assert_int_equal(u, 7);
    assert_int_equal(o, 7);
    assert_int_equal(i, 7);
}

static void edges(void **state)
{
    struct err err;
    uint64_t u;
    uint32_t v;
    int64_t i;

    (void)state;
    assert_ok(num_parse_u64(STR("18446744073709551615"), 0, UINT64_MAX, &u, &err), &err);
    assert_true(u == UINT64_MAX);
    assert_int_equal(num_parse_u64(STR("18446744073709551616"), 0, UINT64_MAX, &u, &err), -1);
    assert_ok(num_parse_u64(STR("000000000000000000000000000001"), 0, 1, &u, &err), &err);
    assert_int_equal(u, 1);
    assert_ok(num_parse_i64(STR("-9223372036854775808"), INT64_MIN, 0, &i, &err), &err);
    assert_true(i == INT64_MIN);
    assert_int_equal(num_parse_i64(STR("9223372036854775808"), 0, INT64_MAX, &i, &err), -1);
    assert_int_equal(num_parse_i64(STR("-9223372036854775809"), INT64_MIN, 0, &i, &err), -1);
    assert_ok(num_parse_u32(STR("4294967295"), 0, UINT32_MAX, &v, &err), &err);
    assert_int_equal(num_parse_u32(STR("4294967296"), 0, UINT32_MAX, &v, &err), -1);
    assert_ok(num_parse_octal(STR("0755"), 07777, &v, &err), &err);
    assert_int_equal(v, 0755);
    assert_ok(num_parse_hex(STR("DeadBeef"), UINT32_MAX, &u, &err), &err);
    assert_int_equal(u, 0xdeadbeef);
}

static void the_error_says_what_was_found_and_expected(void **state)
{
    struct err err;
    uint64_t u;

    (void)state;
    assert_int_equal(num_parse_u64(STR("99"), 1, 10, &u, &err), -1);
    assert_string_equal(err.text, "found '99', expected a number from 1 to 10");
    assert_int_equal(num_parse_u64(STR("a\nb"), 1, 10, &u, &err), -1);
    assert_err(&err, "found 'a?b'");
    assert_int_equal(num_parse_size(STR("2G"), 1 << 20, &u, &err), -1);
    assert_err(&err, "up to 1M");
}

static void sizes_and_times_have_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
        uint64_t seconds; /* UINT64_MAX: refused */
    } rows[] = {
        {"0", 0, 0},
        {"4096", 4096, 4096},
        {"50K", 51200, UINT64_MAX},
        {"50k", 51200, UINT64_MAX},
        {"2G", 2ULL << 30, UINT64_MAX},
        {"1T", 1ULL << 40, UINT64_MAX},
        {"5M", 5 << 20, 300},
        {"90s", UINT64_MAX, 90},
        {"4h", UINT64_MAX, 14400},
        {"5d", UINT64_MAX, 432000},
        {"2w", UINT64_MAX, 1209600},
        {"M", UINT64_MAX, UINT64_MAX},
        {"5MM", UINT64_MAX, UINT64_MAX},
        {"18446744073709551615M", UINT64_MAX, UINT64_MAX},
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        uint64_t out = UINT64_MAX;

        (void)!num_parse_size(str_of(rows[i].text), UINT64_MAX - 1, &out, &err);
        assert_true(out == rows[i].size);
        out = UINT64_MAX;
        (void)!num_parse_seconds(str_of(rows[i].text), UINT64_MAX - 1, &out, &err);
        assert_true(out == rows[i].seconds);
    }
}

static void sizes_are_shown_for_people(void **state)
{
    static const struct {
        uint64_t n;
        const char *text;
    } rows[] = {{0, "0"},
                {1023, "1023"},
                {1024, "1K"},
                {1536, "1.5K"},
                {1048575, "1023.9K"},
                {21300000, "20.3M"},
                {UINT64_MAX, "15.9E"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        char text[NUM_TEXT_MAX];

        num_format_size(rows[i].n, text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_products_say_no),
        cmocka_unit_test(only_the_whole_text_is_a_number),
        cmocka_unit_test(edges),
        cmocka_unit_test(the_error_says_what_was_found_and_expected),
        cmocka_unit_test(sizes_and_times_have_units),
        cmocka_unit_test(sizes_are_shown_for_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
