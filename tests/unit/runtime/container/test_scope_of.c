/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/container/scope_of.h"
#include "runtime/spec/oci.h"

#include "tests/lib/test.h"

static uint64_t value(const struct scope_property *v, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].name, name) == 0)
            return v[i].number;
    return 0;
}

static void both_versions_have_their_names(void **state)
{
    struct oci_resources r = {.memory = {.limit = {true, 1 << 20}, .swap = {true, -1}},
                              .cpu = {.shares = {true, 1024}, .quota = {true, 50001}},
                              .pids_limit = {true, -1}};
    struct scope_property v[SCOPE_PROPERTIES_MAX];
    size_t n = scope_of(&r, true, v);

    (void)state;
    assert_int_equal(value(v, n, "MemoryMax"), 1 << 20);
    assert_int_equal(value(v, n, "MemorySwapMax"), UINT64_MAX);
    assert_int_equal(value(v, n, "CPUWeight"), 39);
    assert_int_equal(value(v, n, "CPUQuotaPerSecUSec"), 510000);
    assert_int_equal(value(v, n, "TasksMax"), UINT64_MAX);
    n = scope_of(&r, false, v);
    assert_int_equal(value(v, n, "MemoryLimit"), 1 << 20);
    assert_int_equal(value(v, n, "CPUShares"), 1024);
    assert_int_equal(value(v, n, "MemoryMax"), 0);
}

static void nothing_asked_is_nothing_told(void **state)
{
    struct oci_resources r = {0};
    struct scope_property v[SCOPE_PROPERTIES_MAX];

    (void)state;
    assert_int_equal(scope_of(&r, true, v), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_have_their_names),
        cmocka_unit_test(nothing_asked_is_nothing_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
