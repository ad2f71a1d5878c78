/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/container/rdt_of.h"
#include "runtime/spec/oci.h"

#include "tests/lib/test.h"

static void a_group_is_shared_if_it_is_named(void **state)
{
    const char *lines[] = {"L2:0=3", NULL};
    struct oci_rdt o = {.set = true,
                        .l3_cache_schema = "L3:0=f",
                        .mem_bw_schema = "MB:0=20",
                        .schemata = {lines, 1},
                        .enable_monitoring = true};
    struct arena *a = arena_new(1 << 16);
    struct rdt r;
    struct err err = {0};

    (void)state;
    assert_ok(rdt_of(a, &o, "id", &r, &err), &err);
    assert_string_equal(r.group, "id");
    assert_string_equal(r.monitor, "id");
    assert_false(r.shared);
    assert_int_equal(r.schema_n, 3);
    assert_string_equal(r.schema[2], "L2:0=3");
    o.clos_id = "gold";
    assert_ok(rdt_of(a, &o, "id", &r, &err), &err);
    assert_string_equal(r.group, "gold");
    assert_true(r.shared);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_is_shared_if_it_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
