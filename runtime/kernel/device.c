/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/device.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/sys.h"

static bool is_same(const struct stat *st, const struct device *d)
{
    if ((st->st_mode & S_IFMT) != (d->mode & S_IFMT))
        return false;
    return S_ISFIFO(d->mode) || st->st_rdev == makedev(d->major, d->minor);
}

static int check_existing(int dir_fd, const char *name, const struct device *d, struct err *err)
{
    struct stat st;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, errno, "look at '%s'", d->path);
    if (!is_same(&st, d))
        return err_set(err, EEXIST, "'%s' is there and is not that device", d->path);
    return 0;
}

/* The tail of a C string is one. */
static const char *last_name(const char *path)
{
    return path_base(str_of(path)).p;
}

int device_make(int root_fd, const struct device *d, struct err *err)
{
    char name[NAME_MAX + 1];
    own_fd int dir_fd = dir_open_parent(root_fd, d->path, name, sizeof name, err);

    return dir_fd < 0 ? -1 : device_make_in(dir_fd, d, err);
}

int device_make_in(int dir_fd, const struct device *d, struct err *err)
{
    const char *name = last_name(d->path);

    if (mknodat(dir_fd, name, d->mode, makedev(d->major, d->minor)) < 0) {
        if (errno == EEXIST)
            return check_existing(dir_fd, name, d, err);
        return err_set(err, errno, "make device '%s'", d->path);
    }
    /* The umask is 0 while the plan is walked, so the mode is right already. */
    if ((d->uid != 0 || d->gid != 0) &&
        fchownat(dir_fd, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, errno, "give device '%s' to %u:%u", d->path, d->uid, d->gid);
    return 0;
}

/* What is bound has no use for set-user-id bits and programs. */
static const struct mount_change of_bound = {.set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};

int device_attach(int root_fd, const struct device *d, int mount_fd, struct err *err)
{
    own_fd int target_fd = dir_make_beneath(root_fd, d->path, DIR_FILE, err);

    if (target_fd < 0)
        return -1;
    if (dir_is_same(mount_fd, target_fd))
        return 0;
    return mount_attach(mount_fd, target_fd, err) < 0 ? err_wrap(err, "bind '%s'", d->path) : 0;
}

int device_node(int dir_fd, const char *name, const struct device *d, struct err *err)
{
    struct mount_change with_dev = {.set = of_bound.set, .clear = MOUNT_ATTR_NODEV};
    own_fd int fd = -1;

    if (mknodat(dir_fd, name, d->mode, makedev(d->major, d->minor)) < 0)
        return err_set(err, errno, "make device '%s'", d->path);
    /* The mode once more because of the umask. */
    if (fchmodat(dir_fd, name, d->mode & 07777, 0) < 0 ||
        fchownat(dir_fd, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, errno, "give device '%s' to %u:%u", d->path, d->uid, d->gid);
    fd = mount_clone(dir_fd, name, MOUNT_ONE, err);
    if (fd < 0 || mount_set(fd, MOUNT_ONE, &with_dev, err) < 0)
        return -1;
    return take_fd(&fd);
}

int device_bind(int root_fd, const struct device *d, struct err *err)
{
    struct stat st;
    own_fd int host_fd = mount_clone(AT_FDCWD, d->path, MOUNT_ONE, err);

    if (host_fd < 0)
        return -1;
    if (fstat(host_fd, &st) < 0)
        return err_set(err, errno, "look at the host's '%s'", d->path);
    if (!is_same(&st, d))
        return err_set(err, ENODEV, "the host's '%s' is not that device", d->path);
    if (mount_set(host_fd, MOUNT_ONE, &of_bound, err) < 0)
        return -1;
    return device_attach(root_fd, d, host_fd, err);
}

bool device_is_null(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static int open_null(int root_fd, int flags)
{
    return sys_openat2(root_fd, "dev/null", (uint64_t)(unsigned)flags | O_CLOEXEC | O_NOFOLLOW, 0,
                       RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}

int device_open_null(int root_fd)
{
    own_fd int seen_fd = open_null(root_fd, O_PATH);
    own_fd int fd = -1;

    if (seen_fd < 0 || !device_is_null(seen_fd))
        return -1;
    fd = open_null(root_fd, O_RDWR | O_NOCTTY);
    return fd >= 0 && device_is_null(fd) ? take_fd(&fd) : -1;
}

int device_link(int root_fd, const char *path, const char *target, struct err *err)
{
    char name[NAME_MAX + 1];
    own_fd int dir_fd = dir_open_parent(root_fd, path, name, sizeof name, err);

    return dir_fd < 0 ? -1 : device_link_in(dir_fd, path, target, err);
}

int device_link_in(int dir_fd, const char *path, const char *target, struct err *err)
{
    if (symlinkat(target, dir_fd, last_name(path)) < 0 && errno != EEXIST)
        return err_set(err, errno, "link '%s' to '%s'", path, target);
    return 0;
}
