/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/kernel/sys.h"

int root_of_namespace(struct err *err)
{
    own_fd int fd = pidfd_open(getpid(), 0);

    if (fd < 0)
        return err_set(err, errno, "open the own process");
    return setns(fd, CLONE_NEWNS) < 0 ? err_set(err, errno, "enter the mount namespace's root") : 0;
}

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

static int detach(const char *path, struct err *err)
{
    if (umount2(path, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT && errno != EPERM)
        return err_set(err, errno, "detach '%s'", path);
    return 0;
}

int root_move(int root_fd, struct err *err)
{
    own_fd int top_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (top_fd < 0)
        return err_set(err, errno, "open '/'");
    if (detach("/proc", err) < 0 || detach("/sys", err) < 0)
        return -1;
    /* ELOOP: it would be moved onto itself, for it is there already. */
    if (move_mount(root_fd, "", top_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
            0 &&
        errno != ELOOP)
        return err_set(err, errno, "move the new root over '/'");
    return root_change(root_fd, err);
}

int root_change(int root_fd, struct err *err)
{
    if (fchdir(root_fd) < 0)
        return err_set(err, errno, "enter the new root");
    if (chroot(".") < 0)
        return err_set(err, errno, "chroot");
    return chdir("/") < 0 ? err_set(err, errno, "enter '/'") : 0;
}
