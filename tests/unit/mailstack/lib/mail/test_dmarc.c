/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/mail/dmarc.h"

#include "tests/lib/test.h"

static void policies_fall_back_on_the_one_above(void **state)
{
    struct dmarc_record r;
    struct err err = {0};

    (void)state;
    assert_ok(dmarc_parse(STR("v=DMARC1; p=reject"), &r, &err), &err);
    assert_int_equal(r.policy, DMARC_POLICY_REJECT);
    assert_int_equal(r.subdomains, DMARC_POLICY_REJECT);
    assert_int_equal(r.nonexistent, DMARC_POLICY_REJECT);
    assert_false(r.strict_dkim || r.strict_spf || r.testing);
    assert_ok(
        dmarc_parse(STR("v=DMARC1;p=none; sp=quarantine;adkim=s; aspf=s; t=y; psd=n"), &r, &err),
        &err);
    assert_int_equal(r.nonexistent, DMARC_POLICY_QUARANTINE);
    assert_true(r.strict_dkim && r.strict_spf && r.testing);
    assert_int_equal(r.psd, DMARC_PSD_NO);
    assert_ok(dmarc_parse(STR("v=DMARC1; rua=mailto:a@b.org"), &r, &err), &err);
    assert_int_equal(r.policy, DMARC_POLICY_NONE);
}

static void other_records_are_not_dmarc(void **state)
{
    static const char *const bad[] = {
        "",        "v=spf1 -all", "p=reject; v=DMARC1", "v=DMARC2; p=none", "v=dmarc1; p=none",
        "v=DMARC1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct dmarc_record r;
        struct err err = {0};

        assert_int_equal(dmarc_parse(str_of(bad[i]), &r, &err), -1);
    }
}

static void the_walk_goes_up_with_at_most_eight_questions(void **state)
{
    struct str at = STR("a.b.c.d.e.f.g.h.i.j.mail.example.com");
    int n = 1;

    (void)state;
    at = dmarc_walk_next(at);
    assert_str(at, "g.h.i.j.mail.example.com");
    while (at.n > 0) {
        n++;
        at = dmarc_walk_next(at);
    }
    assert_int_equal(n, DMARC_WALK_MAX);
    assert_str(dmarc_walk_next(STR("a.b")), "b");
    assert_str(dmarc_walk_next(STR("b")), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_fall_back_on_the_one_above),
        cmocka_unit_test(other_records_are_not_dmarc),
        cmocka_unit_test(the_walk_goes_up_with_at_most_eight_questions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
