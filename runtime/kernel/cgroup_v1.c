/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/cgroup_v1.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/kernel/cgroup_devices.h"
#include "runtime/kernel/cgroup_hier.h"

#define LIST_MAX 65536

static int inherit(int dir_fd, const char *file, const char *parent_file, bool fresh,
                   struct err *err)
{
    own_buf struct buf mine = BUF_INIT(LIST_MAX), parents = BUF_INIT(LIST_MAX);

    if (!fresh && file_read(dir_fd, file, &mine, err) < 0)
        return -1;
    if (str_trim(buf_str(&mine)).n > 0)
        return 0;
    if (file_read(dir_fd, parent_file, &parents, err) < 0)
        return -1;
    return file_poke(dir_fd, file, str_trim(buf_str(&parents)), err);
}

int cgroup_v1_level(const char *path, const char *controllers, bool fresh, struct err *err)
{
    own_fd int dir_fd = -1;

    if (strcmp(controllers, "cpuset") != 0)
        return 0;
    dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return err_set(err, errno, "open cgroup '%s'", path);
    if (inherit(dir_fd, "cpuset.cpus", "../cpuset.cpus", fresh, err) < 0 ||
        inherit(dir_fd, "cpuset.mems", "../cpuset.mems", fresh, err) < 0)
        return err_wrap(err, "cgroup '%s'", path);
    return 0;
}

int cgroup_v1_devices(const struct cgroup_hier *h, const struct cgroup_devices *d, struct err *err)
{
    const char *all = d->allow ? "devices.allow" : "devices.deny";
    const char *each = d->allow ? "devices.deny" : "devices.allow";
    own_fd int each_fd = -1;

    if (cgroup_write(h, all, "a", err) < 0)
        return -1;
    if (d->n == 0)
        return 0;
    each_fd = cgroup_open(h, each, err);
    for (size_t i = 0; each_fd >= 0 && i < d->n; i++) {
        char text[CGROUP_DEVICE_TEXT_MAX];

        cgroup_device_format(&d->v[i], text);
        if (write(each_fd, text, strlen(text)) < 0)
            return err_set(err, errno, "write '%s' to '%s' of cgroup '%s'", text, each, h->path);
    }
    return each_fd < 0 ? -1 : 0;
}
