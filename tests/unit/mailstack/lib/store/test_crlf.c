/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/attr.h"

#include "mailstack/lib/store/crlf.h"

#include "tests/lib/test.h"

static size_t convert(struct str raw, char *out, size_t cap)
{
    char last = '\0';
    size_t n = 0;

    while (raw.n > 0) {
        size_t got = crlf_convert(&raw, &last, out + n, cap);

        assert_true(got > 0 && got <= cap);
        n += got;
    }
    return n;
}

static void a_lone_lf_becomes_crlf_and_nothing_else_changes(void **state)
{
    static const struct {
        const char *raw, *wire;
    } cases[] = {
        {"", ""},
        {"a", "a"},
        {"\n", "\r\n"},
        {"a\nb\n", "a\r\nb\r\n"},
        {"\r\n", "\r\n"},
        {"\r", "\r"},
        {"\n\n", "\r\n\r\n"},
        {"\r\r\n\n", "\r\r\n\r\n"},
        {"a\rb", "a\rb"},
        {"a\r\nb\nc", "a\r\nb\r\nc"},
    };

    char out[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct str raw = str_of(cases[i].raw);

        if (raw.p == NULL)
            raw = STR("");
        assert_int_equal(crlf_size(raw, '\0'), strlen(cases[i].wire));
        for (size_t cap = 2; cap < 20; cap++) { /* however the output is cut */
            size_t n = convert(raw, out, cap);

            assert_int_equal(n, strlen(cases[i].wire));
            assert_memory_equal(out, cases[i].wire, n);
        }
    }
}

static void the_byte_in_front_counts(void **state)
{
    (void)state;
    assert_int_equal(crlf_size(STR("\nx"), '\r'), 2);
    assert_int_equal(crlf_size(STR("\nx"), 'x'), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_lf_becomes_crlf_and_nothing_else_changes),
        cmocka_unit_test(the_byte_in_front_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
