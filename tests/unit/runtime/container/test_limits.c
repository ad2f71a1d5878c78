/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/container/limits.h"
#include "runtime/kernel/cgroup_devices.h"
#include "runtime/spec/oci.h"

#include "tests/lib/test.h"

static const char *or_dash(const char *text)
{
    return text == NULL ? "-" : text;
}

static void check(const char *json, const char *expected)
{
    own_buf struct buf out = BUF_INIT(8192);
    struct arena *a = arena_new(1 << 20);
    struct oci_resources r;
    struct limits l;
    struct err err = {0};

    memset(&r, 0, sizeof r);
    assert_ok(oci_load_resources(a, str_of(json), &r, &err), &err);
    assert_ok(limits_make(a, &r, &l, &err), &err);
    for (size_t i = 0; i < l.n; i++)
        buf_printf(&out, "%s=%s %s=%s\n", or_dash(l.v[i].v1_file), or_dash(l.v[i].v1_value),
                   or_dash(l.v[i].v2_file), or_dash(l.v[i].v2_value));
    assert_string_equal(buf_c(&out), expected);
    arena_free(a);
}

static void both_versions_get_what_they_understand(void **state)
{
    (void)state;
    check("{\"memory\": {\"limit\": 100, \"swap\": 150, \"reservation\": 50}}",
          "memory.limit_in_bytes=100 memory.max=100\n"
          "memory.soft_limit_in_bytes=50 memory.low=50\n"
          "memory.memsw.limit_in_bytes=150 memory.swap.max=50\n");
    check("{\"memory\": {\"limit\": -1, \"swap\": 70}}",
          "memory.limit_in_bytes=-1 memory.max=max\n"
          "memory.memsw.limit_in_bytes=70 memory.swap.max=70\n");
    check("{\"memory\": {\"swap\": 70}}", "memory.memsw.limit_in_bytes=70 memory.swap.max=-\n");
    check("{\"memory\": {\"limit\": -1, \"swap\": -1}}",
          "memory.limit_in_bytes=-1 memory.max=max\n"
          "memory.memsw.limit_in_bytes=-1 memory.swap.max=max\n");
    check("{\"cpu\": {\"quota\": 50000, \"period\": 100000, \"shares\": 1024}}",
          "cpu.shares=1024 cpu.weight=39\n"
          "cpu.cfs_period_us=100000 -=100000\n"
          "cpu.cfs_quota_us=50000 cpu.max=50000 100000\n");
    check("{\"cpu\": {\"quota\": -1}}", "cpu.cfs_quota_us=-1 cpu.max=max\n");
    check("{\"pids\": {\"limit\": 0}}", "pids.max=1 pids.max=1\n");
    check("{\"pids\": {\"limit\": -1}}", "pids.max=max pids.max=max\n");
    check("{\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 4194304}]}",
          "hugetlb.2MB.limit_in_bytes=4194304 hugetlb.2MB.max=4194304\n"
          "hugetlb.2MB.rsvd.limit_in_bytes=4194304 hugetlb.2MB.rsvd.max=4194304\n");
    check(
        "{\"blockIO\": {\"weightDevice\": [{\"major\": 8, \"minor\": 0, \"weight\": 500, \"leafWeight\": 300}]}}",
        "blkio.leaf_weight_device=8:0 300 -=-\n"
        "blkio.bfq.weight_device=8:0 500 io.bfq.weight=8:0 500\n");
    check(
        "{\"rdma\": {\"mlx5_1\": {\"hcaHandles\": 3, \"hcaObjects\": 10000}}}",
        "rdma.max=mlx5_1 hca_handle=3 hca_object=10000 rdma.max=mlx5_1 hca_handle=3 hca_object=10000\n");
    check("{\"unified\": {\"memory.high\": \"1000\"}}", "-=- memory.high=1000\n");
    check("{}", "");
}

static void realtime_is_given_where_nothing_is_said_of_it(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_resources r = {0};
    struct limits l;
    struct err err = {0};

    (void)state;
    assert_ok(limits_make(a, &r, &l, &err), &err);
    limits_add_realtime(&r, &l);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.v[0].v1_file, "cpu.rt_runtime_us");
    assert_true(l.v[0].optional && l.v[0].v2_file == NULL);
    r.cpu.rt_runtime = (struct oci_i64){.set = true, .v = 0};
    assert_ok(limits_make(a, &r, &l, &err), &err);
    limits_add_realtime(&r, &l);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.v[0].v1_value, "0");
    arena_free(a);
}

