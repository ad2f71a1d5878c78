/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/container/scope_of.h"
#include "runtime/kernel/cgroup_devices.h"
#include "runtime/kernel/dbus_value.h"
#include "runtime/spec/oci.h"

#include "tests/lib/test.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static const struct scope_property *find(const struct scope_properties *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->v[i].name, name) == 0)
            return &p->v[i];
    return NULL;
}

static uint64_t value(const struct scope_properties *p, const char *name)
{
    const struct scope_property *x = find(p, name);

    return x == NULL ? 0 : x->number;
}

static void both_versions_have_their_names(void **state)
{
    struct oci_resources r = {.memory = {.limit = {true, 1 << 20}, .swap = {true, -1}},
                              .cpu = {.shares = {true, 1024}, .quota = {true, 50001}},
                              .blkio = {.weight = {true, 1000}},
                              .pids_limit = {true, -1}};
    struct scope_properties p = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_ok(scope_of(arena, &r, true, &p, &err), &err);
    assert_int_equal(value(&p, "MemoryMax"), 1 << 20);
    assert_int_equal(value(&p, "MemorySwapMax"), UINT64_MAX);
    assert_int_equal(value(&p, "CPUWeight"), 39);
    assert_int_equal(value(&p, "CPUQuotaPerSecUSec"), 510000);
    assert_int_equal(value(&p, "TasksMax"), UINT64_MAX);
    assert_int_equal(value(&p, "IOWeight"), 10000);
    p.n = 0;
    assert_ok(scope_of(arena, &r, false, &p, &err), &err);
    assert_int_equal(value(&p, "MemoryLimit"), 1 << 20);
    assert_int_equal(value(&p, "CPUShares"), 1024);
    assert_int_equal(value(&p, "BlockIOWeight"), 1000);
    assert_null(find(&p, "MemoryMax"));
}

static void nothing_asked_is_nothing_told(void **state)
{
    struct oci_resources r = {0};
    struct scope_properties p = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_ok(scope_of(arena, &r, true, &p, &err), &err);
    assert_int_equal(p.n, 0);
}

static void lists_of_cpus_are_masks(void **state)
{
    struct oci_resources r = {.cpu = {.cpus = "0-3,9", .mems = "0"}};
    struct scope_properties p = {.n = 0};
    const struct scope_property *x = NULL;
    struct err err = {0};

    (void)state;
    assert_ok(scope_of(arena, &r, true, &p, &err), &err);
    x = find(&p, "AllowedCPUs");
    assert_non_null(x);
    assert_int_equal(x->bytes_n, 2);
    assert_memory_equal(x->bytes, "\x0f\x02", 2);
    assert_int_equal(x->since, 244);
    assert_int_equal(find(&p, "AllowedMemoryNodes")->bytes_n, 1);
    r.cpu.cpus = "";
    p.n = 0;
    assert_ok(scope_of(arena, &r, true, &p, &err), &err);
    assert_int_equal(find(&p, "AllowedCPUs")->bytes_n, 0);
}

static void files_of_v2_are_told_too(void **state)
{
    struct oci_pair pairs[] = {{"cpu.max", "50000 200000"},    {"memory.high", "max"},
                               {"memory.min", "4096\n"},       {"cpuset.cpus", "1\n"},
                               {"io.latency", "8:0 target=5"}, {"pids.max", "seven"}};
    struct oci_resources r = {.unified = {pairs, ARRAY_N(pairs)}};
    struct scope_properties p = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_ok(scope_of(arena, &r, true, &p, &err), &err);
    assert_int_equal(value(&p, "CPUQuotaPerSecUSec"), 250000);
    assert_int_equal(value(&p, "CPUQuotaPeriodUSec"), 200000);
    assert_int_equal(value(&p, "MemoryHigh"), UINT64_MAX);
    assert_int_equal(value(&p, "MemoryMin"), 4096);
    assert_memory_equal(find(&p, "AllowedCPUs")->bytes, "\x02", 1);
    assert_int_equal(p.n, 5);
}

