/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/dot.h"

#include "tests/lib/test.h"

struct row {
    struct str in;
    const char *out; /* NULL: does not end */
    bool bare;
    size_t behind; /* bytes left over */
};

static const struct row rows[] = {
    {STR_INIT(".\r\n"), "", false, 0},
    {STR_INIT("a\r\n.\r\nQUIT\r\n"), "a\r\n", false, 6},
    {STR_INIT("..a\r\n...\r\n.\r\n"), ".a\r\n..\r\n", false, 0},
    {STR_INIT(".a\r\n.\r\n"), "a\r\n", false, 0},
    {STR_INIT("a\n.\n.\r\n.\r\n"), "a\n.\n.\r\n", true, 0},
    {STR_INIT("a\r\n.\nb\r\n.\r\n"), "a\r\n\nb\r\n", true, 0},
    {STR_INIT("a\r.\r\n.\r\n"), "a\r.\r\n", true, 0},
    {STR_INIT("a\r\n.\rb\r\n.\r\n"), "a\r\n\rb\r\n", true, 0},
    {STR_INIT("a\r\r\n.\r\n"), "a\r\r\n", true, 0},
    {STR_INIT("\r\n\r\n.\r\n"), "\r\n\r\n", false, 0},
    {STR_INIT("a\n.\r\n"), NULL, true, 0},
    {STR_INIT("a\r\n.\r"), NULL, false, 0},
    {STR_INIT("a\r\n."), NULL, false, 0},
};

static void check(const struct row *row, size_t cut, size_t out_max)
{
    struct dot_in d = dot_in_start();
    own_buf struct buf out = BUF_INIT(out_max);
    own_buf struct buf all = BUF_INIT(1000);
    size_t at = 0;
    bool ended = false;

    while (at < row->in.n && !ended) {
        struct str piece = str_sub(row->in, at, cut);
        size_t used;

        ended = dot_in_feed(&d, piece, &used, &out);
        buf_append(&all, buf_str(&out));
        buf_reset(&out);
        at += used;
    }
    assert_int_equal(ended, row->out != NULL);
    assert_int_equal(d.bare, row->bare);
    if (ended) {
        assert_str(buf_str(&all), row->out);
        assert_int_equal(row->in.n - at, row->behind);
        assert_int_equal(d.size, all.n);
    }
}

static void any_cut_gives_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        for (size_t cut = 1; cut <= rows[i].in.n; cut++) {
            check(&rows[i], cut, 8);
            check(&rows[i], cut, 1000);
        }
    }
}

static void the_longest_line_is_known(void **state)
{
    struct dot_in d = dot_in_start();
    own_buf struct buf out = BUF_INIT(100);
    size_t used;

    (void)state;
    assert_true(dot_in_feed(&d, STR("ab\r\nabcde\r\nabc\r\n.\r\n"), &used, &out));
    assert_int_equal(d.line_max, 5);
}

static void writing_stuffs_and_ends_lines(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {{"", ".\r\n"},
                 {"a", "a\r\n.\r\n"},
                 {".\r\n..a", "..\r\n...a\r\n.\r\n"},
                 {"a\nb\rc\r\n", "a\r\nb\r\nc\r\n.\r\n"},
                 {"a\r\r\n.b\n", "a\r\n\r\n..b\r\n.\r\n"},
                 {"a\r", "a\r\n.\r\n"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        for (size_t cut = 1; cut < 12; cut++) {
            struct dot_out d = dot_out_start();
            own_buf struct buf out = BUF_INIT(100);
            struct str in = str_of(cases[i].in);

            for (; in.n; in = str_skip(in, cut))
                dot_out_feed(&d, str_head(in, cut), &out);
            dot_out_end(&d, &out);
            assert_str(buf_str(&out), cases[i].out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_gives_the_same),
        cmocka_unit_test(the_longest_line_is_known),
        cmocka_unit_test(writing_stuffs_and_ends_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
