/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root's tree is attached where it lies on the host, so that hooks of the container find its
 * mounts there; where the directories above cannot be searched, on top of "/". From then on root_fd
 * stands for it: each target is resolved beneath root_fd, before the pivot and after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/container/init.h"
#include "runtime/container/sources.h"
#include "runtime/container/steps.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/copyup.h"
#include "runtime/kernel/device.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

/* --- the root --------------------------------------------------------------------------------- */

static bool is_same_place(int a_fd, int b_fd)
{
    struct statx a, b;

    return statx(a_fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &a) == 0 &&
           statx(b_fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &b) == 0 &&
           a.stx_mnt_id == b.stx_mnt_id && a.stx_ino == b.stx_ino;
}

/* All of the namespace, also what is above the root of a runtime that is in a chroot. */
int step_propagation(struct init *in, size_t index, struct err *err)
{
    own_fd int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), top_fd = -1;

    (void)index;
    if (root_fd < 0)
        return err_set(err, errno, "open '/'");
    if (root_of_namespace(in->proc_fd, err) < 0)
        return -1;
    if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return err_set(err, errno, "make '/' a slave");
    top_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (top_fd < 0)
        return err_set(err, errno, "open '/'");
    in->in_chroot = !is_same_place(root_fd, top_fd);
    if (in->in_chroot && (fchdir(root_fd) < 0 || chroot(".") < 0))
        return err_set(err, errno, "return to the runtime's own root");
    return 0;
}

