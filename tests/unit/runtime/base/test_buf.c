/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "tests/lib/test.h"

static void appends_are_terminated_and_in_order(void **state)
{
    own_buf struct buf b = BUF_INIT(1000);

    (void)state;
    assert_string_equal(buf_c(&b), "");
    buf_append(&b, STR("ab"));
    buf_append_char(&b, '-');
    buf_append_c(&b, "cd");
    buf_printf(&b, "%d", 42);
    buf_append(&b, STR_NONE);
    buf_append_hex(&b, STR("\x01\xab"));
    assert_string_equal(buf_c(&b), "ab-cd4201ab");
    assert_str(buf_str(&b), "ab-cd4201ab");
    buf_reset(&b);
    assert_string_equal(buf_c(&b), "");
}

static void numbers_go_in_network_order(void **state)
{
    own_buf struct buf b = BUF_INIT(100);

    (void)state;
    buf_append_u8(&b, 1);
    buf_append_be16(&b, 0x0203);
    buf_append_be32(&b, 0x04050607);
    buf_append_be64(&b, 0x08090a0b0c0d0e0fULL);
    assert_int_equal(b.n, 15);
    for (size_t i = 0; i < b.n; i++)
        assert_int_equal(b.p[i], i + 1);
}

static void nothing_goes_beyond_the_maximum_and_the_mark_stays(void **state)
{
    (void)state;
    for (size_t max = 0; max < 200; max++) {
        own_buf struct buf b = BUF_INIT(max);
        struct err err;

        for (size_t i = 0; i < max; i++)
            buf_append_char(&b, 'x');
        assert_ok(buf_check(&b, "it", &err), &err);
        assert_int_equal(buf_room(&b), 0);
        buf_append_char(&b, 'y');
        assert_int_equal(buf_check(&b, "a name", &err), -1);
        assert_int_equal(err.code, EMSGSIZE);
        assert_err(&err, "a name of more than");
        assert_int_equal(b.n, max);
        buf_reset(&b);
        assert_ok(buf_check(&b, "it", &err), &err);
    }
}

static void an_append_that_does_not_fit_appends_nothing(void **state)
{
    own_buf struct buf b = BUF_INIT(5);

    (void)state;
    buf_append_c(&b, "abc");
    buf_append_c(&b, "defg");
    buf_append_c(&b, "x"); /* would fit, but there is a hole already */
    assert_string_equal(buf_c(&b), "abc");
    buf_reset(&b);
    buf_printf(&b, "%s", "123456");
    assert_true(b.failed && b.n == 0);
    buf_reset(&b);
    buf_append_hex(&b, STR("abc"));
    assert_true(b.failed && b.n == 0);
    buf_reset(&b);
    buf_append_base64(&b, STR("abcd"));
    assert_true(b.failed && b.n == 0);
}

static void reserve_and_commit(void **state)
{
    own_buf struct buf b = BUF_INIT(100);
    char *at = buf_reserve(&b, 100);

    (void)state;
    assert_non_null(at);
    memset(at, 'h', 5);
    buf_commit(&b, 5);
    assert_string_equal(buf_c(&b), "hhhhh");
    assert_null(buf_reserve(&b, 96));
    assert_false(b.failed);
    assert_non_null(buf_reserve(&b, 95));
    buf_commit(&b, 0);
    assert_int_equal(b.n, 5);
}

/* A file that turns out to be empty, a peer that sent nothing. */
static void what_was_reserved_and_not_filled_is_still_terminated(void **state)
{
    struct buf b = BUF_INIT(100);
    char *to;

    (void)state;
    for (int i = 0; i < 3; i++) { /* storage that others have used before */
        char *dirty = malloc(101);

        memset(dirty, 'x', 101);
        free(dirty);
    }
    assert_non_null(buf_reserve(&b, 100));
    assert_string_equal(buf_c(&b), "");
    buf_commit(&b, 0);
    assert_string_equal(buf_c(&b), "");
    buf_append_c(&b, "ab");
    to = buf_reserve(&b, 10);
    memset(to, 'y', 10);
    buf_commit(&b, 0);
    assert_string_equal(buf_c(&b), "ab");
    buf_done(&b);
}

