/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mount.h>

#include "runtime/kernel/mount.h"

#include "tests/lib/test.h"

static void flags_become_attributes(void **state)
{
    (void)state;
    assert_int_equal(mount_attrs(MS_RDONLY | MS_NOSUID | MS_BIND | MS_REC),
                     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
    assert_int_equal(mount_attrs(0), 0);
}

static void what_is_set_is_not_cleared(void **state)
{
    struct mount_change c = mount_change_of(MS_RDONLY, MS_RDONLY | MS_NOEXEC);

    (void)state;
    assert_int_equal(c.set, MOUNT_ATTR_RDONLY);
    assert_int_equal(c.clear, MOUNT_ATTR_NOEXEC);
}

static void an_atime_mode_clears_the_whole_field(void **state)
{
    struct mount_change c = mount_change_of(MS_NOATIME, 0);
    struct mount_change relatime = mount_change_of(MS_RELATIME, 0);

    (void)state;
    assert_int_equal(c.set, MOUNT_ATTR_NOATIME);
    assert_int_equal(c.clear, MOUNT_ATTR__ATIME);
    assert_int_equal(relatime.set, 0);
    assert_int_equal(relatime.clear, MOUNT_ATTR__ATIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_become_attributes),
        cmocka_unit_test(what_is_set_is_not_cleared),
        cmocka_unit_test(an_atime_mode_clears_the_whole_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
