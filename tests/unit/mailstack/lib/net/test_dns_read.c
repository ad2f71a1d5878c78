/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/dns_read.h"

#include "tests/lib/test.h"

static const char question[] = "\4mail\4test\0\0\1\0\1";

/* An answer with these flags and one record of that type. */
static void make(struct buf *b, uint16_t flags, uint16_t type, struct str data)
{
    buf_append_be16(b, 7);
    buf_append_be16(b, flags);
    buf_append_be16(b, 1);
    buf_append_be16(b, data.p ? 1 : 0);
    buf_append_be32(b, 0);
    buf_append_n(b, question, sizeof(question) - 1);
    if (!data.p)
        return;
    buf_append_n(b, "\xc0\x0c", 2);
    buf_append_be16(b, type);
    buf_append_be16(b, 1);
    buf_append_be32(b, 300);
    buf_append_be16(b, (uint16_t)data.n);
    buf_append(b, data);
}

static void each_type_comes_as_its_own_text(void **state)
{
    static const struct {
        enum dns_type type;
        struct str data;
        struct str text;
        unsigned preference;
    } cases[] = {
        {DNS_A, STR_INIT("\xc0\0\2\1"), STR_INIT("\xc0\0\2\1"), 0},
        {DNS_MX, STR_INIT("\0\x0a\2mx\xc0\x0c"), STR_INIT("mx.mail.test"), 10},
        {DNS_PTR, STR_INIT("\1a\1b\0"), STR_INIT("a.b"), 0},
        {DNS_CNAME, STR_INIT("\1a\1b\0"), STR_INIT("a.b"), 0},
        {DNS_TXT, STR_INIT("\3v=s\2pf"), STR_INIT("v=spf"), 0},
        {DNS_TXT, STR_INIT("\0"), STR_INIT(""), 0},
        {DNS_TLSA, STR_INIT("\3\1\1raw"), STR_INIT("\3\1\1raw"), 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf b = BUF_INIT(1000);
        struct arena *a = arena_new(100000);
        struct dns_answer out;

        make(&b, 0x81a0, (uint16_t)cases[i].type, cases[i].data);
        dns_read(buf_str(&b), cases[i].type, a, &out);
        assert_int_equal(out.status, DNS_OK);
        assert_true(out.secure);
        assert_int_equal(out.records_n, 1);
        assert_true(str_eq(out.records[0].text, cases[i].text));
        assert_int_equal(out.records[0].preference, cases[i].preference);
        assert_int_equal(out.records[0].ttl_s, 300);
        arena_free(a);
    }
}

static void damaged_data_is_a_temporary_failure(void **state)
{
    static const struct {
        enum dns_type type;
        struct str data;
    } cases[] = {
        {DNS_A, STR_INIT("\xc0\0\2")}, {DNS_AAAA, STR_INIT("\xc0\0\2\1")},
        {DNS_MX, STR_INIT("\0\x0a")},  {DNS_MX, STR_INIT("\0\x0a\5mx")},
        {DNS_TXT, STR_INIT("\5abc")},  {DNS_PTR, STR_INIT("\xc0\xff")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf b = BUF_INIT(1000);
        struct arena *a = arena_new(100000);
        struct dns_answer out;

        make(&b, 0x8180, (uint16_t)cases[i].type, cases[i].data);
        dns_read(buf_str(&b), cases[i].type, a, &out);
        assert_int_equal(out.status, DNS_TEMP);
        assert_int_equal(out.records_n, 0);
        arena_free(a);
    }
}

static void a_status_follows_code_and_records(void **state)
{
    static const struct {
        uint16_t flags;
        uint16_t type; /* 0: no record */
        enum dns_status status;
    } cases[] = {
        {0x8180, 0, DNS_NODATA}, {0x8180, 16, DNS_NODATA}, {0x8183, 0, DNS_NXDOMAIN},
        {0x8182, 0, DNS_TEMP},   {0x8185, 0, DNS_TEMP},    {0x0100, 0, DNS_TEMP},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf b = BUF_INIT(1000);
        struct arena *a = arena_new(100000);
        struct dns_answer out;

        make(&b, cases[i].flags, cases[i].type, cases[i].type ? STR("\1x") : STR_NONE);
        dns_read(buf_str(&b), DNS_A, a, &out);
        assert_int_equal(out.status, cases[i].status);
        assert_false(out.secure);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_comes_as_its_own_text),
        cmocka_unit_test(damaged_data_is_a_temporary_failure),
        cmocka_unit_test(a_status_follows_code_and_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
