/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>

#include "runtime/kernel/idlist.h"
#include "runtime/kernel/sched.h"

#include "tests/lib/test.h"

static void what_needs_no_privilege_is_set(void **state)
{
    struct sched s = {.policy = SCHED_BATCH, .nice = 5};
    struct err err = {0};

    (void)state;
    assert_ok(sched_apply(&s, &err), &err);
    assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), 5);
    assert_ok(sched_ioprio(2, 6, &err), &err);
}

static void nonsense_comes_back_as_an_error(void **state)
{
    struct sched s = {.policy = 77};
    struct err err = {0};

    (void)state;
    assert_int_equal(sched_apply(&s, &err), -1);
    assert_int_equal(err.code, EINVAL);
    assert_int_equal(sched_ioprio(7, 0, &err), -1);
    assert_int_equal(sched_mempolicy(99, 0, "0", &err), -1);
}

static void the_cpus_are_set_and_read(void **state)
{
    struct idlist before, one = {{0}}, now;
    struct err err = {0};
    long top = 0;

    (void)state;
    assert_ok(sched_cpus_get(0, &before, &err), &err);
    top = idlist_top(&before);
    one.v[(size_t)top / IDLIST_WORD] = 1UL << (size_t)top % IDLIST_WORD;
    assert_ok(sched_cpus_set(0, &one, &err), &err);
    assert_ok(sched_cpus_get(0, &now, &err), &err);
    assert_memory_equal(&now, &one, sizeof now);
    idlist_fill(&now);
    assert_ok(sched_cpus_set(0, &now, &err), &err);
    assert_ok(sched_cpus_get(0, &now, &err), &err);
    assert_int_equal(idlist_top(&now), top);
}

static void memory_policies(void **state)
{
    struct err err = {0};

    (void)state;
    if (sched_mempolicy(2, 0, "0", &err) < 0) {
        if (err.code == ENOSYS)
            SKIP("the kernel has no memory policies");
        assert_ok(-1, &err);
    }
    assert_ok(sched_mempolicy(0, 0, NULL, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_needs_no_privilege_is_set),
        cmocka_unit_test(nonsense_comes_back_as_an_error),
        cmocka_unit_test(the_cpus_are_set_and_read),
        cmocka_unit_test(memory_policies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
