/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

#define OPTION_MAX 4096 /* one page is what the kernel takes as data */

static const struct {
    unsigned long ms;
    uint64_t attr;
} attrs[] = {
    {MS_RDONLY, MOUNT_ATTR_RDONLY},         {MS_NOSUID, MOUNT_ATTR_NOSUID},
    {MS_NODEV, MOUNT_ATTR_NODEV},           {MS_NOEXEC, MOUNT_ATTR_NOEXEC},
    {MS_NOATIME, MOUNT_ATTR_NOATIME},       {MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
    {MS_NODIRATIME, MOUNT_ATTR_NODIRATIME}, {MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
};

/* Of the last the mount API knows nothing: file systems that count versions of inodes do so always
 * by now, and the others never did. */
static const struct {
    unsigned long ms;
    const char *name;
    bool optional;
} sb_flags[] = {
    {MS_SYNCHRONOUS, "sync", false},  {MS_DIRSYNC, "dirsync", false},
    {MS_LAZYTIME, "lazytime", false}, {MS_MANDLOCK, "mand", false},
    {MS_I_VERSION, "iversion", true},
};

uint64_t mount_attrs(unsigned long ms_flags)
{
    uint64_t out = 0;

    for (size_t i = 0; i < ARRAY_N(attrs); i++)
        if ((ms_flags & attrs[i].ms) != 0)
            out |= attrs[i].attr;
    return out;
}

#define MS_ATIMES ((unsigned long)(MS_NOATIME | MS_STRICTATIME | MS_RELATIME))

struct mount_change mount_change_of(unsigned long ms_set, unsigned long ms_clear)
{
    struct mount_change c = {.set = mount_attrs(ms_set)};

    /* The atime modes are one field: to set or take back one, the whole field is cleared. */
    c.clear = mount_attrs(ms_clear & ~MS_ATIMES) & ~c.set;
    if (((ms_set | ms_clear) & MS_ATIMES) != 0)
        c.clear |= MOUNT_ATTR__ATIME;
    return c;
}

int mount_clone(int dir_fd, const char *path, enum mount_reach reach, struct err *err)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (path[0] == '\0' ? AT_EMPTY_PATH : 0) |
                     (reach == MOUNT_TREE ? AT_RECURSIVE : 0);
    int fd = open_tree(dir_fd, path, flags);

    if (fd >= 0)
        return fd;
    return path[0] == '\0' ? err_set(err, errno, "copy the mount")
                           : err_set(err, errno, "bind '%s'", path);
}

/* A sentence of the file system about what it did not like, if it has one: "e text". It comes last,
 * after the error as mount(8) and crun write it, which their users look for. */
static int fail(int fs_fd, int code, const char *what, struct err *err)
{
    char text[256];
    ssize_t n = read(fs_fd, text, sizeof text);

    if (n <= 2 || text[0] != 'e')
        return err_set(err, code, "%s", what);
    if (text[n - 1] == '\n')
        n--;
    (void)err_set(err, 0, "%s: %s (%.*s)", what, strerrordesc_np(code), (int)(n - 2), text + 2);
    err->code = code;
    return -1;
}

static int set_option(int fs_fd, const char *option, size_t n, struct err *err)
{
    char text[OPTION_MAX];
    char *value = NULL;
    int r = 0;

    if (n == 0)
        return 0;
    if (n >= sizeof text)
        return err_set(err, E2BIG, "mount option");
    memcpy(text, option, n);
    text[n] = '\0';
    value = strchr(text, '=');
    if (value != NULL)
        *value++ = '\0';
    r = value == NULL ? fsconfig(fs_fd, FSCONFIG_SET_FLAG, text, NULL, 0)
                      : fsconfig(fs_fd, FSCONFIG_SET_STRING, text, value, 0);
    if (r == 0)
        return 0;
    (void)fail(fs_fd, errno, "set", err);
    return err_wrap(err, "mount option '%s'", text);
}

static int set_options(int fs_fd, const char *data, struct err *err)
{
    while (data != NULL && data[0] != '\0') {
        size_t n = strcspn(data, ",");

        if (set_option(fs_fd, data, n, err) < 0)
            return -1;
        data += n + (data[n] == ',');
    }
    return 0;
}

static int set_sb_flags(int fs_fd, unsigned long flags, struct err *err)
{
    for (size_t i = 0; i < ARRAY_N(sb_flags); i++) {
        if ((flags & sb_flags[i].ms) == 0 ||
            set_option(fs_fd, sb_flags[i].name, strlen(sb_flags[i].name), err) == 0)
            continue;
        if (!sb_flags[i].optional)
            return -1;
        err_reset(err);
    }
    return 0;
}

int mount_prepare(const struct mount_new *m, struct err *err)
{
    own_fd int fs_fd = fsopen(m->type, FSOPEN_CLOEXEC);

    if (fs_fd < 0)
        return err_set(err, errno, "open file system '%s'", m->type);
    if (m->source != NULL && fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", m->source, 0) < 0)
        return fail(fs_fd, errno, "set the source", err);
    if (m->context != NULL && fsconfig(fs_fd, FSCONFIG_SET_STRING, "context", m->context, 0) < 0) {
        (void)fail(fs_fd, errno, "set the label", err);
        return err_wrap(err, "SELinux label '%.128s'", m->context);
    }
    if (set_sb_flags(fs_fd, m->sb_flags, err) < 0 || set_options(fs_fd, m->data, err) < 0)
        return -1;
    if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return fail(fs_fd, errno, m->type, err);
    return take_fd(&fs_fd);
}

int mount_finish(int *fs_fd, const struct mount_new *m, struct err *err)
{
    int given = take_fd(fs_fd), fd = -1;
    own_fd int own = given >= 0 ? given : mount_prepare(m, err);

    if (own < 0)
        return -1;
    fd = fsmount(own, FSMOUNT_CLOEXEC, (unsigned)m->attrs);
    return fd >= 0 ? fd : fail(own, errno, m->type, err);
}

int mount_new(const struct mount_new *m, struct err *err)
{
    int none = -1;

    return mount_finish(&none, m, err);
}

int mount_set(int mount_fd, enum mount_reach reach, const struct mount_change *c, struct err *err)
{
    struct mount_attr a = {.attr_set = c->set, .attr_clr = c->clear, .propagation = c->propagation};

    if (c->set == 0 && c->clear == 0 && c->propagation == 0)
        return 0;
    if (mount_setattr(mount_fd, "", AT_EMPTY_PATH | (reach == MOUNT_TREE ? AT_RECURSIVE : 0), &a,
                      sizeof a) < 0)
        return err_set(err, errno, "set attributes of the mount");
    return 0;
}

int mount_idmap(int mount_fd, enum mount_reach reach, int userns_fd, struct err *err)
{
    struct mount_attr a = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)userns_fd};

    if (mount_setattr(mount_fd, "", AT_EMPTY_PATH | (reach == MOUNT_TREE ? AT_RECURSIVE : 0), &a,
                      sizeof a) == 0)
        return 0;
    /* What the kernel means by it, which its words do not say. */
    return err_set(err, errno, "map the ids of the mount%s",
                   errno == EINVAL ? " (its file system may not be able to)" : "");
}

/* The kernel says EINVAL to a directory upon a file as it does to much else. */
static int attach_failed(int mount_fd, int target_fd, int code, struct err *err)
{
    struct stat from, to;

    if (code == EINVAL && fstat(mount_fd, &from) == 0 && fstat(target_fd, &to) == 0 &&
        S_ISDIR(from.st_mode) != S_ISDIR(to.st_mode))
        return err_set(err, ENOTDIR, "attach the mount: %s",
                       S_ISDIR(from.st_mode) ? "a directory onto something else"
                                             : "something else onto a directory");
    return err_set(err, code, "attach the mount");
}

int mount_attach(int mount_fd, int target_fd, struct err *err)
{
    if (move_mount(mount_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
        0)
        return attach_failed(mount_fd, target_fd, errno, err);
    return 0;
}

int mount_attach_at(int mount_fd, int dir_fd, const char *name, struct err *err)
{
    return move_mount(mount_fd, "", dir_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0
               ? err_set(err, errno, "attach the mount to '%s'", name)
               : 0;
}
