/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/container/maker.h"
#include "runtime/kernel/idmap.h"
#include "runtime/kernel/mount.h"

bool sources_path(const char *bundle, const char *path, char *out, size_t max)
{
    int n =
        path[0] == '/' ? snprintf(out, max, "%s", path) : snprintf(out, max, "%s/%s", bundle, path);

    return n >= 0 && (size_t)n < max;
}

int sources_init(struct maker *m, struct err *err)
{
    struct init *in = &m->init;

    in->source_fds = arena_array(m->arena, m->config->mounts_n + 1, sizeof *in->source_fds);
    if (in->source_fds == NULL)
        return err_set(err, ENOMEM, "$.mounts");
    for (size_t i = 0; i < m->config->mounts_n; i++)
        in->source_fds[i] = -1;
    return 0;
}

static bool is_sysfs(const struct oci_mount *o)
{
    return strcmp(o->type, "sysfs") == 0 && (o->ms_set & (MS_BIND | MS_REMOUNT)) == 0;
}

/* In a user namespace what is mounted beneath it may be locked to it, "Restrictions on mount
 * namespaces" in mount_namespaces(7): then it cannot be had without. */
static bool may_clone_alone(const char *path)
{
    struct err ignored;
    own_fd int fd = mount_clone(AT_FDCWD, path, MOUNT_ONE, &ignored);

    return fd >= 0;
}

static void borrow(struct oci_mount *o, bool alone)
{
    o->type = "bind";
    o->source = "/sys";
    o->data = NULL;
    o->ms_set |= MS_BIND;
    if (alone)
        return;
    o->attr_rec_set |= mount_attrs(o->ms_set);
    o->ms_set |= MS_REC;
}

void sources_borrow_sysfs(struct maker *m)
{
    const struct oci_namespace *ns = m->config->linux_.ns;

    if (ns[OCI_NS_USER].mode != OCI_NS_NEW || ns[OCI_NS_NETWORK].mode != OCI_NS_HOST)
        return;
    for (size_t i = 0; i < m->config->mounts_n; i++)
        if (is_sysfs(&m->config->mounts[i]))
            borrow(&m->config->mounts[i], may_clone_alone("/sys"));
}

/* A copy made here is a peer of what it was copied from; as a slave it hears of the host's mounts
 * but never tells the host of its own. Only a container that asks for shared propagation stays a
 * peer. */
int sources_detach(const struct oci_config *c, int mount_fd, bool shared, struct err *err)
{
    unsigned long root = c->linux_.rootfs_propagation;
    struct mount_change x = {.propagation = (root & MS_PRIVATE) != 0 ? MS_PRIVATE : MS_SLAVE};

    if (shared && (root & MS_SHARED) != 0)
        return 0;
    return mount_set(mount_fd, MOUNT_TREE, &x, err);
}

/* A link itself, if the path is one. */
static int clone_link(const char *path, enum mount_reach reach, struct err *err)
{
    own_fd int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return err_set(err, errno, "open '%s'", path);
    return mount_clone(fd, "", reach, err);
}

int sources_clone(const struct init *in, const struct oci_mount *o, struct err *err)
{
    enum mount_reach reach = (o->ms_set & MS_REC) != 0 ? MOUNT_TREE : MOUNT_ONE;
    char path[PATH_MAX];
    own_fd int fd = -1;

    if (o->source == NULL || !sources_path(in->bundle, o->source, path, sizeof path))
        return err_set(err, EINVAL, "the source of a bind mount");
    fd = (o->links & (OCI_LINK_SOURCE | OCI_LINK_COPY)) != 0
             ? clone_link(path, reach, err)
             : mount_clone(AT_FDCWD, path, reach, err);
    if (fd < 0 || sources_detach(in->config, fd, oci_mount_is_shared(o), err) < 0)
        return -1;
    return take_fd(&fd);
}

int sources_open(struct maker *m, size_t index, struct err *err)
{
    m->init.source_fds[index] = sources_clone(&m->init, &m->config->mounts[index], err);
    return m->init.source_fds[index] < 0 ? -1 : 0;
}

static int open_user_ns(const struct maker *m, const struct oci_mount *o, struct err *err)
{
    char path[64];
    int fd = -1;

    if (o->uid_maps.n > 0)
        return idmap_userns(maker_idmaps(m, &o->uid_maps), maker_idmaps(m, &o->gid_maps), err);
    if (m->init.ns_fds[OCI_NS_USER] >= 0)
        fd = fcntl(m->init.ns_fds[OCI_NS_USER], F_DUPFD_CLOEXEC, 3);
    else if (snprintf(path, sizeof path, "/proc/%d/ns/user", m->child.pid) > 0)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fd : err_set(err, errno, "open the container's user namespace");
}

/* The child holds the same detached mount and waits until this is done. */
int sources_idmap(struct maker *m, size_t index, struct err *err)
{
    const struct oci_mount *o = &m->config->mounts[index];
    int mount_fd = m->init.source_fds[index];
    own_fd int user_fd = -1;

    if (mount_fd < 0)
        return err_set(err, EPERM, "an id-mapped mount needs root");
    user_fd = open_user_ns(m, o, err);
    if (user_fd < 0)
        return -1;
    return mount_idmap(mount_fd, o->idmap == OCI_MOUNT_RIDMAP ? MOUNT_TREE : MOUNT_ONE, user_fd,
                       err);
}
