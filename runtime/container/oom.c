/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oom: on cgroup v1 the kernel writes to an eventfd when the group runs out of memory; on v2 it
 * changes memory.events, which inotify tells of.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/maker.h"
#include "runtime/container/state.h"

static int watch_v1(const struct cgroup_hier *h, struct err *err)
{
    char path[PATH_MAX], text[32];
    own_fd int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), file_fd = -1;

    if (event_fd < 0)
        return err_set(err, errno, "make an eventfd");
    if (cgroup_hier_path(h, "memory.oom_control", path, err) < 0)
        return -1;
    file_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file_fd < 0)
        return err_set(err, errno, "open '%s'", path);
    (void)snprintf(text, sizeof text, "%d %d", event_fd, file_fd);
    return cgroup_write(h, "cgroup.event_control", text, err) < 0 ? -1 : take_fd(&event_fd);
}

static int watch_v2(const struct cgroup_hier *h, struct err *err)
{
    char path[PATH_MAX];
    own_fd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0)
        return err_set(err, errno, "make an inotify");
    if (cgroup_hier_path(h, "memory.events", path, err) < 0)
        return -1;
    return inotify_add_watch(fd, path, IN_MODIFY) < 0 ? err_set(err, errno, "watch '%s'", path)
                                                      : take_fd(&fd);
}

int container_oom_fd(const struct container_env *env, const char *id, struct err *err)
{
    struct arena *a = arena_new(MAKER_ARENA_MAX);
    const struct cgroup_hier *h = NULL;
    struct state s;
    int fd = state_load(env, id, a, &s, err);

    if (fd == 0) {
        (void)close(s.dir_fd);
        h = cgroup_find(&s.cgroup, "memory");
        fd = h == NULL ? err_set(err, ENOTSUP, "no cgroup controls memory")
             : h->v2   ? watch_v2(h, err)
                       : watch_v1(h, err);
    }
    arena_free(a);
    return fd;
}
