/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/cgroup_devices.h"

#include "tests/lib/test.h"

static struct cgroup_device dev(char type, int64_t major, int64_t minor, unsigned access)
{
    return (struct cgroup_device){type, major, minor, access};
}

static void rules_of_one_device_are_merged(void **state)
{
    struct cgroup_devices d;
    struct cgroup_device r = dev('c', 1, 3, CGROUP_DEVICE_READ),
                         w = dev('c', 1, 3, CGROUP_DEVICE_WRITE);

    (void)state;
    cgroup_devices_init(&d);
    assert_true(cgroup_devices_rule(&d, true, &r));
    assert_true(cgroup_devices_rule(&d, true, &w));
    assert_int_equal(d.n, 1);
    assert_int_equal(d.v[0].access, CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE);
    assert_false(d.allow);
}

static void a_later_rule_takes_back_an_earlier_one(void **state)
{
    struct cgroup_devices d;
    struct cgroup_device all = dev('c', 1, 3, CGROUP_DEVICE_ALL),
                         w = dev('c', 1, 3, CGROUP_DEVICE_WRITE);

    (void)state;
    cgroup_devices_init(&d);
    assert_true(cgroup_devices_rule(&d, true, &all));
    assert_true(cgroup_devices_rule(&d, false, &w));
    assert_int_equal(d.v[0].access, CGROUP_DEVICE_READ | CGROUP_DEVICE_MKNOD);
    assert_true(cgroup_devices_rule(&d, false, &all));
    assert_int_equal(d.n, 0);
}

static void a_rule_for_all_forgets_what_was(void **state)
{
    struct cgroup_devices d;
    struct cgroup_device one = dev('c', 1, 3, CGROUP_DEVICE_ALL), all = dev('a', -1, -1, 7);

    (void)state;
    cgroup_devices_init(&d);
    assert_true(cgroup_devices_rule(&d, true, &one));
    assert_true(cgroup_devices_rule(&d, true, &all));
    assert_true(d.allow);
    assert_int_equal(d.n, 0);
    assert_true(cgroup_devices_rule(&d, false, &one));
    assert_int_equal(d.n, 1);
}

static void there_is_a_limit_to_exceptions(void **state)
{
    struct cgroup_devices d;
    struct cgroup_device one = dev('b', 8, 0, CGROUP_DEVICE_READ);

    (void)state;
    cgroup_devices_init(&d);
    for (one.minor = 0; one.minor < CGROUP_DEVICES_MAX; one.minor++)
        assert_true(cgroup_devices_rule(&d, true, &one));
    assert_false(cgroup_devices_rule(&d, true, &one));
}

static void the_text_is_what_cgroup_v1_takes(void **state)
{
    struct cgroup_device d = dev('c', 136, -1, CGROUP_DEVICE_READ | CGROUP_DEVICE_MKNOD);
    char text[CGROUP_DEVICE_TEXT_MAX];

    (void)state;
    cgroup_device_format(&d, text);
    assert_string_equal(text, "c 136:* rm");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_of_one_device_are_merged),
        cmocka_unit_test(a_later_rule_takes_back_an_earlier_one),
        cmocka_unit_test(a_rule_for_all_forgets_what_was),
        cmocka_unit_test(there_is_a_limit_to_exceptions),
        cmocka_unit_test(the_text_is_what_cgroup_v1_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
