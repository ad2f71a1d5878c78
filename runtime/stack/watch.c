/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"

#define EVENTS_MAX 4096

/* Whether one of the events in the buffer is about the file. */
static bool has_name(const struct watch *w, const char *p, size_t n)
{
    while (n >= sizeof(struct inotify_event)) {
        struct inotify_event e;

        memcpy(&e, p, sizeof(e));
        if (e.mask & IN_Q_OVERFLOW) /* some were lost: it may be among them */
            return true;
        if (e.len && strncmp(p + sizeof(e), w->name, e.len) == 0)
            return true;
        if (sizeof(e) + e.len > n)
            return false;
        p += sizeof(e) + e.len;
        n -= sizeof(e) + e.len;
    }
    return false;
}

static void on_event(struct loop_io *io, unsigned events)
{
    struct watch *w = container_of(io, struct watch, io);
    _Alignas(struct inotify_event) char bytes[EVENTS_MAX];
    ssize_t n = read(w->fd, bytes, sizeof(bytes));

    (void)events;
    if (n > 0 && has_name(w, bytes, (size_t)n))
        w->fn(w);
}

int watch_open(struct watch *w, struct loop *loop, const char *path, struct err *err)
{
    struct str base = path_base(str_of(path));
    own_free char *dir = str_dup_c(path_dir(str_of(path)), err);

    if (!dir)
        return -1;
    (void)snprintf(w->name, sizeof(w->name), "%.*s", STR_ARG(base));
    w->io = (struct loop_io){.fn = on_event};
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->fd < 0 || inotify_add_watch(w->fd, dir, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE) < 0)
        return err_set(err, errno, "watch '%s'", dir);
    return loop_io_add(loop, &w->io, w->fd, LOOP_READ, err);
}

void watch_close(struct watch *w)
{
    loop_io_del(&w->io);
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = -1;
}
