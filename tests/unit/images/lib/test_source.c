/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "images/lib/digest.h"
#include "images/lib/sink.h"
#include "images/lib/source.h"

#include "tests/lib/test.h"

#define DATA_N 200000

static char *make_data(void)
{
    char *p = mem_new(DATA_N);
    uint32_t x = 1;

    for (size_t i = 0; i < DATA_N; i++) {
        x = x * 1103515245U + 12345U;
        p[i] = i % 3 ? (char)(x >> 24) : 'a'; /* compresses a little */
    }
    return p;
}

/* Everything a source gives, read in pieces of `step`; -1 on failure. */
static int slurp(struct source *s, size_t step, struct buf *out, struct err *err)
{
    own_free char *piece = mem_new(step);
    ssize_t got;

    while ((got = source_read(s, piece, step, err)) > 0)
        buf_append_n(out, piece, (size_t)got);
    return (int)got;
}

static void gzip_of(struct str data, struct buf *out)
{
    FILE *f = tmpfile();
    struct err err;

    assert_non_null(f);
    {
        own_sink struct sink *to = sink_gzip(sink_to_fd(fileno(f)));

        assert_ok(sink_write(to, data, &err), &err);
        assert_ok(sink_end(to, &err), &err);
    }
    rewind(f);
    own_source struct source *s = source_of_fd(dup(fileno(f)));
    assert_ok(slurp(s, 4096, out, &err), &err);
    (void)fclose(f);
}

static void zstd_of(struct str data, struct buf *out)
{
    char *p = buf_reserve(out, ZSTD_compressBound(data.n));

    assert_non_null(p);
    size_t n = ZSTD_compress(p, ZSTD_compressBound(data.n), data.p, data.n, 3);
    assert_false(ZSTD_isError(n));
    buf_commit(out, n);
}

static void assert_expands(struct str packed, struct str data)
{
    static const size_t steps[] = {1000, 4096, SOURCE_CHUNK, DATA_N};

    for (size_t i = 0; i < ARRAY_N(steps); i++) {
        own_buf struct buf out = BUF_INIT(4 * DATA_N);
        struct err err;
        own_source struct source *s = source_expand(source_of_str(packed), &err);

        assert_non_null(s);
        assert_ok(slurp(s, steps[i], &out, &err), &err);
        assert_true(str_eq(buf_str(&out), data));
    }
}

static void every_form_expands_to_the_same(void **state)
{
    own_free char *p = make_data();
    struct str data = {p, DATA_N};
    own_buf struct buf gzip = BUF_INIT(4 * DATA_N), zstd = BUF_INIT(4 * DATA_N);
    own_buf struct buf twice = BUF_INIT(4 * DATA_N), both = BUF_INIT(4 * DATA_N);

    (void)state;
    gzip_of(data, &gzip);
    zstd_of(data, &zstd);
    assert_expands(data, data);
    assert_expands(STR(""), STR(""));
    assert_expands(STR("x"), STR("x"));
    assert_expands(buf_str(&gzip), data);
    assert_expands(buf_str(&zstd), data);
    buf_append(&both, data);
    buf_append(&both, data);
    buf_append(&twice, buf_str(&gzip));
    buf_append(&twice, buf_str(&gzip));
    assert_expands(buf_str(&twice), buf_str(&both));
    buf_reset(&twice);
    buf_append(&twice, buf_str(&zstd));
    buf_append(&twice, buf_str(&zstd));
    assert_expands(buf_str(&twice), buf_str(&both));
}

static void assert_fails(struct str packed)
{
    own_buf struct buf out = BUF_INIT(4 * DATA_N);
    struct err err;
    own_source struct source *s = source_expand(source_of_str(packed), &err);

    assert_non_null(s);
    assert_int_equal(slurp(s, 4096, &out, &err), -1);
}

static void a_cut_or_a_flipped_bit_is_noticed(void **state)
{
    own_free char *p = make_data();
    own_buf struct buf gzip = BUF_INIT(4 * DATA_N), zstd = BUF_INIT(4 * DATA_N);

    (void)state;
    gzip_of((struct str){p, DATA_N}, &gzip);
    zstd_of((struct str){p, DATA_N}, &zstd);
    for (size_t i = 1; i < 10; i++) {
        assert_fails(str_head(buf_str(&gzip), gzip.n - i));
        assert_fails(str_head(buf_str(&zstd), zstd.n - i));
    }
    gzip.p[gzip.n / 2] ^= 1;
    assert_fails(buf_str(&gzip));
}

static int check(const char *digest, uint64_t size, struct err *err)
{
    own_buf struct buf out = BUF_INIT(100);
    own_source struct source *s = source_check(source_of_str(STR("abc")), digest, size, "it");

    return slurp(s, 2, &out, err);
}

static void size_and_digest_are_checked(void **state)
{
    char good[DIGEST_TEXT_MAX], bad[DIGEST_TEXT_MAX];
    struct err err;

    (void)state;
    digest_of(STR("abc"), good);
    digest_of(STR("abd"), bad);
    assert_ok(check(good, 3, &err), &err);
    assert_ok(check(NULL, 3, &err), &err);
    assert_int_equal(check(bad, 3, &err), -1);
    assert_int_equal(err.code, EBADMSG);
    assert_int_equal(check(good, 2, &err), -1);
    assert_int_equal(err.code, EMSGSIZE);
    assert_int_equal(check(good, 4, &err), -1);
    assert_err(&err, "3 bytes instead of 4");
}

static void skipping_beyond_the_end_is_an_error(void **state)
{
    struct err err;
    own_source struct source *s = source_of_str(STR("abcdef"));
    char c[4] = "";

    (void)state;
    assert_ok(source_skip(s, 2, &err), &err);
    assert_int_equal(source_read_full(s, c, 3, &err), 3);
    assert_string_equal(c, "cde");
    assert_int_equal(source_skip(s, 2, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_expands_to_the_same),
        cmocka_unit_test(a_cut_or_a_flipped_bit_is_noticed),
        cmocka_unit_test(size_and_digest_are_checked),
        cmocka_unit_test(skipping_beyond_the_end_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
