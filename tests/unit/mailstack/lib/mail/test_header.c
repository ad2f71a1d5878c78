/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/header.h"

#include "tests/lib/test.h"

#define MESSAGE           \
    "From a@b Mon\r\n"    \
    "Subject: one\r\n"    \
    "\ttwo\r\n"           \
    "X-Odd \t: v\r\n"     \
    "no field\n"          \
    "Empty:\n"            \
    " \n"                 \
    "subject: second\r\n" \
    "\r\n"                \
    "body: not a field\r\n"

static void fields_come_in_their_order(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } want[] = {{"", "From a@b Mon"}, {"Subject", " one\r\n\ttwo"},
                {"X-Odd", " v"},      {"", "no field"},
                {"Empty", "\n "},     {"subject", " second"}};
    struct header_walk w = header_walk(STR(MESSAGE));
    struct header_field f;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(want); i++) {
        assert_true(header_next(&w, &f));
        assert_str(f.name, want[i].name);
        assert_str(f.value, want[i].value);
    }
    assert_false(header_next(&w, &f));
    assert_str(w.rest, "body: not a field\r\n");
}

static void the_raw_fields_and_the_rest_are_the_whole(void **state)
{
    (void)state;
    for (size_t n = 0; n <= sizeof(MESSAGE) - 1; n++) {
        struct header_walk w = header_walk(str_head(STR(MESSAGE), n));
        struct header_field f;
        size_t sum = 0;

        while (header_next(&w, &f))
            sum += f.raw.n;
        size_t end = header_end(str_head(STR(MESSAGE), n));

        assert_true(end == n - w.rest.n);
        assert_true(sum == end || sum + 2 == end);
    }
}

static void the_end_is_seen_however_the_bytes_arrive(void **state)
{
    size_t want = header_end(STR(MESSAGE));

    (void)state;
    for (size_t step = 1; step < 20; step++) {
        size_t from = 0;
        size_t end = 0;
        size_t n = step;

        while (!header_end_seen(str_head(STR(MESSAGE), n), &from, &end)) {
            assert_true(n < want);
            n += step;
        }
        assert_int_equal(end, want);
    }
}

static void find_and_count_fold_case(void **state)
{
    struct header_field f;

    (void)state;
    assert_true(header_find(STR(MESSAGE), "SUBJECT", &f));
    assert_str(f.value, " one\r\n\ttwo");
    assert_int_equal(header_count(STR(MESSAGE), "Subject"), 2);
    assert_false(header_find(STR(MESSAGE), "body", &f));
}

static void unfolding_gives_one_line(void **state)
{
    static const struct {
        struct str in;
        const char *out;
    } cases[] = {{STR_INIT(" one\r\n\ttwo\n three "), "one\ttwo three"},
                 {STR_INIT("a\rb\nc\0d"), "a b c d"},
                 {STR_INIT(" \r\n "), ""},
                 {STR_INIT("a\r\nb"), "a b"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf out = BUF_INIT(100);

        header_unfold(cases[i].in, &out);
        assert_str(buf_str(&out), cases[i].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_in_their_order),
        cmocka_unit_test(the_raw_fields_and_the_rest_are_the_whole),
        cmocka_unit_test(the_end_is_seen_however_the_bytes_arrive),
        cmocka_unit_test(find_and_count_fold_case),
        cmocka_unit_test(unfolding_gives_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
