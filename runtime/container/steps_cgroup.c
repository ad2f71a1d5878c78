/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mount of type "cgroup" shows the container its own groups: on cgroup v2 that hierarchy; on v1 a
 * tmpfs with a directory for each hierarchy. With a cgroup namespace a fresh mount shows the
 * namespace's root, which is the container's group; without one the group itself is bound.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/mount.h"

static bool has_namespace(const struct init *in)
{
    return in->config->linux_.ns[OCI_NS_CGROUP].mode != OCI_NS_HOST;
}

#define ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* Of v1, who may see the host's mount copies the group's part of it, which costs one call instead
 * of five and no lock that all cgroups share; in the namespace it looks like a mount of its own. So
 * it is done with the v2 hierarchy beside those of v1. In a user namespace it must be one. data: of
 * the mount's options, for the file system. */
static int open_group(const struct init *in, const struct cgroup_hier *h, const char *data,
                      struct err *err)
{
    char path[PATH_MAX];
    struct mount_new fresh = {.type = h->v2 ? "cgroup2" : "cgroup",
                              .source = "cgroup",
                              .data = h->v2 ? data : h->controllers};

    if (has_namespace(in) && (in->cgroup->unified || in->plan->user_ns || !in->cgroup_made))
        return mount_new(&fresh, err);
    return cgroup_hier_path(h, "", path, err) < 0 ? -1
                                                  : mount_clone(AT_FDCWD, path, MOUNT_ONE, err);
}

/* Of the host's mount nothing stays: neither its attributes nor that it hears of others. */
static struct mount_change change_of(const struct init *in, const struct mount_change *c)
{
    struct mount_change all = *c;

    if (in->plan->user_ns)
        return all;
    all.clear |= ATTRS & ~all.set;
    all.propagation = MS_PRIVATE;
    return all;
}

/* "cpu,cpuacct" can be found as cpu and as cpuacct too. */
static int link_names(int dir_fd, const char *controllers, struct err *err)
{
    struct str rest = str_of(controllers), name = STR_NONE;
    char text[64];

    if (strchr(controllers, ',') == NULL)
        return 0;
    while (str_next(&rest, ',', &name)) {
        if (snprintf(text, sizeof text, "%.*s", STR_ARG(name)) >= (int)sizeof text)
            return err_set(err, ENAMETOOLONG, "controller '%.*s'", STR_ARG(name));
        if (symlinkat(controllers, dir_fd, text) < 0)
            return err_set(err, errno, "link '%s'", text);
    }
    return 0;
}

#define TOP_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static struct mount_new top_of(const struct init *in)
{
    return (struct mount_new){.type = "tmpfs",
                              .source = "tmpfs",
                              .data = "mode=755",
                              .context = in->mount_label,
                              .attrs = TOP_ATTRS};
}

int groups_prepare(const struct init *in, struct err *err)
{
    struct mount_new n = top_of(in);

    return mount_prepare(&n, err);
}

/* What was prepared serves once. */
static int mount_top(struct init *in, struct err *err)
{
    struct mount_new n = top_of(in);

    return mount_finish(&in->groups_fs_fd, &n, err);
}

static const char *name_of(const struct cgroup_hier *h)
{
    return h->v2                                      ? "unified"
           : strncmp(h->controllers, "name=", 5) == 0 ? h->controllers + 5
                                                      : h->controllers;
}

/* one: NULL, or what is changed of each. */
static int attach_groups(const struct init *in, int top_fd, const struct mount_change *one,
                         struct err *err)
{
    for (size_t i = 0; i < in->cgroup->n; i++) {
        const struct cgroup_hier *h = &in->cgroup->v[i];
        const char *name = name_of(h);
        own_fd int fd = -1;

        if (mkdirat(top_fd, name, 0755) < 0)
            return err_set(err, errno, "make '%s'", name);
        fd = open_group(in, h, NULL, err);
        if (fd < 0 || (one != NULL && mount_set(fd, MOUNT_ONE, one, err) < 0) ||
            mount_attach_at(fd, top_fd, name, err) < 0 ||
            link_names(top_fd, h->controllers, err) < 0)
            return err_wrap(err, "'%s'", name);
    }
    return 0;
}

/* Where all are to have the attributes that the top has, one call gives them to all. */
static int mount_v1(struct init *in, int target_fd, const struct mount_change *c, struct err *err)
{
    const struct mount_change all = change_of(in, c), ro = {.set = c->set & MOUNT_ATTR_RDONLY};
    bool alike = !in->plan->user_ns && (c->set & ~(uint64_t)MOUNT_ATTR_RDONLY) == TOP_ATTRS;
    own_fd int top_fd = mount_top(in, err);

    if (top_fd < 0 || mount_attach(top_fd, target_fd, err) < 0 ||
        attach_groups(in, top_fd, alike ? NULL : &all, err) < 0)
        return -1;
    return alike ? mount_set(top_fd, MOUNT_TREE, &all, err)
                 : mount_set(top_fd, MOUNT_ONE, &ro, err);
}

/* Of v2 alone. */
static int mount_v2(const struct init *in, int target_fd, const struct mount_change *c,
                    const char *data, struct err *err)
{
    const struct mount_change all = change_of(in, c);
    own_fd int fd = open_group(in, &in->cgroup->v[0], data, err);

    if (fd < 0 || mount_set(fd, MOUNT_ONE, &all, err) < 0)
        return -1;
    return mount_attach(fd, target_fd, err);
}

/* Nothing to show, and nothing that could be written to either. */
static int mount_empty(const struct init *in, int target_fd, struct err *err)
{
    struct mount_new n = {.type = "tmpfs",
                          .source = "tmpfs",
                          .data = "mode=755,nr_inodes=1",
                          .context = in->mount_label,
                          .attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                   MOUNT_ATTR_NOEXEC};
    own_fd int fd = mount_new(&n, err);

    return fd < 0 ? -1 : mount_attach(fd, target_fd, err);
}

int mount_cgroup(struct init *in, size_t index, int target_fd, struct err *err)
{
    const struct oci_mount *m = &in->config->mounts[index];
    struct mount_change c = mount_change_of(m->ms_set, m->ms_clear);

    if (in->cgroup == NULL || (!in->cgroup_made && !has_namespace(in)))
        return mount_empty(in, target_fd, err);
    /* Without a group of its own the namespace shows the caller's: to look at only. */
    if (!in->cgroup_made)
        c.set |= MOUNT_ATTR_RDONLY;
    if (m->data != NULL && !(in->cgroup->unified && has_namespace(in)))
        return err_set(err, EINVAL, "options of a cgroup file system, '%.64s'", m->data);
    if (in->cgroup->unified && in->cgroup->n > 0)
        return mount_v2(in, target_fd, &c, m->data, err);
    return mount_v1(in, target_fd, &c, err);
}

/* --- who may divide the group ----------------------------------------------------------------- */

static bool has_option(const struct oci_mount *m, const char *name)
{
    for (size_t i = 0; i < m->options.n; i++)
        if (strcmp(m->options.v[i], name) == 0)
            return true;
    return false;
}

bool may_divide_cgroup(const struct oci_config *c)
{
    for (size_t i = 0; i < c->mounts_n; i++) {
        const struct oci_mount *m = &c->mounts[i];

        if (m->source != NULL && strcmp(m->source, "cgroup") == 0 &&
            strcmp(m->destination, "/sys/fs/cgroup") == 0)
            return !has_option(m, "ro") && c->linux_.ns[OCI_NS_CGROUP].mode == OCI_NS_NEW;
    }
    return false;
}
