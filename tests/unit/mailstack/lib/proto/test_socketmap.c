/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/socketmap.h"

#include "tests/lib/test.h"

static void a_request_is_read_however_it_was_cut(void **state)
{
    struct str whole = STR("24:rcpt al ice@example.org ,X");
    struct socketmap_request r = {STR_NONE, STR_NONE};
    struct err err = {0};
    size_t used;

    (void)state;
    for (size_t n = 0; n < whole.n - 1; n++) {
        assert_int_equal(socketmap_parse_request(str_head(whole, n), &r, &used, &err), PARSE_MORE);
        assert_int_equal(used, 0);
    }
    assert_int_equal(socketmap_parse_request(whole, &r, &used, &err), PARSE_DONE);
    assert_int_equal(used, whole.n - 1);
    assert_str(r.map, "rcpt");
    assert_str(r.key, "al ice@example.org ");
}

static void answers_of_every_kind_go_there_and_back(void **state)
{
    static const struct {
        struct socketmap_answer a;
        const char *wire;
    } cases[] = {
        {{SOCKETMAP_OK, STR_INIT("a,b")}, "6:OK a,b,"},
        {{SOCKETMAP_NOTFOUND, STR_INIT("")}, "9:NOTFOUND ,"},
        {{SOCKETMAP_TEMP, STR_INIT("try later")}, "14:TEMP try later,"},
        {{SOCKETMAP_PERM, STR_INIT("no\r\n")}, "9:PERM no\r\n,"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf b = BUF_INIT(64);
        struct socketmap_answer a;
        struct err err = {0};
        size_t used;

        socketmap_format_answer(&b, &cases[i].a);
        assert_str(buf_str(&b), cases[i].wire);
        assert_int_equal(socketmap_parse_answer(buf_str(&b), &a, &used, &err), PARSE_DONE);
        assert_int_equal(used, b.n);
        assert_int_equal(a.status, cases[i].a.status);
        assert_true(str_eq(a.data, cases[i].a.data));
    }
}

static void others_spellings_of_answers_are_understood(void **state)
{
    struct socketmap_answer a;
    struct err err = {0};
    size_t used;

    (void)state;
    assert_int_equal(socketmap_parse_answer(STR("8:NOTFOUND,"), &a, &used, &err), PARSE_DONE);
    assert_int_equal(a.status, SOCKETMAP_NOTFOUND);
    assert_int_equal(socketmap_parse_answer(STR("9:TIMEOUT x,"), &a, &used, &err), PARSE_DONE);
    assert_int_equal(a.status, SOCKETMAP_TEMP);
    assert_str(a.data, "x");
}

static void what_is_malformed_is_refused(void **state)
{
    static const char *const netstrings[] = {
        ":",
        "x:abc,",
        "-1:a,",
        "+3:a b,",
        " 3:a b,",
        "3 :a b,",
        "3:a b;",
        "3:a b\n",
        "1234567", /* more digits than any length has */
        "0000003:a b,",
        "524289:a", /* over SOCKETMAP_MAX, refused before it has arrived */
        "3:abc,",   /* no space */
        "0:,",
    };
    static const char *const answers[] = {"2:ok,", "0:,", "3:OKx,", "5:MAYBE,", "1: ,"};
    struct err err = {0};
    size_t used;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(netstrings); i++) {
        struct socketmap_request r;

        assert_int_equal(socketmap_parse_request(str_of(netstrings[i]), &r, &used, &err),
                         PARSE_ERROR);
        assert_err(&err, "socketmap");
    }
    for (size_t i = 0; i < ARRAY_N(answers); i++) {
        struct socketmap_answer a;

        assert_int_equal(socketmap_parse_answer(str_of(answers[i]), &a, &used, &err), PARSE_ERROR);
    }
}

/* Whatever is in the key, the next request begins where this one ends. */
static void a_key_cannot_end_the_message(void **state)
{
    struct socketmap_request evil = {STR("rcpt"), STR("x,9:rcpt root,")};
    own_buf struct buf b = BUF_INIT(256);
    struct socketmap_request r;
    struct err err = {0};
    size_t used;

    (void)state;
    socketmap_format_request(&b, &evil);
    socketmap_format_request(&b, &(struct socketmap_request){STR("next"), STR("")});
    assert_int_equal(socketmap_parse_request(buf_str(&b), &r, &used, &err), PARSE_DONE);
    assert_true(str_eq(r.key, evil.key));
    assert_int_equal(socketmap_parse_request(str_skip(buf_str(&b), used), &r, &used, &err),
                     PARSE_DONE);
    assert_str(r.map, "next");
    assert_int_equal(r.key.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_however_it_was_cut),
        cmocka_unit_test(answers_of_every_kind_go_there_and_back),
        cmocka_unit_test(others_spellings_of_answers_are_understood),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(a_key_cannot_end_the_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
