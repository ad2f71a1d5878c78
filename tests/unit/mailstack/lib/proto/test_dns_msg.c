/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/dns_msg.h"

#include "tests/lib/test.h"

/* An answer to "mail.test MX": a CNAME and an MX with compressed names. */
static const char answer[] = "\0\7\x81\xa0\0\1\0\2\0\0\0\0"
                             "\4Mail\4test\0\0\x0f\0\1"
                             "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\7\4real\xc0\x11"
                             "\xc0\x27\0\x0f\0\1\0\0\1\0\0\7\0\x0a\2mx\xc0\x27";
#define ANSWER ((struct str){answer, sizeof(answer) - 1})

static void a_query_is_read_as_it_was_written(void **state)
{
    own_buf struct buf b = BUF_INIT(2000);
    struct err err = {0};
    struct str message;
    struct dns_msg m;
    size_t used = 0;

    (void)state;
    assert_ok(dns_msg_format_query(&b, 4711, STR("Example.ORG."), 15, &err), &err);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(dns_msg_unframe(str_head(buf_str(&b), n), &message, &used, &err),
                         PARSE_MORE);
    assert_int_equal(used, 0);
    assert_int_equal(dns_msg_unframe(buf_str(&b), &message, &used, &err), PARSE_DONE);
    assert_int_equal(used, b.n);
    assert_ok(dns_msg_parse(message, &m, &err), &err);
    assert_int_equal(m.id, 4711);
    assert_int_equal(m.flags, DNS_MSG_RD);
    assert_string_equal(m.name, "example.org");
    assert_int_equal(m.type, 15);
    assert_int_equal(m.class_, 1);
    assert_int_equal(m.after, message.n);
}

static void names_convert_both_ways(void **state)
{
    static const struct {
        const char *text;
        const char *back;
    } cases[] = {
        {"", ""},
        {".", ""},
        {"a.b.c", "a.b.c"},
        {"_dmarc.example.org", "_dmarc.example.org"},
        {"a\\.b.c", "a\\046b.c"},
        {"a\\032b.c", "a\\032b.c"},
        {"\\000\\255.x", "\\000\\255.x"},
        {"back\\\\slash", "back\\092slash"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf b = BUF_INIT(2000);
        struct err err = {0};
        struct dns_msg m;

        assert_ok(dns_msg_format_query(&b, 1, str_of(cases[i].text), 1, &err), &err);
        assert_ok(dns_msg_parse(str_skip(buf_str(&b), 2), &m, &err), &err);
        assert_string_equal(m.name, cases[i].back);
    }
}

static void what_is_no_name_is_refused_and_nothing_is_written(void **state)
{
    static const char *const cases[] = {
        "a..b",   ".a",      "a..",
        "\\25.b", "\\256.b", "0123456789012345678901234567890123456789012345678901234567890123.b",
    };
    own_buf struct buf b = BUF_INIT(2000);
    char long_name[256];
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++)
        assert_int_equal(dns_msg_format_query(&b, 1, str_of(cases[i]), 1, &err), -1);
    for (size_t i = 0; i < sizeof(long_name); i++)
        long_name[i] = i % 2 ? '.' : 'a';
    assert_ok(dns_msg_format_query(&b, 1, (struct str){long_name, 253}, 1, &err), &err);
    buf_reset(&b);
    assert_int_equal(dns_msg_format_query(&b, 1, (struct str){long_name, 255}, 1, &err), -1);
    assert_int_equal(b.n, 0);
}

static void records_are_walked_and_names_in_them_expanded(void **state)
{
    own_buf struct buf name = BUF_INIT(DNS_MSG_NAME_TEXT);
    struct dns_msg_walk w = {0};
    struct err err = {0};
    struct dns_msg_rr rr;
    struct dns_msg m;
    size_t next;

    (void)state;
    assert_ok(dns_msg_parse(ANSWER, &m, &err), &err);
    assert_string_equal(m.name, "mail.test");
    assert_int_equal(dns_msg_next(&m, &w, &rr, &err), 1);
    assert_int_equal(rr.type, 5);
    assert_int_equal(rr.ttl_s, 60);
    assert_ok(dns_msg_name(m.whole, rr.data_at, &name, &next, &err), &err);
    assert_str(buf_str(&name), "real.test");
    assert_int_equal(next, rr.data_at + rr.data.n);
    assert_int_equal(dns_msg_next(&m, &w, &rr, &err), 1);
    assert_int_equal(rr.type, 15);
    assert_int_equal(rr.ttl_s, 256);
    buf_reset(&name);
    assert_ok(dns_msg_name(m.whole, rr.data_at + 2, &name, &next, &err), &err);
    assert_str(buf_str(&name), "mx.real.test");
    assert_int_equal(dns_msg_next(&m, &w, &rr, &err), 0);
}

static void a_cut_message_is_damaged_and_never_read_beyond(void **state)
{
    (void)state;
    for (size_t n = 0; n < ANSWER.n; n++) {
        char *copy = test_malloc(n + 1); /* cmocka guards its end */
        struct dns_msg_walk w = {0};
        struct err err = {0};
        struct dns_msg_rr rr;
        struct dns_msg m;
        int rc;

        memcpy(copy, answer, n);
        rc = dns_msg_parse((struct str){copy, n}, &m, &err);
        if (rc == 0) {
            do {
                rc = dns_msg_next(&m, &w, &rr, &err);
            } while (rc == 1);
        }
        assert_int_equal(rc, -1);
        test_free(copy);
    }
}

static void a_pointer_may_only_lead_back(void **state)
{
    static const char *const cases[] = {"\xc0\x0c", "\xc0\x0e", "\1a\xc0\x0c", "\x80zzz",
                                        "\x40zzz"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf b = BUF_INIT(100);
        struct err err = {0};
        struct dns_msg m;

        buf_append_n(&b, "\0\1\1\0\0\1\0\0\0\0\0\0", 12);
        buf_append_c(&b, cases[i]);
        buf_append_n(&b, "\0\0\1\0\1", 5);
        assert_int_equal(dns_msg_parse(buf_str(&b), &m, &err), -1);
        assert_int_equal(m.id, 1);
        assert_int_equal(m.after, 0);
    }
}

static void an_error_repeats_the_question(void **state)
{
    own_buf struct buf query = BUF_INIT(200);
    own_buf struct buf b = BUF_INIT(200);
    struct err err = {0};
    struct dns_msg m;
    struct dns_msg e;

    (void)state;
    assert_ok(dns_msg_format_query(&query, 99, STR("a.b"), 16, &err), &err);
    assert_ok(dns_msg_parse(str_skip(buf_str(&query), 2), &m, &err), &err);
    dns_msg_format_error(&b, &m, DNS_MSG_SERVFAIL);
    assert_ok(dns_msg_parse(str_skip(buf_str(&b), 2), &e, &err), &err);
    assert_int_equal(e.id, 99);
    assert_int_equal(e.flags, DNS_MSG_QR | DNS_MSG_RA | DNS_MSG_RD | DNS_MSG_SERVFAIL);
    assert_string_equal(e.name, "a.b");
    assert_int_equal(e.type, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_read_as_it_was_written),
        cmocka_unit_test(names_convert_both_ways),
        cmocka_unit_test(what_is_no_name_is_refused_and_nothing_is_written),
        cmocka_unit_test(records_are_walked_and_names_in_them_expanded),
        cmocka_unit_test(a_cut_message_is_damaged_and_never_read_beyond),
        cmocka_unit_test(a_pointer_may_only_lead_back),
        cmocka_unit_test(an_error_repeats_the_question),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