int step_root(struct init *in, size_t index, struct err *err)
{
    own_fd int top_fd = open(in->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

    (void)index;
    if (top_fd < 0)
        top_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (top_fd < 0)
        return err_set(err, errno, "open '/'");
    if (in->root_fd < 0)
        in->root_fd = mount_clone(AT_FDCWD, in->rootfs, MOUNT_TREE, err);
    return in->root_fd < 0 ? -1 : mount_attach(in->root_fd, top_fd, err);
}

int step_root_readonly(struct init *in, size_t index, struct err *err)
{
    struct mount_change ro = {.set = MOUNT_ATTR_RDONLY};

    (void)index;
    return mount_set(in->root_fd, MOUNT_ONE, &ro, err);
}

/* From the namespace's root, or what is above a chroot of the runtime would stay the root of the
 * container's namespace, for it to enter. */
static int leave_chroot(const struct init *in, struct err *err)
{
    return in->in_chroot ? root_of_namespace(in->proc_fd, err) : 0;
}

int step_pivot(struct init *in, size_t index, struct err *err)
{
    (void)index;
    if (leave_chroot(in, err) < 0 || root_pivot(in->root_fd, err) < 0)
        return -1;
    in->in_container = true;
    return 0;
}

static int tell_moved(const struct init *in, struct err *err)
{
    int ignored = 0;

    return sync_send(in->sync_fd, SYNC_MOVED, 0, -1, err) < 0
               ? -1
               : sync_wait_go(in->sync_fd, &ignored, err);
}

/* Where the kernel would let it pivot, there is no reason not to. */
int step_move_root(struct init *in, size_t index, struct err *err)
{
    (void)index;
    if (leave_chroot(in, err) < 0)
        return -1;
    if (root_pivot(in->root_fd, err) < 0) {
        if (err->code != EINVAL)
            return -1;
        err_reset(err);
        if (init_may_unmount(in))
            return err_set(err, 0,
                           "this host's root cannot be left by pivot_root, and with CAP_SYS_ADMIN "
                           "the container could uncover it: take the capability from all sets of "
                           "$.process.capabilities");
        if (root_move(in->root_fd, err) < 0 || tell_moved(in, err) < 0)
            return -1;
    }
    in->in_container = true;
    return 0;
}

int step_root_propagation(struct init *in, size_t index, struct err *err)
{
    unsigned long flags = in->config->linux_.rootfs_propagation;
    struct mount_change c = {.propagation = flags & ~(unsigned long)MS_REC};

    (void)index;
    return mount_set(in->root_fd, (flags & MS_REC) != 0 ? MOUNT_TREE : MOUNT_ONE, &c, err);
}

/* A container without a mount namespace of its own lives in the runtime's, and nothing it mounts
 * may be seen there. So its tree is made as any other, in a namespace for the time of the making;
 * then a copy of the tree that is attached nowhere becomes the root, in the runtime's namespace.
 * Its last process takes it along, and ".." of its top is the top, which a mere chroot could not
 * say. */
int step_leave(struct init *in, size_t index, struct err *err)
{
    own_fd int fd = mount_clone(in->root_fd, "", MOUNT_TREE, err);

    (void)index;
    if (fd < 0)
        return -1;
    if (setns(in->ns_fds[OCI_NS_MOUNT], CLONE_NEWNS) < 0)
        return err_set(err, errno, "setns");
    (void)close(in->root_fd);
    in->root_fd = take_fd(&fd);
    return root_change(in->root_fd, err);
}

/* --- mounts ----------------------------------------------------------------------------------- */

static int set_propagation(int mount_fd, const struct oci_mount *m, struct err *err)
{
    for (size_t i = 0; i < m->propagation_n; i++) {
        struct mount_change c = {.propagation = m->propagation[i] & ~(unsigned long)MS_REC};

        if (mount_set(mount_fd, (m->propagation[i] & MS_REC) != 0 ? MOUNT_TREE : MOUNT_ONE, &c,
                      err) < 0)
            return -1;
    }
    return 0;
}

static int set_recursive(int mount_fd, const struct oci_mount *m, struct err *err)
{
    struct mount_change c = {.set = m->attr_rec_set, .clear = m->attr_rec_clear};

    return mount_set(mount_fd, MOUNT_TREE, &c, err);
}

static int remount(const struct init *in, const struct oci_mount *m, struct err *err)
{
    struct mount_change c = mount_change_of(m->ms_set, m->ms_clear);
    own_fd int fd = dir_open_beneath(in->root_fd, m->destination, O_PATH, err);

    if (fd < 0 || mount_set(fd, MOUNT_ONE, &c, err) < 0 || set_recursive(fd, m, err) < 0)
        return -1;
    return set_propagation(fd, m, err);
}

/* A link that stands there already and says the same is as good. */
static int copy_link(const struct init *in, const struct oci_mount *m, int link_fd, struct err *err)
{
    char name[NAME_MAX + 1], text[PATH_MAX], there[PATH_MAX];
    own_fd int dir_fd = dir_open_parent(in->root_fd, m->destination, name, sizeof name, err);
    ssize_t n = 0;

    if (dir_fd < 0)
        return -1;
    n = readlinkat(link_fd, "", text, sizeof text - 1);
    if (n < 0)
        return err_set(err, errno, "read the link '%s'", m->source);
    text[n] = '\0';
    if (symlinkat(text, dir_fd, name) == 0)
        return 0;
    if (errno == EEXIST && readlinkat(dir_fd, name, there, sizeof there) == n &&
        memcmp(text, there, (size_t)n) == 0)
        return 0;
    return err_set(err, errno == EINVAL ? EEXIST : errno, "link '%s' to '%s'", m->destination,
                   text);
}

/* What procfs has links for is looked up by them everywhere, in /proc/self above all: a mount upon
 * one would lead everybody in the container astray, the runtime too. */
static int open_link_or_file(const struct init *in, const struct oci_mount *m, enum dir_kind kind,
                             struct err *err)
{
    own_fd int fd = dir_make_nofollow(in->root_fd, m->destination, kind, err);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return err_set(err, errno, "look at '%s'", m->destination);
    if (S_ISLNK(st.st_mode) && dir_is_on(fd, PROC_SUPER_MAGIC))
        return err_set(err, EPERM, "'%s' is a link of procfs", m->destination);
    return take_fd(&fd);
}

static int open_place(const struct init *in, const struct oci_mount *m, mode_t mode,
                      struct err *err)
{
    enum dir_kind kind = S_ISDIR(mode) ? DIR_DIRECTORY : DIR_FILE;

    return (m->links & OCI_LINK_TARGET) != 0
               ? open_link_or_file(in, m, kind, err)
               : dir_make_beneath(in->root_fd, m->destination, kind, err);
}

static int bind(struct init *in, size_t index, struct err *err)
{
    const struct oci_mount *m = &in->config->mounts[index];
    struct mount_change c = mount_change_of(m->ms_set, m->ms_clear);
    struct stat st;
    int fd = in->source_fds[index];
    own_fd int target_fd = -1;

    if (fd < 0)
        fd = in->source_fds[index] = sources_clone(in, m, err);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return err_set(err, errno, "look at the source '%s'", m->source);
    if (S_ISLNK(st.st_mode) && (m->links & OCI_LINK_COPY) != 0)
        return copy_link(in, m, fd, err);
    target_fd = open_place(in, m, st.st_mode, err);
    if (target_fd < 0 || mount_set(fd, MOUNT_ONE, &c, err) < 0 || set_recursive(fd, m, err) < 0 ||
        mount_attach(fd, target_fd, err) < 0)
        return -1;
    return set_propagation(fd, m, err);
}

/* What is under /proc and /sys of a container decides over more than the container, so these two
 * must stand where their name says: no link may lead to or from them. */
static int open_target(const struct init *in, const struct oci_mount *m, struct err *err)
{
    int fd = -1;

    if (strcmp(m->type, "proc") != 0 && strcmp(m->type, "sysfs") != 0)
        return dir_make_beneath(in->root_fd, m->destination, DIR_DIRECTORY, err);
    fd = sys_openat2(in->root_fd, m->destination, O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
                     RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    if (fd >= 0)
        return fd;
    if (errno != ENOENT)
        return err_set(err, errno, "open '%s', which must be a directory and no link",
                       m->destination);
    return dir_make_beneath(in->root_fd, m->destination, DIR_DIRECTORY, err);
}

/* A tmpfs takes the mode of the directory it covers, as other runtimes have it, unless one is
 * given; with tmpcopyup its content too. */
static int furnish_tmpfs(const struct oci_mount *m, int fd, int target_fd, struct err *err)
{
    struct stat st;

    if ((m->data == NULL || strstr(m->data, "mode=") == NULL) && fstat(target_fd, &st) == 0 &&
        fchmodat(fd, ".", st.st_mode & 07777, 0) < 0)
        return err_set(err, errno, "set the mode of the tmpfs");
    if (!m->tmpcopyup)
        return 0;
    return copyup(target_fd, fd, err) < 0 ? err_wrap(err, "copy up") : 0;
}

/* procfs and sysfs label their files by themselves, and a message queue takes no such option: its
 * directory is labelled once it is there. */
static const char *label_of(const struct init *in, const struct oci_mount *m)
{
    static const char *const own[] = {"proc", "sysfs", "mqueue"};

    for (size_t i = 0; i < ARRAY_N(own); i++)
        if (strcmp(m->type, own[i]) == 0)
            return NULL;
    return in->mount_label;
}

static int label_queue(const struct init *in, const struct oci_mount *m, int fd, struct err *err)
{
    const char *label = in->mount_label;
    own_fd int dir_fd = -1;

    if (label == NULL || strcmp(m->type, "mqueue") != 0)
        return 0;
    dir_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return err_set(err, errno, "open the mount");
    return lsm_set_file(dir_fd, label, err);
}

static int mount_fresh(const struct init *in, const struct oci_mount *m, int target_fd,
                       struct err *err)
{
    bool tmpfs = strcmp(m->type, "tmpfs") == 0;
    /* Read-only comes after the content. */
    uint64_t attrs = mount_attrs(m->ms_set & ~(unsigned long)MS_RDONLY);
    struct mount_change ro = {.set = mount_attrs(m->ms_set & MS_RDONLY)};
    struct mount_new n = {.type = m->type,
                          .source = m->source,
                          .data = m->data,
                          .context = label_of(in, m),
                          .sb_flags = m->ms_set,
                          .attrs = attrs};
    own_fd int fd = mount_new(&n, err);

    if (fd < 0 || (tmpfs && furnish_tmpfs(m, fd, target_fd, err) < 0) ||
        label_queue(in, m, fd, err) < 0 || mount_set(fd, MOUNT_ONE, &ro, err) < 0 ||
        set_recursive(fd, m, err) < 0 || mount_attach(fd, target_fd, err) < 0)
        return -1;
    return set_propagation(fd, m, err);
}

int step_mount(struct init *in, size_t index, struct err *err)
{
    const struct oci_mount *m = &in->config->mounts[index];
    own_fd int target_fd = -1;

    if ((m->ms_set & MS_REMOUNT) != 0)
        return remount(in, m, err);
    if (oci_mount_is_bind(m))
        return bind(in, index, err);
    target_fd = open_target(in, m, err);
    if (target_fd < 0)
        return -1;
    if (strcmp(m->type, "cgroup") == 0)
        return mount_cgroup(in, index, target_fd, err);
    return mount_fresh(in, m, target_fd, err);
}

/* The mount is named by its descriptor, through the host's procfs: a path could lead elsewhere by
 * the time it is unmounted. */
int step_unmount(struct init *in, size_t index, struct err *err)
{
    own_fd int fd =
        dir_open_beneath(in->root_fd, in->config->mounts[index].destination, O_PATH, err);
    char path[32];

    if (fd < 0)
        return -1;
    (void)snprintf(path, sizeof path, "self/fd/%d", fd); /* fits: 8 and 11 bytes */
    if (fchdir(in->proc_fd) < 0 || umount2(path, MNT_DETACH) < 0)
        return err_set(err, errno, "umount");
    return 0;
}

/* --- devices ---------------------------------------------------------------------------------- */

static mode_t type_bits(char type)
{
    return type == 'b' ? S_IFBLK : type == 'p' ? S_IFIFO : S_IFCHR;
}

struct device device_of_config(const struct oci_config *c, size_t index)
{
    const struct oci_device *d = &c->linux_.devices[index];

    return (struct device){.path = d->path,
                           .mode = type_bits(d->type) | (d->mode.set ? (mode_t)d->mode.v : 0666),
                           .major = (uint32_t)d->major,
                           .minor = (uint32_t)d->minor,
                           .uid = (uid_t)d->uid.v,
                           .gid = (gid_t)d->gid.v};
}

static struct device device_of(const struct init *in, size_t index)
{
    if (index < PLAN_DEVICES) {
        const struct plan_device *p = &plan_devices[index];

        return (struct device){
            .path = p->path, .mode = S_IFCHR | 0666, .major = p->major, .minor = p->minor};
    }
    return device_of_config(in->config, index - PLAN_DEVICES);
}

/* What is put into /dev must not land where a link leads: what is made right in it is made in the
 * directory that was opened here. If there is none, the first device makes it. */
int step_check_dev(struct init *in, size_t index, struct err *err)
{
    in->dev_fd = sys_openat2(in->root_fd, "dev", O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
                             RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);

    (void)index;
    if (in->dev_fd < 0 && errno == ELOOP)
        return err_set(err, 0, "it is a symbolic link");
    return 0;
}

static bool is_right_in_dev(const struct init *in, const char *path)
{
    return in->dev_fd >= 0 && strncmp(path, "/dev/", 5) == 0 && path[5] != '\0' &&
           strchr(path + 5, '/') == NULL && strcmp(path + 5, ".") != 0 &&
           strcmp(path + 5, "..") != 0;
}

int step_device(struct init *in, size_t index, struct err *err)
{
    struct device d = device_of(in, index);

    int r = is_right_in_dev(in, d.path) ? device_make_in(in->dev_fd, &d, err)
                                        : device_make(in->root_fd, &d, err);

    /* In a user namespace that the runtime itself was started in, nobody makes nodes. */
    if (r == 0 || err->code != EPERM || S_ISFIFO(d.mode))
        return r;
    err_reset(err);
    return device_bind(in->root_fd, &d, err);
}

int step_device_bind(struct init *in, size_t index, struct err *err)
{
    struct device d = device_of(in, index);
    int node_fd = index < PLAN_DEVICES ? -1 : in->device_fds[index - PLAN_DEVICES];

    if (node_fd >= 0)
        return device_attach(in->root_fd, &d, node_fd, err);
    return S_ISFIFO(d.mode) ? device_make(in->root_fd, &d, err) : device_bind(in->root_fd, &d, err);
}

int step_link(struct init *in, size_t index, struct err *err)
{
    const struct plan_link *l = &plan_links[index];

    return is_right_in_dev(in, l->path) ? device_link_in(in->dev_fd, l->path, l->target, err)
                                        : device_link(in->root_fd, l->path, l->target, err);
}

/* --- masked and read-only paths --------------------------------------------------------------- */

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

/* One empty read-only tmpfs serves all masked directories. */
static int mask_directory(struct init *in, struct err *err)
{
    struct mount_new n = {.type = "tmpfs",
                          .source = "tmpfs",
                          .data = "nr_blocks=1,nr_inodes=1",
                          .context = in->mount_label,
                          .attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                   MOUNT_ATTR_NOEXEC};
    int fd = -1;

    if (in->mask_fd >= 0)
        return mount_clone(in->mask_fd, "", MOUNT_ONE, err);
    in->mask_fd = mount_new(&n, err);
    if (in->mask_fd < 0)
        return -1;
    fd = fcntl(in->mask_fd, F_DUPFD_CLOEXEC, 3);
    return fd >= 0 ? fd : err_set(err, errno, "keep the empty tmpfs");
}

/* /dev/null of the container, which must be the device: a link in its place would bind something
 * else over the file, or nothing at all. */
static int mask_file(struct init *in, struct err *err)
{
    if (in->null_fd < 0)
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
    if (was_exchanged(in, index, target_fd))
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