static void empty_is_what_asks_for_nothing(void **state)
{
    static const char *const asking[] = {
        "{\"cpu\": {\"idle\": 1}}",
        "{\"cpu\": {\"burst\": 1}}",
        "{\"cpu\": {\"realtimeRuntime\": 1}}",
        "{\"pids\": {\"limit\": 0}}",
        "{\"memory\": {\"disableOOMKiller\": true}}",
        "{\"network\": {\"classID\": 1}}",
        "{\"network\": {\"priorities\": [{\"name\": \"lo\", \"priority\": 1}]}}",
        "{\"blockIO\": {\"leafWeight\": 10}}",
        "{\"blockIO\": {\"throttleReadBpsDevice\": [{\"major\": 8, \"minor\": 0, \"rate\": 1}]}}"};
    static const char *const nothing[] = {"{}", "{\"pids\": {\"limit\": -1}}",
                                          "{\"memory\": {\"disableOOMKiller\": false}}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(asking) + ARRAY_N(nothing); i++) {
        bool asks = i < ARRAY_N(asking);
        const char *text = asks ? asking[i] : nothing[i - ARRAY_N(asking)];
        struct arena *a = arena_new(1 << 20);
        struct oci_resources r = {.devices_n = 0};
        struct err err = {0};

        assert_ok(oci_load_resources(a, str_of(text), &r, &err), &err);
        assert_int_equal(limits_is_empty(&r), !asks);
        arena_free(a);
    }
}

static void those_of_processes_can_be_told_apart(void **state)
{
    static const char *const with[] = {
        "{\"pids\": {\"limit\": 0}, \"cpu\": {\"shares\": 2}}",
        "{\"unified\": {\"pids.max\": \"3\", \"cpu.weight\": \"2\"}}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(with); i++) {
        struct arena *a = arena_new(1 << 20);
        struct oci_resources r = {.devices_n = 0};
        struct limits all, pids, rest;
        struct err err = {0};

        assert_ok(oci_load_resources(a, str_of(with[i]), &r, &err), &err);
        assert_true(limits_has_pids(&r));
        assert_ok(limits_make(a, &r, &all, &err), &err);
        assert_ok(limits_make(a, &r, &pids, &err), &err);
        assert_ok(limits_make(a, &r, &rest, &err), &err);
        limits_keep(&all, LIMITS_ALL);
        limits_keep(&pids, LIMITS_PIDS);
        limits_keep(&rest, LIMITS_BUT_PIDS);
        assert_int_equal(all.n, 2);
        assert_int_equal(pids.n, 1);
        assert_string_equal(pids.v[0].v2_file, "pids.max");
        assert_int_equal(rest.n, 1);
        assert_string_equal(rest.v[0].v2_file, "cpu.weight");
        arena_free(a);
    }
    assert_false(limits_has_pids(&(struct oci_resources){.pids_limit = {true, -1}}));
}

static void swap_below_memory_is_refused(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_resources r = {.memory = {.limit = {true, 100}, .swap = {true, 50}}};
    struct limits l;
    struct err err = {0};

    (void)state;
    assert_int_equal(limits_make(a, &r, &l, &err), -1);
    assert_err(&err, "$.linux.resources.memory.swap");
    arena_free(a);
}

static void every_container_may_use_the_null_device(void **state)
{
    struct oci_resources r = {.devices_n = 0};
    struct cgroup_devices d;
    struct err err = {0};
    bool found = false;

    (void)state;
    assert_ok(limits_devices(&r, &d, &err), &err);
    assert_false(d.allow);
    for (size_t i = 0; i < d.n; i++)
        found |= d.v[i].type == 'c' && d.v[i].major == 1 && d.v[i].minor == 3;
    assert_true(found);
}

static void a_weight_has_another_file_without_bfq(void **state)
{
    struct oci_resources r = {.blkio = {.weight = {true, 500}}};
    struct arena *a = arena_new(1 << 16);
    struct limits l;
    struct err err = {0};

    (void)state;
    assert_ok(limits_make(a, &r, &l, &err), &err);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.v[0].v1_other, "blkio.weight");
    assert_string_equal(l.v[0].v2_other, "io.weight");
    assert_string_equal(l.v[0].v2_other_value, "4950");
    arena_free(a);
}

static void no_swap_is_zero_on_v2_and_unsaid_with_a_limit(void **state)
{
    struct oci_resources r = {.memory = {.swap = {true, 0}}};
    struct arena *a = arena_new(1 << 16);
    struct limits l;
    struct err err = {0};

    (void)state;
    assert_ok(limits_make(a, &r, &l, &err), &err);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.v[0].v2_value, "0");
    assert_null(l.v[0].v1_file);
    r.memory.limit = (struct oci_i64){true, 1 << 20};
    assert_ok(limits_make(a, &r, &l, &err), &err);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.v[0].v2_file, "memory.max");
    check("{\"memory\": {\"swap\": 0}}", "-=- memory.swap.max=0\n"); /* read as it is written */
    check("{\"memory\": {\"swap\": 0, \"limit\": 0}}", ""); /* an update that says nothing */
    check("{\"memory\": {\"swap\": 0, \"limit\": 5}}", "memory.limit_in_bytes=5 memory.max=5\n");
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_weight_has_another_file_without_bfq),
        cmocka_unit_test(no_swap_is_zero_on_v2_and_unsaid_with_a_limit),
        cmocka_unit_test(both_versions_get_what_they_understand),
        cmocka_unit_test(realtime_is_given_where_nothing_is_said_of_it),
        cmocka_unit_test(empty_is_what_asks_for_nothing),
        cmocka_unit_test(those_of_processes_can_be_told_apart),
        cmocka_unit_test(swap_below_memory_is_refused),
        cmocka_unit_test(every_container_may_use_the_null_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
