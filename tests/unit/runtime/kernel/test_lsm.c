/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/own.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/proc.h"

#include "tests/lib/test.h"

static void a_label_nobody_enforces_is_an_error(void **state)
{
    struct err err = {0};
    own_fd int proc_fd = proc_open(&err);

    (void)state;
    assert_ok(proc_fd, &err);
    if (!lsm_is_on(LSM_APPARMOR))
        assert_int_equal(lsm_set_exec(proc_fd, LSM_APPARMOR, "no-such-profile", &err), -1);
    if (!lsm_is_on(LSM_SELINUX)) {
        assert_int_equal(lsm_set_exec(proc_fd, LSM_SELINUX, "a:b:c:s0", &err), -1);
        assert_int_equal(lsm_set_keys(proc_fd, "a:b:c:s0", &err), -1);
    }
}

static void a_profile_that_is_not_loaded_is_refused(void **state)
{
    struct err err = {0};
    own_fd int proc_fd = proc_open(&err);

    (void)state;
    if (!lsm_is_on(LSM_APPARMOR))
        SKIP("AppArmor is not enabled");
    assert_int_equal(lsm_set_exec(proc_fd, LSM_APPARMOR, "mailbox-run-no-such-profile", &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_label_nobody_enforces_is_an_error),
        cmocka_unit_test(a_profile_that_is_not_loaded_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
