/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8463's example, and what can be wrong with it; more messages in
 * tests/mail/test_dkim_vectors.py. */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/filterd/dkim_verify.h"
#include "mailstack/filterd/lookup.h"
#include "mailstack/lib/mail/header.h"

#include "tests/lib/dnszone.h"
#include "tests/lib/test.h"

#define SIGNATURE                                                     \
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"   \
    " d=football.example.com; i=@football.example.com;\r\n"           \
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"         \
    " subject : date : message-id : from : subject : date;\r\n"       \
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"           \
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n" \
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
#define HEADER                                         \
    "From: Joe SixPack <joe@football.example.com>\r\n" \
    "To: Suzie Q <suzie@shopping.example.net>\r\n"     \
    "Subject: Is dinner ready?\r\n"                    \
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"  \
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
#define BODY   "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n\r\n\r\n"

#define KEY    "brisbane._domainkey.football.example.com"
#define RECORD "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static const struct dnszone_row good[] = {{KEY, DNS_TXT, "v=DKIM1; " RECORD}, {0}};
static const struct dnszone_row second[] = {
    {KEY, DNS_TXT, "other text"}, {KEY, DNS_TXT, RECORD}, {0}};
static const struct dnszone_row strict[] = {{KEY, DNS_TXT, "t=s; " RECORD}, {0}};
static const struct dnszone_row revoked[] = {{KEY, DNS_TXT, "k=ed25519; p="}, {0}};
static const struct dnszone_row another[] = {
    {KEY, DNS_TXT, "k=ed25519; p=sPs07Vu29FpHT/80UXUcYHFOHifD4o2ZlP2+XUh9g6E="}, {0}};
static const struct dnszone_row away[] = {{KEY, DNS_TXT, NULL}, {0}};
static const struct dnszone_row none[] = {{0}};

static const struct {
    const struct dnszone_row *zone;
    const char *header;
    const char *body;
    enum dkim_result result;
    const char *why;
} rows[] = {
    {good, SIGNATURE HEADER, BODY, DKIM_PASS, ""},
    {second, SIGNATURE HEADER, BODY, DKIM_PASS, ""},
    {strict, SIGNATURE HEADER, BODY, DKIM_PASS, ""},
    {good, HEADER SIGNATURE, BODY "\r\n", DKIM_PASS, ""},
    {good, SIGNATURE "X-New: y\r\n" HEADER, BODY, DKIM_PASS, ""},
    {good, SIGNATURE HEADER, BODY "x", DKIM_FAIL, "body hash"},
    {good, SIGNATURE HEADER "Subject: x\r\n", BODY, DKIM_FAIL, "signature did not"},
    {good, SIGNATURE "From: x@y\r\n" HEADER, BODY, DKIM_FAIL, "signature did not"},
    {another, SIGNATURE HEADER, BODY, DKIM_FAIL, "signature did not"},
    {revoked, SIGNATURE HEADER, BODY, DKIM_PERMERROR, "revoked"},
    {none, SIGNATURE HEADER, BODY, DKIM_PERMERROR, "no key"},
    {away, SIGNATURE HEADER, BODY, DKIM_TEMPERROR, "looked up"},
    {good, "DKIM-Signature: v=1; a=what\r\n" HEADER, BODY, DKIM_NEUTRAL, "algorithm"},
};

static size_t fields_of(const char *header, struct header_field *out)
{
    struct header_walk w = header_walk(str_of(header));
    size_t n = 0;

    while (header_next(&w, &out[n]))
        n++;
    return n;
}

static void run(size_t i, size_t cut)
{
    struct arena *a = arena_new(1 << 20);
    struct header_field fields[16];
    size_t n = fields_of(rows[i].header, fields);
    struct str body = str_of(rows[i].body);
    struct dkim_verify v;
    struct lookup l;

    lookup_init(&l, a);
    dkim_verify_init(&v, fields, n, a);
    dkim_verify_body(&v, str_head(body, cut));
    dkim_verify_body(&v, str_skip(body, cut));
    dkim_verify_end(&v);
    while (!dkim_verify_run(&v, &l))
        assert_true(dnszone_answer(rows[i].zone, &l) > 0);
    assert_int_equal(v.n, 1);
    if (v.at[0].result != rows[i].result || strstr(v.at[0].why, rows[i].why) == NULL)
        fail_msg("row %zu: %s (%s)", i, dkim_result_name(v.at[0].result), v.at[0].why);
    dkim_verify_done(&v);
    arena_free(a);
}

static void the_rfcs_example_verifies_and_damage_shows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        run(i, 7);
    for (size_t cut = 0; cut <= sizeof(BODY) - 1; cut++)
        run(0, cut);
}

static void equal_ways_of_hashing_share_one_hash(void **state)
{
    struct arena *a = arena_new(1 << 20);
    own_buf struct buf header = BUF_INIT(65536);
    struct header_field fields[32];
    struct dkim_verify v;

    (void)state;
    for (int i = 0; i < 12; i++)
        buf_append_c(&header, SIGNATURE);
    dkim_verify_init(&v, fields, fields_of(buf_c(&header), fields), a);
    assert_int_equal(v.n, DKIM_VERIFY_MAX);
    assert_int_equal(v.bodies_n, 1);
    dkim_verify_done(&v);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_example_verifies_and_damage_shows),
        cmocka_unit_test(equal_ways_of_hashing_share_one_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
