/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"

#include "tests/lib/test.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    struct arena *a = arena_new(1 << 20);
    char *p[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_N(p); i++) {
        size_t n = i * 17 % 2000;

        p[i] = arena_alloc(a, n);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < n; j++)
            assert_int_equal(p[i][j], 0);
        memset(p[i], (int)i, n);
    }
    for (size_t i = 0; i < ARRAY_N(p); i++) {
        for (size_t j = 0; j < i * 17 % 2000; j++)
            assert_int_equal((unsigned char)p[i][j], i & 255);
    }
    arena_free(a);
}

static void the_limit_is_a_last_line_of_defence(void **state)
{
    struct arena *a = arena_new(1000);

    (void)state;
    assert_non_null(arena_alloc(a, 1000));
    assert_false(arena_failed(a));
    assert_null(arena_alloc(a, 1));
    assert_true(arena_failed(a));
    arena_reset(a);
    assert_false(arena_failed(a));
    assert_null(arena_alloc(a, 1001));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_array(a, SIZE_MAX / 2, 3));
    assert_null(arena_str(a, (struct str){"x", 5000}).p);
    arena_free(a);
}

static void reset_gives_zeroed_memory_again(void **state)
{
    struct arena *a = arena_new(1 << 20);

    (void)state;
    for (int round = 0; round < 5; round++) {
        for (size_t n = 1; n < 6000; n *= 3) {
            char *p = arena_alloc(a, n);

            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 'x', n);
        }
        arena_reset(a);
    }
    arena_free(a);
}

static void copies_and_printf(void **state)
{
    struct arena *a = arena_new(10000);
    struct str view;

    (void)state;
    assert_string_equal(arena_copy(a, STR("abc")), "abc");
    assert_string_equal(arena_copy(a, STR_NONE), "");
    view = arena_str(a, STR("a\0b"));
    assert_true(str_eq(view, STR("a\0b")));
    assert_non_null(arena_str(a, STR_NONE).p);
    assert_string_equal(arena_printf(a, "%s-%d", "x", 7), "x-7");
    assert_null(arena_printf(a, "%20000d", 7));
    arena_free(a);
}

struct note {
    char *log;
    char mark;
};

static void write_mark(void *ctx)
{
    const struct note *n = ctx;
    size_t at = strlen(n->log);

    n->log[at] = n->mark;
    n->log[at + 1] = '\0';
}

static void cleanups_run_newest_first_and_once(void **state)
{
    char log[8] = "";
    struct note notes[] = {{log, 'a'}, {log, 'b'}, {log, 'c'}};
    struct arena *a = arena_new(16); /* cleanups do not count */

    (void)state;
    for (size_t i = 0; i < ARRAY_N(notes); i++)
        arena_on_free(a, write_mark, &notes[i]);
    arena_reset(a);
    assert_string_equal(log, "cba");
    arena_on_free(a, write_mark, &notes[0]);
    arena_free(a);
    assert_string_equal(log, "cbaa");
    arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(the_limit_is_a_last_line_of_defence),
        cmocka_unit_test(reset_gives_zeroed_memory_again),
        cmocka_unit_test(copies_and_printf),
        cmocka_unit_test(cleanups_run_newest_first_and_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
