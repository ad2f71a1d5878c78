/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"

#include "mailstack/imapd/section.h"

#include "tests/lib/test.h"

static void sections_are_taken_apart(void **state)
{
    static const struct {
        const char *text;
        enum section_what what;
        size_t path_n, fields_n, label_n;
        bool has_partial;
    } cases[] = {
        {"]", SECTION_ALL, 0, 0, 1, false},
        {"]<0.5>", SECTION_ALL, 0, 0, 1, true},
        {"1.2.3]", SECTION_ALL, 3, 0, 6, false},
        {"1.TEXT]", SECTION_TEXT, 1, 0, 7, false},
        {"header]", SECTION_HEADER, 0, 0, 7, false},
        {"2.MIME]<7.1>", SECTION_MIME, 1, 0, 7, true},
        {"HEADER.FIELDS (A \"b\" c)]", SECTION_FIELDS, 0, 3, 24, false},
        {"1.HEADER.FIELDS.NOT (A)]", SECTION_NOT, 1, 1, 24, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct arena *a = arena_new(1 << 16);
        struct section s;
        size_t label_n = 0;

        assert_true(section_parse(str_of(cases[i].text), a, &s, &label_n));
        assert_int_equal(s.what, cases[i].what);
        assert_int_equal(s.path_n, cases[i].path_n);
        assert_int_equal(s.fields_n, cases[i].fields_n);
        assert_int_equal(label_n, cases[i].label_n);
        assert_int_equal(s.has_partial, cases[i].has_partial);
        arena_free(a);
    }
}

static void what_is_malformed_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "1",
        "0]",
        "1.]",
        "1..2]",
        "MIME]",
        "NOTHING]",
        "1.2",
        "]<>",
        "]<1>",
        "]<1.0>",
        "]<1.2",
        "]x",
        "TEXT",
        "HEADER.FIELDS]",
        "HEADER.FIELDS ()]",
        "HEADER.FIELDS (a]",
        "HEADER.FIELDS (a",
        "HEADER.FIELDS (\"a)]",
        "4294967296]",
        "1.TEXT.2]",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct arena *a = arena_new(1 << 16);
        struct section s;
        size_t label_n;

        assert_false(section_parse(str_of(bad[i]), a, &s, &label_n));
        arena_free(a);
    }
}

static void chosen_fields_keep_their_order_and_end_with_an_empty_line(void **state)
{
    struct str raw = STR("A: 1\nB: 2\n folded\nA: 3\n\nbody\n");
    struct arena *a = arena_new(1 << 16);
    struct buf made = BUF_INIT(1000);
    struct section s;
    size_t label_n;

    (void)state;
    assert_true(section_parse(STR("HEADER.FIELDS (B a)]"), a, &s, &label_n));
    assert_true(str_eq_c(section_find(&s, NULL, raw, &made), "A: 1\nB: 2\n folded\nA: 3\n\r\n"));
    buf_reset(&made);
    assert_true(section_parse(STR("HEADER.FIELDS.NOT (a)]"), a, &s, &label_n));
    assert_true(str_eq_c(section_find(&s, NULL, raw, &made), "B: 2\n folded\n\r\n"));
    buf_reset(&made);
    assert_true(section_parse(STR("TEXT]"), a, &s, &label_n));
    assert_true(str_eq_c(section_find(&s, NULL, raw, &made), "body\n"));
    buf_done(&made);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_are_taken_apart),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(chosen_fields_keep_their_order_and_end_with_an_empty_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
