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
    if (root_of_namespace(err) < 0)
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
    return in->in_chroot ? root_of_namespace(err) : 0;
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
        return err_set(err, errno, "'%s' must be mounted on ordinary directory, and no link",
                       m->destination);
    return dir_make_beneath(in->root_fd, m->destination, DIR_DIRECTORY, err);
}

/* Where a new file system goes. */
struct place {
    int fd;
    bool mode_counts; /* it was there before, and the file system takes its mode */
};

static int find_place(const struct init *in, const struct oci_mount *m, struct place *out,
                      struct err *err)
{
    bool asks =
        strcmp(m->type, "tmpfs") == 0 && (m->data == NULL || strstr(m->data, "mode=") == NULL);
    own_fd int before_fd = asks ? dir_try_beneath(in->root_fd, m->destination, O_PATH) : -1;

    out->fd = open_target(in, m, err);
    out->mode_counts = before_fd >= 0;
    return out->fd < 0 ? -1 : 0;
}

/* A tmpfs takes the mode of the directory it covers, as with runc, unless one is given or the
 * directory was made for it; with tmpcopyup its content too. */
static int furnish_tmpfs(const struct oci_mount *m, const struct place *at, int fd, struct err *err)
{
    struct stat st;

    if (at->mode_counts && fstat(at->fd, &st) == 0 && fchmodat(fd, ".", st.st_mode & 07777, 0) < 0)
        return err_set(err, errno, "set the mode of the tmpfs");
    if (!m->tmpcopyup)
        return 0;
    return copyup(at->fd, fd, err) < 0 ? err_wrap(err, "copy up") : 0;
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

static struct mount_new fresh_of(const struct init *in, const struct oci_mount *m)
{
    /* Read-only comes after the content. */
    return (struct mount_new){.type = m->type,
                              .source = m->source,
                              .data = m->data,
                              .context = label_of(in, m),
                              .sb_flags = m->ms_set,
                              .attrs = mount_attrs(m->ms_set & ~(unsigned long)MS_RDONLY)};
}

int fresh_prepare(const struct init *in, size_t index, struct err *err)
{
    struct mount_new n = fresh_of(in, &in->config->mounts[index]);

    return mount_prepare(&n, err);
}

static int fresh_mount(const struct init *in, size_t index, struct err *err)
{
    const struct oci_mount *m = &in->config->mounts[index];
    struct mount_new n = fresh_of(in, m);

    return in->plan->enters_late && strcmp(m->type, "proc") == 0
               ? pid_mount_proc(in, &n, err)
               : mount_finish(&in->source_fds[index], &n, err);
}

static int mount_fresh(const struct init *in, size_t index, const struct place *at,
                       unsigned long readonly, struct err *err)
{
    const struct oci_mount *m = &in->config->mounts[index];
    bool tmpfs = strcmp(m->type, "tmpfs") == 0;
    struct mount_change ro = {.set = mount_attrs(readonly)};
    own_fd int fd = fresh_mount(in, index, err);

    if (fd < 0 || (tmpfs && furnish_tmpfs(m, at, fd, err) < 0) || label_queue(in, m, fd, err) < 0 ||
        mount_set(fd, MOUNT_ONE, &ro, err) < 0 || set_recursive(fd, m, err) < 0 ||
        mount_attach(fd, at->fd, err) < 0)
        return -1;
    return set_propagation(fd, m, err);
}

/* readonly: MS_RDONLY if it is to be so from the start, else 0. */
static int mount_at_place(struct init *in, size_t index, unsigned long readonly, struct err *err)
{
    const struct oci_mount *m = &in->config->mounts[index];
    struct place at = {.fd = -1};
    own_fd int fd = find_place(in, m, &at, err) < 0 ? -1 : at.fd;

    if (fd < 0)
        return -1;
    if (strcmp(m->type, "cgroup") == 0)
        return mount_cgroup(in, index, fd, err);
    return mount_fresh(in, index, &at, readonly, err);
}

int step_mount(struct init *in, size_t index, struct err *err)
{
    const struct oci_mount *m = &in->config->mounts[index];

    if ((m->ms_set & MS_REMOUNT) != 0)
        return remount(in, m, err);
    if (oci_mount_is_bind(m))
        return bind(in, index, err);
    return mount_at_place(in, index, m->ms_set & MS_RDONLY, err);
}

int step_mount_writable(struct init *in, size_t index, struct err *err)
{
    return mount_at_place(in, index, 0, err);
}

int step_mount_readonly(struct init *in, size_t index, struct err *err)
{
    struct mount_change ro = {.set = MOUNT_ATTR_RDONLY};
    own_fd int fd = dir_open_beneath(in->root_fd, in->config->mounts[index].destination,
                                     O_PATH | O_DIRECTORY, err);

    return fd < 0 ? -1 : mount_set(fd, MOUNT_ONE, &ro, err);
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
