/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "runtime/base/mem.h"

#include "mailstack/smtpd/spool.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static char pattern(size_t i)
{
    return (char)('a' + i % 23);
}

static void append_n(struct spool *s, size_t from, size_t n)
{
    char *piece = mem_new(n + 1);
    struct err err = {0};

    for (size_t i = 0; i < n; i++)
        piece[i] = pattern(from + i);
    assert_ok(spool_append(s, (struct str){piece, n}, &err), &err);
    free(piece);
}

static void check_n(struct spool *s, size_t n)
{
    struct str all;
    struct err err = {0};

    assert_ok(spool_view(s, &all, &err), &err);
    assert_int_equal(all.n, n);
    for (size_t i = 0; i < n; i++)
        assert_true(all.p[i] == pattern(i));
    assert_ok(spool_view(s, &all, &err), &err); /* as often as one likes */
    assert_int_equal(all.n, n);
}

static void what_was_put_in_comes_out(void **state)
{
    static const size_t sizes[] = {
        0, 1, SPOOL_MEMORY_MAX - SPOOL_ROOM, SPOOL_MEMORY_MAX, SPOOL_MEMORY_MAX + 1, 1000000};
    const struct tmpdir *dir = *state;

    for (size_t i = 0; i < ARRAY_N(sizes); i++) {
        for (size_t step = 999; step <= 200000; step *= 13) {
            struct spool s;

            spool_init(&s, dir->path);
            for (size_t at = 0; at < sizes[i]; at += step)
                append_n(&s, at, sizes[i] - at < step ? sizes[i] - at : step);
            check_n(&s, sizes[i]);
            spool_done(&s);
        }
    }
}

static void dropping_forgets_all(void **state)
{
    struct spool s;

    (void)state;
    spool_init(&s, "/tmp");
    append_n(&s, 0, 300000);
    spool_drop(&s);
    append_n(&s, 0, 10);
    check_n(&s, 10);
    spool_done(&s);
}

static void a_directory_that_cannot_be_used_is_done_without(void **state)
{
    struct spool s;

    (void)state;
    spool_init(&s, "/nowhere");
    append_n(&s, 0, 300000);
    check_n(&s, 300000);
    spool_done(&s);
}

static void the_tail_always_has_room(void **state)
{
    struct spool s;
    struct err err = {0};
    size_t n = 0;

    (void)state;
    spool_init(&s, "/tmp");
    for (int i = 0; i < 1000; i++) {
        struct buf *b = spool_tail(&s, &err);

        assert_non_null(b);
        assert_true(buf_room(b) >= SPOOL_ROOM);
        for (size_t k = 0; k < SPOOL_ROOM - 1; k++)
            buf_append_char(b, pattern(n++));
    }
    check_n(&s, n);
    spool_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_in_comes_out, tmpdir_setup, tmpdir_teardown),
        cmocka_unit_test(dropping_forgets_all),
        cmocka_unit_test(a_directory_that_cannot_be_used_is_done_without),
        cmocka_unit_test(the_tail_always_has_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
