/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/spf.h"

#include "tests/lib/test.h"

static void records_are_known_by_their_first_word(void **state)
{
    (void)state;
    assert_true(spf_is_record(STR("v=spf1")));
    assert_true(spf_is_record(STR("V=SPF1 -all")));
    assert_false(spf_is_record(STR("v=spf10 -all")));
    assert_false(spf_is_record(STR("v=spf1\t-all")));
    assert_false(spf_is_record(STR("spf1")));
}

static void terms_are_read(void **state)
{
    struct arena *a = arena_new(65536);
    struct spf_record r;
    struct err err = {0};

    (void)state;
    assert_ok(spf_parse(STR("v=spf1  a a:%{d}.x.org/24//64 -mx/8 ?ptr:x.org ~ip4:192.0.2.0/25 "
                            "ip6:2001:db8::/32 exists:%{ir}.x.org include:y.org all redirect=z.org "
                            "exp=%{d}.e.org other.1=%{l}"),
                        a, &r, &err),
              &err);
    assert_int_equal(r.terms_n, 9);
    assert_int_equal(r.terms[0].mechanism, SPF_A);
    assert_int_equal(r.terms[0].domain.n, 0);
    assert_int_equal(r.terms[0].prefix4, 32);
    assert_str(r.terms[1].domain, "%{d}.x.org");
    assert_true(r.terms[1].prefix4 == 24 && r.terms[1].prefix6 == 64);
    assert_int_equal(r.terms[2].qualifier, SPF_FAIL);
    assert_true(r.terms[2].prefix4 == 8 && r.terms[2].prefix6 == 128);
    assert_int_equal(r.terms[3].qualifier, SPF_NEUTRAL);
    assert_int_equal(r.terms[4].qualifier, SPF_SOFTFAIL);
    assert_memory_equal(r.terms[4].addr, "\xc0\0\x02\0", 4);
    assert_int_equal(r.terms[5].prefix6, 32);
    assert_int_equal(r.terms[7].mechanism, SPF_INCLUDE);
    assert_str(r.redirect, "z.org");
    assert_true(r.has_all);
    arena_free(a);
}

static void one_error_is_the_whole_record_s(void **state)
{
    static const char *const bad[] = {
        "v=spf1 nonsense",
        "v=spf1 all:x.org",
        "v=spf1 include",
        "v=spf1 include:",
        "v=spf1 a:",
        "v=spf1 a:/24",
        "v=spf1 a/33",
        "v=spf1 a//129",
        "v=spf1 a/024",
        "v=spf1 a:x.org:80",
        "v=spf1 a:1.2.3.4",
        "v=spf1 a:x.org-",
        "v=spf1 ip4",
        "v=spf1 ip4:1.2.3",
        "v=spf1 ip4:1.2.3.4/33",
        "v=spf1 ip4:1.2.3.4/",
        "v=spf1 ip6:1.2.3.4",
        "v=spf1 exists:%{x}.o",
        "v=spf1 exists:%{d",
        "v=spf1 exists:%d.org",
        "v=spf1 exists:%{d0}.org",
        "v=spf1 exists:%{d*}.org",
        "v=spf1 redirect=a.org redirect=b.org",
        "v=spf1 exp=a.org exp=b.org",
        "v=spf1 redirect=",
        "v=spf1 other=%",
        "v=spf1 -",
        "v=spf1 =x",
        "v=spf1 a:\x80.org",
        "v=spf1 exists:%{c}.org",
        "v=spf1 ptr/24",
        "v=spf1 a:x.org\tall",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct arena *a = arena_new(65536);
        struct spf_record r;
        struct err err = {0};

        if (spf_parse(str_of(bad[i]), a, &r, &err) == 0)
            fail_msg("'%s' was taken", bad[i]);
        arena_free(a);
    }
}