static void devices_have_their_words(void **state)
{
    struct cgroup_devices d = {.n = 4,
                               .v = {{'c', 1, 3, CGROUP_DEVICE_ALL},
                                     {'c', 136, -1, CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE},
                                     {'b', -1, -1, CGROUP_DEVICE_MKNOD},
                                     {'b', 8, 0, CGROUP_DEVICE_READ}}};
    struct scope_properties p = {.n = 0};
    const struct scope_device *v = NULL;
    struct err err = {0};

    (void)state;
    assert_ok(scope_of_devices(arena, &d, &p, &err), &err);
    assert_string_equal(find(&p, "DevicePolicy")->text, "strict");
    assert_int_equal(find(&p, "DeviceAllow")->devices_n, 4);
    v = find(&p, "DeviceAllow")->devices;
    assert_string_equal(v[0].path, "/dev/char/1:3");
    assert_string_equal(v[0].access, "rwm");
    assert_string_equal(v[1].path, "char-136");
    assert_string_equal(v[2].path, "block-*");
    assert_string_equal(v[2].access, "m");
    assert_string_equal(v[3].path, "/dev/block/8:0");
}

static void what_cannot_be_said_of_devices_is_not(void **state)
{
    struct cgroup_devices all = {.allow = true}, minors = {.n = 1, .v = {{'c', -1, 7, 7}}};
    const struct cgroup_devices *each[] = {&all, &minors};
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(each); i++) {
        struct scope_properties p = {.n = 0};

        assert_ok(scope_of_devices(arena, each[i], &p, &err), &err);
        assert_string_equal(find(&p, "DevicePolicy")->text, "auto");
        assert_int_equal(find(&p, "DeviceAllow")->devices_n, 0);
    }
}

static void annotations_are_properties(void **state)
{
    struct oci_pair pairs[] = {{"org.systemd.property.TimeoutStopUSec", "uint64 5"},
                               {"org.systemd.property.RuntimeMaxSec", "7"},
                               {"org.systemd.propertyX", "7"},
                               {"org.systemd.property.CollectMode", "'inactive'"}};
    struct oci_pairs all = {pairs, ARRAY_N(pairs)};
    struct scope_properties p = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_ok(scope_of_annotations(arena, &all, &p, &err), &err);
    assert_int_equal(p.n, 3);
    assert_int_equal(find(&p, "TimeoutStopUSec")->kind, SCOPE_VALUE);
    assert_int_equal(find(&p, "TimeoutStopUSec")->value->number, 5);
    assert_int_equal(value(&p, "RuntimeMaxUSec"), 7000000);
    assert_str(find(&p, "CollectMode")->value->text, "inactive");
}

static void wrong_annotations_are_refused_by_name(void **state)
{
    static const struct {
        struct oci_pair pair;
        const char *part;
    } wrong[] = {
        {{"org.systemd.property.", "1"}, "no name of a property"},
        {{"org.systemd.property.A-b", "1"}, "no name of a property"},
        {{"org.systemd.property.Slice", "system"}, "['org.systemd.property.Slice']"},
        {{"org.systemd.property.RuntimeMaxSec", "'1'"}, "expected seconds"},
        {{"org.systemd.property.RuntimeMaxSec", "uint64 18446744073709551615"}, "expected seconds"},
    };
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(wrong); i++) {
        struct oci_pair pair = wrong[i].pair;
        struct oci_pairs one = {&pair, 1};
        struct scope_properties p = {.n = 0};

        assert_int_equal(scope_of_annotations(arena, &one, &p, &err), -1);
        assert_err(&err, wrong[i].part);
    }
}

static void too_many_are_an_error(void **state)
{
    struct oci_pair pairs[SCOPE_PROPERTIES_MAX + 1];
    struct oci_pairs all = {pairs, ARRAY_N(pairs)};
    struct scope_properties p = {.n = 0};
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(pairs); i++)
        pairs[i] = (struct oci_pair){"org.systemd.property.TasksMax", "uint64 1"};
    assert_int_equal(scope_of_annotations(arena, &all, &p, &err), -1);
    assert_err(&err, "more than 64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_have_their_names),
        cmocka_unit_test(nothing_asked_is_nothing_told),
        cmocka_unit_test(lists_of_cpus_are_masks),
        cmocka_unit_test(files_of_v2_are_told_too),
        cmocka_unit_test(devices_have_their_words),
        cmocka_unit_test(what_cannot_be_said_of_devices_is_not),
        cmocka_unit_test(annotations_are_properties),
        cmocka_unit_test(wrong_annotations_are_refused_by_name),
        cmocka_unit_test(too_many_are_an_error),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
