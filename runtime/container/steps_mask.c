/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masked and read-only paths: something is put over each, and looked at once more when it is there,
 * for a path may be led elsewhere meanwhile (CVE-2025-31133).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/kernel/device.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/sys.h"

/* 1: open; 0: absent, which is as good as masked; -1. */
static int open_existing(const struct init *in, const char *path, int *fd, struct err *err)
{
    *fd = dir_try_beneath(in->root_fd, path, O_PATH);
    if (*fd >= 0)
        return 1;
    if (errno == ENOENT || errno == ENOTDIR)
        return 0;
    return err_set(err, errno, "open it beneath the root");
}

/* What is found at the path now must be the mount that was put there: had the path been led
 * elsewhere meanwhile, the thing to hide would still be open. */
static int verify(const struct init *in, const char *path, int mount_fd, struct err *err)
{
    own_fd int fd = dir_open_beneath(in->root_fd, path, O_PATH, err);

    if (fd < 0)
        return -1;
    return dir_is_same(fd, mount_fd) ? 0 : err_set(err, EXDEV, "it is not covered");
}

static struct mount_new empty(const struct init *in)
{
    return (struct mount_new){.type = "tmpfs",
                              .source = "tmpfs",
                              .data = "nr_blocks=1,nr_inodes=1",
                              .context = in->mount_label,
                              .attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                       MOUNT_ATTR_NOEXEC};
}

int mask_prepare(const struct init *in, struct err *err)
{
    struct mount_new n = empty(in);

    return mount_prepare(&n, err);
}

/* One empty read-only tmpfs serves all masked directories. */
static int mask_directory(struct init *in, struct err *err)
{
    struct mount_new n = empty(in);
    int fd = -1;

    if (in->mask_fd >= 0)
        return mount_clone(in->mask_fd, "", MOUNT_ONE, err);
    in->mask_fd = mount_finish(&in->mask_fs_fd, &n, err);
    if (in->mask_fd < 0)
        return -1;
    fd = fcntl(in->mask_fd, F_DUPFD_CLOEXEC, 3);
    return fd >= 0 ? fd : err_set(err, errno, "keep the empty tmpfs");
}

/* /dev/null of the container, which must be the device: a link in its place would bind something
 * else over the file, or nothing at all. */
static int mask_file(struct init *in, struct err *err)
{
    if (in->null_fd >= 0)
        return mount_clone(in->null_fd, "", MOUNT_ONE, err);
    in->null_fd = sys_openat2(in->root_fd, "dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC, 0,
                              RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    if (in->null_fd < 0)
        return err_set(err, errno, "open '/dev/null'");
    if (!device_is_null(in->null_fd))
        return err_set(err, ENODEV, "'/dev/null' is not the null device");
    return mount_clone(in->null_fd, "", MOUNT_ONE, err);
}

static bool same_words(const char *a, const char *b)
{
    for (;;) {
        bool ends_a, ends_b;
        size_t n;

        a += strspn(a, "/");
        b += strspn(b, "/");
        n = strcspn(a, "/");
        ends_a = n == 0;
        ends_b = strcspn(b, "/") == 0;
        if (ends_a || ends_b)
            return ends_a && ends_b;
        if (strcspn(b, "/") != n || strncmp(a, b, n) != 0)
            return false;
        a += n;
        b += n;
    }
}

/* A directory that is masked already has no second name, unless by a link or listed twice: then two
 * of them have changed places since, and the other one would stay open. */
static bool was_exchanged(const struct init *in, size_t index, int target_fd)
{
    const struct oci_strings *all = &in->config->linux_.masked_paths;
    own_fd int fd = -1;

    if (in->mask_fd < 0 || !dir_is_same(target_fd, in->mask_fd))
        return false;
    for (size_t i = 0; i < index; i++)
        if (same_words(all->v[i], all->v[index]))
            return false;
    fd = sys_openat2(in->root_fd, all->v[index], O_PATH | O_CLOEXEC, 0,
                     RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    return fd >= 0 || errno != ELOOP;
}

int step_mask(struct init *in, size_t index, struct err *err)
{
    const char *path = in->config->linux_.masked_paths.v[index];
    struct stat st;
    own_fd int target_fd = -1, fd = -1;
    int there = open_existing(in, path, &target_fd, err);

    if (there <= 0)
        return there;
    if (fstat(target_fd, &st) < 0)
        return err_set(err, errno, "look at it");
    if (S_ISDIR(st.st_mode) && was_exchanged(in, index, target_fd))
        return err_set(err, EXDEV, "it was exchanged with one that is masked");
    fd = S_ISDIR(st.st_mode) ? mask_directory(in, err) : mask_file(in, err);
    if (fd < 0 || mount_attach(fd, target_fd, err) < 0)
        return -1;
    return verify(in, path, fd, err);
}

int step_readonly(struct init *in, size_t index, struct err *err)
{
    const char *path = in->config->linux_.readonly_paths.v[index];
    struct mount_change ro = {.set = MOUNT_ATTR_RDONLY};
    own_fd int target_fd = -1, fd = -1;
    int there = open_existing(in, path, &target_fd, err);

    if (there <= 0)
        return there;
    fd = mount_clone(target_fd, "", MOUNT_TREE, err);
    if (fd < 0 || mount_set(fd, MOUNT_TREE, &ro, err) < 0 || mount_attach(fd, target_fd, err) < 0)
        return -1;
    return verify(in, path, fd, err);
}