static const struct spf_macros rfc = {
    .local = STR_INIT("strong-bad"),
    .sender = STR_INIT("email.example.com"),
    .domain = STR_INIT("email.example.com"),
    .helo = STR_INIT("helo.example.com"),
    .validated = STR_INIT("mx.example.org"),
    .addr = {192, 0, 2, 3},
    .addr_n = 4,
};

/* RFC 7208 section 7.4. */
static void macros_expand_as_the_rfc_shows(void **state)
{
    static const struct {
        const char *spec;
        const char *want;
    } rows[] = {
        {"%{s}", "strong-bad@email.example.com"},
        {"%{o}", "email.example.com"},
        {"%{d4}", "email.example.com"},
        {"%{d2}", "example.com"},
        {"%{d1}", "com"},
        {"%{dr}", "com.example.email"},
        {"%{d2r}", "example.email"},
        {"%{l}", "strong-bad"},
        {"%{l-}", "strong.bad"},
        {"%{lr-}", "bad.strong"},
        {"%{l1r-}", "strong"},
        {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
        {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
        {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
        {"%{p}", "mx.example.org"},
        {"a%%b%_c%-d", "a%b c%20d"},
        {"%{H}.%{S}", "helo.example.com.strong-bad%40email.example.com"},
        {"x.org.", "x.org"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        own_buf struct buf out = BUF_INIT(1024);

        spf_expand(str_of(rows[i].spec), &rfc, &out);
        assert_str(buf_str(&out), rows[i].want);
    }
}

static void ipv6_expands_to_nibbles(void **state)
{
    struct spf_macros m = rfc;
    own_buf struct buf out = BUF_INIT(1024);

    (void)state;
    m.addr_n = 16;
    memcpy(m.addr, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\xcb\x01", 16);
    spf_expand(STR("%{ir}.%{v}.x"), &m, &out);
    assert_str(buf_str(&out),
               "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.x");
}

static void a_long_name_loses_labels_on_its_left(void **state)
{
    struct spf_macros m = rfc;
    own_buf struct buf out = BUF_INIT(1024);
    char local[300];

    (void)state;
    memset(local, 'a', sizeof(local));
    local[100] = '.';
    m.local = (struct str){local, sizeof(local)};
    spf_expand(STR("%{l}.x.example.org"), &m, &out);
    assert_str(str_skip(buf_str(&out), out.n - 14), ".x.example.org");
    assert_true(out.n == 199 + 14);
}

static void names_that_can_be_asked_for(void **state)
{
    (void)state;
    assert_true(spf_is_name(STR("a.b")));
    assert_true(spf_is_name(STR("a.b.")));
    assert_false(spf_is_name(STR("a")));
    assert_false(spf_is_name(STR("a..b")));
    assert_false(spf_is_name(STR(".a.b")));
    assert_false(spf_is_name(STR("")));
    assert_false(
        spf_is_name(STR("a0123456789012345678901234567890123456789012345678901234567890123.b")));
    assert_true(spf_wants_name(STR("x.%{p2r}.y")));
    assert_false(spf_wants_name(STR("p.%{d}")));
}

static void prefixes_are_compared_bit_by_bit(void **state)
{
    const unsigned char a[] = {0xff, 0xf0, 0x81}, b[] = {0xff, 0xff, 0x80};

    (void)state;
    assert_true(spf_same_prefix(a, b, 0));
    assert_true(spf_same_prefix(a, b, 12));
    assert_false(spf_same_prefix(a, b, 13));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_known_by_their_first_word),
        cmocka_unit_test(terms_are_read),
        cmocka_unit_test(one_error_is_the_whole_record_s),
        cmocka_unit_test(macros_expand_as_the_rfc_shows),
        cmocka_unit_test(ipv6_expands_to_nibbles),
        cmocka_unit_test(a_long_name_loses_labels_on_its_left),
        cmocka_unit_test(names_that_can_be_asked_for),
        cmocka_unit_test(prefixes_are_compared_bit_by_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