static void consume_and_truncate_keep_the_rest(void **state)
{
    own_buf struct buf b = BUF_INIT(100);

    (void)state;
    buf_consume(&b, 0);
    buf_truncate(&b, 0);
    buf_append_c(&b, "hello world");
    buf_consume(&b, 6);
    assert_string_equal(buf_c(&b), "world");
    buf_truncate(&b, 2);
    assert_string_equal(buf_c(&b), "wo");
    buf_consume(&b, 2);
    assert_string_equal(buf_c(&b), "");
}

static void storage_can_be_given_back(void **state)
{
    own_buf struct buf b = BUF_INIT(10000);

    (void)state;
    buf_shrink(&b);
    for (int i = 0; i < 5000; i++)
        buf_append_char(&b, 'x');
    buf_truncate(&b, 10);
    buf_shrink(&b);
    assert_int_equal(b.cap, 11);
    assert_string_equal(buf_c(&b), "xxxxxxxxxx");
    buf_truncate(&b, 0);
    buf_shrink(&b);
    assert_null(b.p);
    buf_append_c(&b, "again");
    assert_string_equal(buf_c(&b), "again");
}

static void taking_moves_the_bytes(void **state)
{
    own_buf struct buf b = BUF_INIT(10);
    own_free char *nothing = buf_take(&b);
    own_free char *some = NULL;

    (void)state;
    assert_string_equal(nothing, "");
    buf_append_c(&b, "x");
    some = buf_take(&b);
    assert_string_equal(some, "x");
    assert_null(b.p);
    buf_append_c(&b, "0123456789");
    assert_false(b.failed);
}

static void base64_goes_both_ways(void **state)
{
    static const struct {
        const char *plain;
        const char *coded;
    } rows[] = {{"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"}};
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        own_buf struct buf b = BUF_INIT(100);

        buf_append_base64(&b, str_of(rows[i].plain));
        assert_string_equal(buf_c(&b), rows[i].coded);
        buf_reset(&b);
        assert_ok(buf_append_unbase64(&b, str_of(rows[i].coded), &err), &err);
        assert_string_equal(buf_c(&b), rows[i].plain);
    }
}

static void every_byte_survives_base64(void **state)
{
    char all[256];
    own_buf struct buf coded = BUF_INIT(1000);
    own_buf struct buf plain = BUF_INIT(256);
    struct err err;

    (void)state;
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    for (size_t n = 0; n <= sizeof(all); n++) {
        buf_reset(&coded);
        buf_reset(&plain);
        buf_append_base64(&coded, (struct str){all, n});
        assert_ok(buf_append_unbase64(&plain, buf_str(&coded), &err), &err);
        assert_true(str_eq(buf_str(&plain), (struct str){all, n}));
    }
}

static void base64_that_is_not_canonical_is_refused(void **state)
{
    static const char *const bad[] = {"Z",     "Zg",   "Zg=",      "Zh==",  "Zm9=",
                                      "Z===",  "====", "Zg==Zg==", "Zm 9v", "Zm9v\r\n",
                                      "Zm9v=", "Zm-_", "=g==",     "Zg=a",  "\xff\xff\xff\xff"};
    own_buf struct buf b = BUF_INIT(100);
    struct err err;

    (void)state;
    buf_append_c(&b, "kept");
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        assert_int_equal(buf_append_unbase64(&b, str_of(bad[i]), &err), -1);
        assert_string_equal(buf_c(&b), "kept");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_are_terminated_and_in_order),
        cmocka_unit_test(numbers_go_in_network_order),
        cmocka_unit_test(nothing_goes_beyond_the_maximum_and_the_mark_stays),
        cmocka_unit_test(an_append_that_does_not_fit_appends_nothing),
        cmocka_unit_test(reserve_and_commit),
        cmocka_unit_test(what_was_reserved_and_not_filled_is_still_terminated),
        cmocka_unit_test(consume_and_truncate_keep_the_rest),
        cmocka_unit_test(storage_can_be_given_back),
        cmocka_unit_test(taking_moves_the_bytes),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(every_byte_survives_base64),
        cmocka_unit_test(base64_that_is_not_canonical_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
