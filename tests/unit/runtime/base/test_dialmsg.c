/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/own.h"

#include "tests/lib/test.h"

static void endpoints_go_both_ways(void **state)
{
    static const struct {
        const char *in;
        const char *out; /* NULL: refused */
    } rows[] = {
        {"192.0.2.1:25", "192.0.2.1:25"},
        {"[2001:db8::1]:25", "[2001:db8::1]:25"},
        {"[2001:DB8:0:0::1]:0", "[2001:db8::1]:0"},
        {":25", "[::]:25"},
        {"0.0.0.0:65535", "0.0.0.0:65535"},
        {"192.0.2.1", NULL},
        {"192.0.2.1:", NULL},
        {"192.0.2.1:65536", NULL},
        {"192.0.2.1:+5", NULL},
        {"192.0.2.01:25", NULL},
        {"192.0.2:25", NULL},
        {"2001:db8::1:25", NULL},
        {"[192.0.2.1]:25", NULL},
        {"[]:25", NULL},
        {"[::1%lo]:25", NULL},
        {"[::1:25", NULL},
        {"localhost:25", NULL},
        {"", NULL},
        {":", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        own_buf struct buf b = BUF_INIT(100);
        struct sockaddr_storage a = {.ss_family = AF_INET};
        struct err err;
        int rc = dialmsg_parse_endpoint(str_of(rows[i].in), &a, &err);

        assert_int_equal(rc, rows[i].out == NULL ? -1 : 0);
        if (rc < 0)
            continue;
        dialmsg_format_addr(&a, &b);
        assert_string_equal(buf_c(&b), rows[i].out);
    }
}

static void a_request_goes_both_ways(void **state)
{
    static const char *const texts[] = {"dial 1 192.0.2.1 25 30000",
                                        "dial 18446744073709551615 2001:db8::1 465 0"};
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(texts); i++) {
        own_buf struct buf b = BUF_INIT(DIALMSG_MAX);
        struct dialmsg_request r;

        assert_ok(dialmsg_parse_request(str_of(texts[i]), &r, &err), &err);
        dialmsg_format_request(&r, &b);
        assert_string_equal(buf_c(&b), texts[i]);
    }
}

static void what_is_no_request_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "dial",
        "dial ",
        "dial 1",
        "dial x 192.0.2.1 25 1",
        "dial 1 192.0.2.1",
        "dial 1 192.0.2.1 25",
        "dial 1 192.0.2.1 0 1",
        "dial 1 192.0.2.1 25 1 ",
        "dial 1  192.0.2.1 25 1",
        "dial 1 host 25 1",
        "DIAL 1 192.0.2.1 25 1",
        "dial 1 192.0.2.1 25 -1",
        "dial 1 192.0.2.1 25 1\n",
        "dial 18446744073709551616 192.0.2.1 25 1",
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct dialmsg_request r = {.id = 7};

        assert_int_equal(dialmsg_parse_request(str_of(bad[i]), &r, &err), -1);
        assert_int_equal(r.id, 7);
    }
}

static void no_cut_of_a_request_is_one_but_in_the_last_number(void **state)
{
    static const char text[] = "dial 12 192.0.2.1 25 300";
    struct err err;

    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        struct dialmsg_request r;

        assert_int_equal(dialmsg_parse_request((struct str){text, n}, &r, &err),
                         n > sizeof(text) - 4 ? 0 : -1);
    }
}

static void an_answer_goes_both_ways(void **state)
{
    static const char *const texts[] = {"ok 1", "refused 2 port 22 is not in the row",
                                        "error 3 111 Connection refused", "error 4 110",
                                        "refused 5"};
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(texts); i++) {
        own_buf struct buf b = BUF_INIT(DIALMSG_MAX);
        struct dialmsg_answer a;

        assert_ok(dialmsg_parse_answer(str_of(texts[i]), &a, &err), &err);
        assert_int_equal(a.id, i + 1);
        dialmsg_format_answer(&a, &b);
        assert_string_equal(buf_c(&b), texts[i]);
    }
}

static void what_is_no_answer_is_refused(void **state)
{
    static const char *const bad[] = {
        "",        "ok",          "ok x",           "ok 1 more",      "maybe 1",
        "error 1", "error 1 x y", "error 1 5000 x", "refused 1 a\nb", "refused 1 a\rb",
        "ok  1"};
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct dialmsg_answer a = {.id = 7};

        assert_int_equal(dialmsg_parse_answer(str_of(bad[i]), &a, &err), -1);
        assert_int_equal(a.id, 7);
    }
}

static void any_text_makes_a_message_within_its_limit(void **state)
{
    static char text[2 * DIALMSG_MAX];
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)i;
    for (size_t n = 0; n < sizeof(text); n += 7) {
        own_buf struct buf b = BUF_INIT(DIALMSG_MAX);
        struct dialmsg_answer a = {
            .kind = DIALMSG_ERROR, .id = UINT64_MAX, .code = 4095, .text = {text, n}};
        struct dialmsg_answer back;

        dialmsg_format_answer(&a, &b);
        assert_ok(buf_check(&b, "an answer", &err), &err);
        assert_ok(dialmsg_parse_answer(buf_str(&b), &back, &err), &err);
        assert_true(back.id == a.id && back.code == a.code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_go_both_ways),
        cmocka_unit_test(a_request_goes_both_ways),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(no_cut_of_a_request_is_one_but_in_the_last_number),
        cmocka_unit_test(an_answer_goes_both_ways),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(any_text_makes_a_message_within_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
