/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "images/lib/sink.h"

#include "tests/lib/test.h"

/* What comes out of a pipe at whose other end a chain was fed with pieces. */
static ssize_t feed(struct sink *(*chain)(struct sink *to), const char *const *pieces, char *out,
                    size_t n)
{
    int fds[2];
    struct err err;

    assert_int_equal(pipe(fds), 0);
    struct sink *to = chain(sink_to_fd(fds[1]));
    for (; *pieces; pieces++)
        assert_ok(sink_write(to, str_of(*pieces), &err), &err);
    assert_ok(sink_end(to, &err), &err);
    sink_free(to);
    (void)close(fds[1]);
    ssize_t got = read(fds[0], out, n);
    (void)close(fds[0]);
    return got;
}

static void gzip_has_neither_name_nor_time(void **state)
{
    static const char *const pieces[] = {"abc", NULL};
    char out[200];
    ssize_t n = feed(sink_gzip, pieces, out, sizeof out);

    (void)state;
    assert_true(n > 18);
    assert_memory_equal(out, "\x1f\x8b\x08\0\0\0\0\0\x02", 9); /* no flags, time 0, level 9 */
}

static void gzip_does_not_depend_on_the_cuts(void **state)
{
    static const char *const whole[] = {"abcabcabcabc", NULL};
    static const char *const cut[] = {"a", "bcabca", "", "bcabc", NULL};
    char out[2][200];
    ssize_t n = feed(sink_gzip, whole, out[0], sizeof out[0]);

    (void)state;
    assert_int_equal(feed(sink_gzip, cut, out[1], sizeof out[1]), n);
    assert_memory_equal(out[0], out[1], (size_t)n);
}

static void a_sink_sums_what_passes(void **state)
{
    struct sink_sum sum;
    char want[DIGEST_TEXT_MAX];
    int fds[2];
    struct err err;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    own_sink struct sink *to = sink_sum(sink_to_fd(fds[1]), &sum);
    assert_ok(sink_write(to, STR("ab"), &err), &err);
    assert_ok(sink_write(to, STR("c"), &err), &err);
    assert_ok(sink_end(to, &err), &err);
    digest_of(STR("abc"), want);
    assert_string_equal(sum.digest, want);
    assert_int_equal(sum.size, 3);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_has_neither_name_nor_time),
        cmocka_unit_test(gzip_does_not_depend_on_the_cuts),
        cmocka_unit_test(a_sink_sums_what_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
