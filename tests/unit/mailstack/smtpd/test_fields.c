/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/smtpd/fields.h"

#include "tests/lib/test.h"

#define MESSAGE "From: a@b\r\nSubject:  x\r\n\ty\r\nTo: c\r\nsubject: z\r\n\r\nbody\r\n"

struct setup {
    struct arena *arena;
    struct fields f;
    struct str body;
};

static struct setup parsed(struct str message)
{
    struct setup s = {.arena = arena_new(4u << 20)};
    struct err err = {0};

    assert_ok(fields_parse(&s.f, s.arena, message, &s.body, &err), &err);
    return s;
}

/* The header as it goes out. */
static void check(const struct setup *s, const char *want, size_t parts_max)
{
    own_buf struct buf text = BUF_INIT(1u << 20);
    struct str *parts;
    size_t n;
    struct err err = {0};

    assert_ok(fields_parts(&s->f, &parts, &n, &err), &err);
    assert_true(n <= parts_max);
    for (size_t i = 0; i < n; i++)
        buf_append(&text, parts[i]);
    assert_string_equal(buf_c(&text), want);
}

static void a_header_nobody_changed_is_one_view(void **state)
{
    struct setup s = parsed(STR(MESSAGE));

    (void)state;
    assert_int_equal(s.f.n, 4);
    assert_str(s.f.at[1].value, "  x\r\n\ty");
    assert_str(s.body, "body\r\n");
    assert_int_equal(fields_count(&s.f, "SUBJECT"), 2);
    check(&s, "From: a@b\r\nSubject:  x\r\n\ty\r\nTo: c\r\nsubject: z\r\n\r\n", 2);
    arena_free(s.arena);
}

static void the_header_ends_where_no_field_is(void **state)
{
    static const struct {
        struct str in;
        size_t n;
        const char *body;
    } cases[] = {
        {STR_INIT(""), 0, ""},
        {STR_INIT("\r\n"), 0, ""},
        {STR_INIT("\r\nx\r\n"), 0, "x\r\n"},
        {STR_INIT("A: b\r\n"), 1, ""},
        {STR_INIT("A: b\r\nno field\r\n\r\nx"), 1, "no field\r\n\r\nx"},
        {STR_INIT(" folded\r\nA: b\r\n\r\n"), 0, " folded\r\nA: b\r\n\r\n"},
        {STR_INIT("From x Mon\r\nA: b\r\n\r\n"), 0, "From x Mon\r\nA: b\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct setup s = parsed(cases[i].in);

        assert_int_equal(s.f.n, cases[i].n);
        assert_str(s.body, cases[i].body);
        arena_free(s.arena);
    }
}

static void fields_are_put_in_changed_and_taken_out(void **state)
{
    struct setup s = parsed(STR(MESSAGE));
    struct err err = {0};

    (void)state;
    assert_ok(fields_put_own(&s.f, STR("Received: us\r\n"), &err), &err);
    assert_ok(fields_insert(&s.f, 0, STR("Top"), STR(" 1"), &err), &err);
    assert_ok(fields_insert(&s.f, 2, STR("Third"), STR("3"), &err), &err);
    assert_ok(fields_insert(&s.f, FIELDS_MAX, STR("End"), STR(" 9"), &err), &err);
    assert_ok(fields_change(&s.f, 2, STR("Subject"), STR(" new"), &err), &err);
    assert_ok(fields_change(&s.f, 1, STR("to"), STR_NONE, &err), &err);
    assert_ok(fields_change(&s.f, 1, STR("Received"), STR_NONE, &err),
              &err); /* ours is not there */
    assert_ok(fields_change(&s.f, 3, STR("Subject"), STR(" more"), &err), &err);
    check(&s,
          "Top: 1\r\nReceived: us\r\nThird:3\r\nFrom: a@b\r\nSubject:  x\r\n\ty\r\nSubject: "
          "new\r\nEnd: 9\r\nSubject: more\r\n\r\n",
          8);
    arena_free(s.arena);
}

static void no_value_makes_a_second_field(void **state)
{
    static const struct {
        struct str value;
        const char *raw;
    } cases[] = {
        {STR_INIT(" a\nB: c"), "X: a\r\n\tB: c\r\n"},
        {STR_INIT(" a\r\n\r\nbody"), "X: a\r\n\tbody\r\n"},
        {STR_INIT(" a\n b\n\tc\n"), "X: a\r\n b\r\n\tc\r\n"},
        {STR_INIT("a\rb\0c"), "X:abc\r\n"},
        {STR_INIT("\n"), "X:\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct setup s = parsed(STR(""));
        struct err err = {0};

        assert_ok(fields_insert(&s.f, 0, STR("X"), cases[i].value, &err), &err);
        assert_str(s.f.at[0].raw, cases[i].raw);
        arena_free(s.arena);
    }
}

static void names_and_numbers_have_limits(void **state)
{
    static const char *const names[] = {"", "A B", "A:", "A\r\nB", "\xc3\xa4"};
    struct setup s = parsed(STR(""));
    struct err err = {0};
    int rc = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(names); i++)
        assert_int_equal(fields_insert(&s.f, 0, str_of(names[i]), STR("x"), &err), -1);
    for (size_t i = 0; i < FIELDS_MAX; i++)
        assert_ok(fields_insert(&s.f, i, STR("A"), STR("x"), &err), &err);
    rc = fields_insert(&s.f, 0, STR("A"), STR("x"), &err);
    assert_int_equal(rc, -1);
    assert_err(&err, "4096");
    assert_int_equal(fields_parse(&s.f, s.arena, STR("A: \0b\r\n"), &s.body, &err), -1);
    arena_free(s.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_nobody_changed_is_one_view),
        cmocka_unit_test(the_header_ends_where_no_field_is),
        cmocka_unit_test(fields_are_put_in_changed_and_taken_out),
        cmocka_unit_test(no_value_makes_a_second_field),
        cmocka_unit_test(names_and_numbers_have_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
