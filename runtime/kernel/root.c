/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/root.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mount.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/kernel/sys.h"

int root_pivot(int root_fd, struct err *err)
{
    if (fchdir(root_fd) < 0)
        return err_set(err, errno, "enter the new root");
    if (sys_pivot_root(".", ".") < 0)
        return err_set(err, errno, "pivot_root");
    /* The old root is now mounted over the new one. It has been a slave since the namespace was
     * made, so its unmounting does not reach the host. */
    if (umount2(".", MNT_DETACH) < 0)
        return err_set(err, errno, "detach the old root");
    return chdir("/") < 0 ? err_set(err, errno, "enter '/'") : 0;
}

int root_move(int root_fd, struct err *err)
{
    if (umount2("/proc", MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT && errno != EPERM)
        return err_set(err, errno, "detach '/proc'");
    if (umount2("/sys", MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT && errno != EPERM)
        return err_set(err, errno, "detach '/sys'");
    if (fchdir(root_fd) < 0)
        return err_set(err, errno, "enter the new root");
    /* The tree was attached on top of "/" when it was made, so nothing remains to be moved. */
    if (chroot(".") < 0)
        return err_set(err, errno, "chroot");
    return chdir("/") < 0 ? err_set(err, errno, "enter '/'") : 0;
}
