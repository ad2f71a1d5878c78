/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "runtime/base/arena.h"
#include "runtime/base/loop.h"

#include "mailstack/filterd/lookup.h"

#include "tests/lib/dnszone.h"
#include "tests/lib/test.h"

static void what_is_not_known_is_noted_once(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct lookup l;
    const struct dns_answer *answer;
    static const struct dnszone_row zone[] = {
        {"a.org", DNS_TXT, "x"}, {"a.org", DNS_TXT, "y"}, {0}};

    (void)state;
    lookup_init(&l, a);
    assert_null(lookup_get(&l, STR("A.org"), DNS_TXT));
    assert_null(lookup_get(&l, STR("a.ORG."), DNS_TXT));
    assert_null(lookup_get(&l, STR("a.org"), DNS_A));
    assert_null(lookup_get(&l, STR("b.org"), DNS_A));
    assert_int_equal(dnszone_answer(zone, &l), 3);
    answer = lookup_get(&l, STR("a.org"), DNS_TXT);
    assert_int_equal(answer->records_n, 2);
    assert_str(answer->records[1].text, "y");
    assert_int_equal(lookup_get(&l, STR("a.org"), DNS_A)->status, DNS_NODATA);
    assert_int_equal(lookup_get(&l, STR("b.org"), DNS_A)->status, DNS_NXDOMAIN);
    assert_int_equal(dnszone_answer(zone, &l), 0);
    arena_free(a);
}

static void too_many_are_answered_with_failure(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct lookup l;

    (void)state;
    lookup_init(&l, a);
    for (int i = 0; i < LOOKUP_MAX; i++) {
        char name[32];
        int n = snprintf(name, sizeof(name), "n%d.org", i);

        assert_null(lookup_get(&l, (struct str){name, (size_t)n}, DNS_A));
    }
    assert_int_equal(lookup_get(&l, STR("more.org"), DNS_A)->status, DNS_TEMP);
    arena_free(a);
}

static void count(struct lookup *l)
{
    *(int *)l->ctx += 1;
}

static void without_dnsd_the_answer_is_failure_from_the_loop(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct err err = {0};
    struct loop *loop = loop_new(&err);
    struct dns_client *c = dns_client_new(loop, "/nonexistent/dnsd.sock");
    struct lookup l;
    int answers = 0;

    (void)state;
    lookup_init(&l, a);
    l.answered = count;
    l.ctx = &answers;
    assert_null(lookup_get(&l, STR("a.org"), DNS_A));
    assert_null(lookup_get(&l, STR("b.org"), DNS_A));
    lookup_send(&l, c, 1000);
    assert_int_equal(answers, 0);
    assert_ok(loop_turn(loop, 0, &err), &err);
    assert_int_equal(answers, 2);
    assert_int_equal(lookup_get(&l, STR("a.org"), DNS_A)->status, DNS_TEMP);
    assert_null(lookup_get(&l, STR("c.org"), DNS_A));
    lookup_send(&l, c, 1000);
    lookup_cancel(&l);
    assert_ok(loop_turn(loop, 0, &err), &err);
    assert_int_equal(answers, 2);
    dns_client_free(c);
    loop_free(loop);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_is_noted_once),
        cmocka_unit_test(too_many_are_answered_with_failure),
        cmocka_unit_test(without_dnsd_the_answer_is_failure_from_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
