/* SPDX-License-Identifier: Apache-2.0 */
/* The rules themselves are tried by the RFC's suite (tests/mail/test_spf_suite.py); here, limits.
 */
#include "runtime/base/arena.h"

#include "mailstack/filterd/lookup.h"
#include "mailstack/filterd/spf_check.h"

#include "tests/lib/dnszone.h"
#include "tests/lib/test.h"

static const struct dnszone_row zone[] = {
    {"a.org", DNS_TXT, "v=spf1 a mx include:b.org -all"},
    {"a.org", DNS_A, "192.0.2.1"},
    {"a.org", DNS_MX, "m1.org"},
    {"a.org", DNS_MX, "m2.org"},
    {"m1.org", DNS_A, "192.0.2.2"},
    {"m2.org", DNS_A, "192.0.2.3"},
    {"b.org", DNS_TXT, "v=spf1 ip6:2001:db8::/32 ip4:198.51.100.0/24 ~all"},
    {"loop.org", DNS_TXT, "v=spf1 include:loop.org -all"},
    {"circle.org", DNS_TXT, "v=spf1 redirect=circle.org"},
    {"void.org", DNS_TXT, "v=spf1 a:x1.org a:x2.org a:x3.org +all"},
    {"name.org", DNS_TXT, "v=spf1 ptr:good.org exists:%{p}.allowed.org -all"},
    {"7.2.0.192.in-addr.arpa", DNS_PTR, "forged.good.org"},
    {"7.2.0.192.in-addr.arpa", DNS_PTR, "mail.other.org"},
    {"mail.other.org", DNS_A, "192.0.2.7"},
    {"mail.other.org.allowed.org", DNS_A, "127.0.0.2"},
    {"odd.org", DNS_TXT, "v=spf1 exists:%{l}.odd.org -all"},
    {"a\\092b.odd.org", DNS_A, "127.0.0.2"},
    {"temp.org", DNS_TXT, NULL},
    {0},
};

static const struct {
    const char *sender;
    const char *helo;
    unsigned char addr[SPF_ADDR_MAX];
    size_t addr_n;
    enum spf_result result;
    size_t runs; /* at most */
} rows[] = {
    {"x@a.org", "h", {192, 0, 2, 1}, 4, SPF_PASS, 3},
    {"x@a.org", "h", {192, 0, 2, 3}, 4, SPF_PASS, 5},
    {"x@a.org", "h", {198, 51, 100, 9}, 4, SPF_PASS, 6},
    {"x@a.org", "h", {203, 0, 113, 1}, 4, SPF_FAIL, 6},
    {"x@a.org", "h", {0x20, 1, 0x0d, 0xb8, 1}, 16, SPF_PERMERROR, 6}, /* three without AAAA */
    {"x@b.org", "h", {0x20, 1, 0x0d, 0xb8, 1}, 16, SPF_PASS, 2},
    {"x@b.org", "h", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 1}, 16, SPF_PASS, 2},
    {"x@b.org", "h", {203, 0, 113, 1}, 4, SPF_SOFTFAIL, 2},
    {"", "b.org", {198, 51, 100, 1}, 4, SPF_PASS, 2},
    {"", "localhost", {198, 51, 100, 1}, 4, SPF_NONE, 1},
    {"x@loop.org", "h", {192, 0, 2, 1}, 4, SPF_PERMERROR, 2},
    {"x@circle.org", "h", {192, 0, 2, 1}, 4, SPF_PERMERROR, 2},
    {"x@void.org", "h", {192, 0, 2, 1}, 4, SPF_PERMERROR, 5},
    {"x@name.org", "h", {192, 0, 2, 7}, 4, SPF_PASS, 5},
    {"x@name.org", "h", {192, 0, 2, 8}, 4, SPF_FAIL, 5},
    {"a\\b@odd.org", "h", {192, 0, 2, 8}, 4, SPF_PASS, 3},
    {"x@temp.org", "h", {192, 0, 2, 8}, 4, SPF_TEMPERROR, 2},
    {"x@", "h", {192, 0, 2, 8}, 4, SPF_NONE, 1},
    {"x", "a.org", {192, 0, 2, 8}, 4, SPF_NONE, 1},
};

static void runs_until_it_knows(size_t i)
{
    struct arena *a = arena_new(1 << 20);
    struct spf_question q = {
        .sender = str_of(rows[i].sender), .helo = str_of(rows[i].helo), .addr_n = rows[i].addr_n};
    struct spf_outcome out;
    struct lookup l;
    size_t runs = 1;

    lookup_init(&l, a);
    memcpy(q.addr, rows[i].addr, sizeof(q.addr));
    while (!spf_check(&q, &l, &out)) {
        assert_true(dnszone_answer(zone, &l) > 0);
        runs++;
    }
    if (out.result != rows[i].result)
        fail_msg("%s: %s", rows[i].sender, spf_result_name(out.result));
    assert_true(runs <= rows[i].runs);
    assert_true((out.result == SPF_PERMERROR) == (out.why[0] != '\0'));
    arena_free(a);
}

static void results_are_those_of_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        runs_until_it_knows(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_the_rfc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
