/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/stack/order.h"
#include "runtime/stack/svc.h"

#include "tests/lib/test.h"

static void load(struct arena *a, struct svc_table *t, struct order *o)
{
    struct err err = {0};

    assert_ok(svc_load(a, t, &err), &err);
    assert_ok(order_make(t, o, &err), &err);
}

static size_t at(const struct svc_table *t, const char *name)
{
    return svc_get(t, name)->index;
}

/* Starts all that may start, round by round, as the supervisor does. */
static void every_service_starts_after_what_it_needs(void **state)
{
    struct arena *a = arena_new(1u << 20);
    struct svc_table t;
    struct order o;
    bool wanted[SVC_N];
    bool up[SVC_N] = {false};
    size_t n = 0;

    (void)state;
    load(a, &t, &o);
    memset(wanted, true, sizeof(wanted));
    for (size_t round = 0; round < SVC_N; round++)
        for (size_t i = 0; i < SVC_N; i++) {
            if (up[i] || !order_may_start(&o, i, wanted, up))
                continue;
            for (size_t k = 0; k < t.v[i].after.n; k++)
                assert_true(up[at(&t, t.v[i].after.v[k])]);
            up[i] = true;
            n++;
        }
    assert_int_equal(n, SVC_N);
    arena_free(a);
}

static void a_service_stops_when_nobody_needs_it_any_more(void **state)
{
    struct arena *a = arena_new(1u << 20);
    struct svc_table t;
    struct order o;
    bool wanted[SVC_N] = {false};
    bool down[SVC_N] = {false};
    size_t smtpd;
    size_t authd;

    (void)state;
    load(a, &t, &o);
    smtpd = at(&t, "smtpd");
    authd = at(&t, "authd");
    assert_true(o.after[smtpd][authd]);
    assert_false(order_may_stop(&o, authd, wanted, down));
    for (size_t i = 0; i < SVC_N; i++)
        down[i] = i != authd;
    assert_true(order_may_stop(&o, authd, wanted, down));
    /* What is to stay does not hold back one that is taken away. */
    down[smtpd] = false;
    wanted[smtpd] = true;
    assert_true(order_may_stop(&o, authd, wanted, down));
    arena_free(a);
}

static void what_is_not_wanted_is_not_waited_for(void **state)
{
    struct arena *a = arena_new(1u << 20);
    struct svc_table t;
    struct order o;
    bool wanted[SVC_N] = {false};
    bool up[SVC_N] = {false};

    (void)state;
    load(a, &t, &o);
    wanted[at(&t, "smtpd")] = true;
    assert_true(order_may_start(&o, at(&t, "smtpd"), wanted, up));
    wanted[at(&t, "authd")] = true;
    assert_false(order_may_start(&o, at(&t, "smtpd"), wanted, up));
    arena_free(a);
}

static void cycles_and_strangers_are_refused(void **state)
{
    static const char *frontd[] = {"frontd", NULL};
    static const char *nobody[] = {"nobodyd", NULL};
    struct arena *a = arena_new(1u << 20);
    struct svc_table t;
    struct order o = {.n = 77};
    struct err err = {0};

    (void)state;
    assert_ok(svc_load(a, &t, &err), &err);
    t.v[at(&t, "authd")].after = (struct stack_strings){frontd, 1};
    assert_int_equal(order_make(&t, &o, &err), -1);
    assert_err(&err, "waits for itself");
    assert_int_equal(o.n, 77);
    t.v[at(&t, "authd")].after = (struct stack_strings){nobody, 1};
    assert_int_equal(order_make(&t, &o, &err), -1);
    assert_err(&err, "nobodyd");
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_service_starts_after_what_it_needs),
        cmocka_unit_test(a_service_stops_when_nobody_needs_it_any_more),
        cmocka_unit_test(what_is_not_wanted_is_not_waited_for),
        cmocka_unit_test(cycles_and_strangers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
