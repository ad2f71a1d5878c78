/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev: the nodes and links that every container has, and those of config.json.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/err.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/kernel/device.h"
#include "runtime/kernel/sys.h"

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
