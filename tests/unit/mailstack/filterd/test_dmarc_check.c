/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"

#include "mailstack/filterd/dmarc_check.h"
#include "mailstack/filterd/lookup.h"

#include "tests/lib/dnszone.h"
#include "tests/lib/test.h"

static const struct dnszone_row zone[] = {
    {"_dmarc.example.org", DNS_TXT, "v=DMARC1; p=reject; sp=quarantine; np=reject"},
    {"mail.example.org", DNS_A, "192.0.2.1"},
    {"_dmarc.strict.org", DNS_TXT, "v=DMARC1; p=none; adkim=s; aspf=s"},
    {"_dmarc.test.org", DNS_TXT, "v=DMARC1; p=reject; t=y"},
    {"_dmarc.two.org", DNS_TXT, "v=DMARC1; p=reject"},
    {"_dmarc.two.org", DNS_TXT, "v=DMARC1; p=none"},
    {"_dmarc.other.org", DNS_TXT, "some text"},
    {"_dmarc.away.org", DNS_TXT, NULL},
    {"_dmarc.suffix.org", DNS_TXT, "v=DMARC1; p=quarantine; psd=y"},
    {"_dmarc.own.suffix.org", DNS_TXT, "v=DMARC1; p=reject"},
    {"_dmarc.unit.big.org", DNS_TXT, "v=DMARC1; p=none; psd=n"},
    {"_dmarc.big.org", DNS_TXT, "v=DMARC1; p=reject"},
    {0},
};

static const struct {
    const char *from;
    const char *spf;
    const char *dkim;
    enum dmarc_result result;
    enum dmarc_policy policy;
} rows[] = {
    {"example.org", "example.org", "", DMARC_PASS, DMARC_POLICY_REJECT},
    {"example.org", "bounce.example.org", "", DMARC_PASS, DMARC_POLICY_REJECT},
    {"example.org", "", "mail.example.org", DMARC_PASS, DMARC_POLICY_REJECT},
    {"example.org", "other.org", "notexample.org", DMARC_FAIL, DMARC_POLICY_REJECT},
    {"mail.example.org", "", "example.org", DMARC_PASS, DMARC_POLICY_QUARANTINE},
    {"mail.example.org", "", "x.example.org", DMARC_PASS, DMARC_POLICY_QUARANTINE},
    {"nothing.example.org", "", "", DMARC_FAIL, DMARC_POLICY_REJECT},
    {"strict.org", "a.strict.org", "a.strict.org", DMARC_FAIL, DMARC_POLICY_NONE},
    {"strict.org", "strict.org", "", DMARC_PASS, DMARC_POLICY_NONE},
    {"test.org", "", "", DMARC_FAIL, DMARC_POLICY_QUARANTINE},
    {"two.org", "two.org", "", DMARC_NONE, DMARC_NO_POLICY},
    {"other.org", "other.org", "", DMARC_NONE, DMARC_NO_POLICY},
    {"away.org", "", "", DMARC_TEMPERROR, DMARC_NO_POLICY},
    /* Beneath a public suffix every name is an organization of its own. */
    {"a.suffix.org", "b.suffix.org", "", DMARC_FAIL, DMARC_POLICY_QUARANTINE},
    {"a.suffix.org", "x.a.suffix.org", "", DMARC_PASS, DMARC_POLICY_QUARANTINE},
    {"own.suffix.org", "a.suffix.org", "", DMARC_FAIL, DMARC_POLICY_REJECT},
    {"x.own.suffix.org", "y.own.suffix.org", "", DMARC_PASS, DMARC_POLICY_REJECT},
    /* psd=n divides an organization. */
    {"unit.big.org", "big.org", "", DMARC_FAIL, DMARC_POLICY_NONE},
    {"unit.big.org", "x.unit.big.org", "", DMARC_PASS, DMARC_POLICY_NONE},
    {"big.org", "unit.big.org", "", DMARC_FAIL, DMARC_POLICY_REJECT},
    {"a.b.c.d.e.f.g.h.example.org", "example.org", "", DMARC_PASS, DMARC_POLICY_REJECT},
};

static void alignment_and_policy_are_those_of_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct arena *a = arena_new(1 << 20);
        struct dmarc_question q = {
            .from = str_of(rows[i].from),
            .identities = {{.domain = str_of(rows[i].spf), .is_spf = true},
                           {.domain = str_of(rows[i].dkim)}},
            .identities_n = 2,
        };
        struct dmarc_outcome out;
        struct lookup l;

        lookup_init(&l, a);
        while (!dmarc_check(&q, &l, &out))
            assert_true(dnszone_answer(zone, &l) > 0);
        if (out.result != rows[i].result || out.policy != rows[i].policy)
            fail_msg("%s, %s, %s: %s, %s", rows[i].from, rows[i].spf, rows[i].dkim,
                     dmarc_result_name(out.result), dmarc_policy_name(out.policy));
        arena_free(a);
    }
}

static void an_aligned_identity_that_could_not_be_looked_up_is_no_failure(void **state)
{
    static const struct {
        const char *domain;
        enum dmarc_result result;
    } unsure[] = {
        {"example.org", DMARC_TEMPERROR},
        {"mail.example.org", DMARC_TEMPERROR},
        {"forger.org", DMARC_FAIL}, /* his broken name server excuses nothing */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(unsure); i++) {
        struct arena *a = arena_new(1 << 20);
        struct dmarc_question q = {
            .from = STR("example.org"),
            .identities = {{.domain = str_of(unsure[i].domain), .is_spf = true, .unsure = true}},
            .identities_n = 1,
        };
        struct dmarc_outcome out;
        struct lookup l;

        lookup_init(&l, a);
        while (!dmarc_check(&q, &l, &out))
            assert_true(dnszone_answer(zone, &l) > 0);
        assert_int_equal(out.result, unsure[i].result);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alignment_and_policy_are_those_of_the_rfc),
        cmocka_unit_test(an_aligned_identity_that_could_not_be_looked_up_is_no_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
