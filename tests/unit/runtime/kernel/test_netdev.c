/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/socket.h>

#include "runtime/kernel/netdev.h"

#include "tests/lib/test.h"

static void addresses_of_the_link_or_of_loopback_are_not_kept(void **state)
{
    struct netdev d;
    struct err err = {0};

    (void)state;
    assert_ok(netdev_look("lo", &d, &err), &err);
    assert_true(d.index > 0);
    for (size_t i = 0; i < d.addrs_n; i++)
        assert_true(d.addrs[i].family == AF_INET || d.addrs[i].family == AF_INET6);
}

static void a_device_that_is_not_there_is_named(void **state)
{
    struct netdev d;
    struct err err = {0};

    (void)state;
    assert_int_equal(netdev_look("no-such-dev", &d, &err), -1);
    assert_int_equal(err.code, ENODEV);
    assert_err(&err, "'no-such-dev'");
    assert_int_equal(netdev_settle(&d, "no-such-dev", &err), -1);
}

static void the_kernel_s_refusal_comes_back(void **state)
{
    struct netdev d = {.index = 0x7ffffff0};
    struct err err = {0};

    (void)state;
    assert_int_equal(netdev_move(&d, 0, "x", &err), -1);
    assert_int_not_equal(err.code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_the_link_or_of_loopback_are_not_kept),
        cmocka_unit_test(a_device_that_is_not_there_is_named),
        cmocka_unit_test(the_kernel_s_refusal_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
