/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/store/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/map.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#define EVENTS (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR)

struct notify {
    int fd;
    struct map *by_wd; /* to struct notify_watch */
};

static struct str key_of(const int *wd)
{
    return (struct str){(const char *)wd, sizeof(*wd)};
}

struct notify *notify_new(struct err *err)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    struct notify *n;

    if (fd < 0) {
        (void)err_set(err, errno, "inotify");
        return NULL;
    }
    n = mem_type(struct notify);
    n->fd = fd;
    n->by_wd = map_new();
    return n;
}

void notify_free(struct notify *n)
{
    if (n == NULL)
        return;
    own_close_fd(&n->fd);
    map_free(n->by_wd);
    free(n);
}

int notify_fd(const struct notify *n)
{
    return n->fd;
}

int notify_add(struct notify *n, struct notify_watch *w, int folder_fd, struct err *err)
{
    static const char *const subs[] = {"new", "cur"};

    w->wd[0] = w->wd[1] = -1;
    for (size_t i = 0; i < ARRAY_N(subs); i++) {
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", folder_fd, subs[i]); /* fits */
        w->wd[i] = inotify_add_watch(n->fd, path, EVENTS);
        if (w->wd[i] < 0) {
            (void)err_set(err, errno, "watch a folder");
            notify_del(n, w);
            return -1;
        }
        (void)map_put(n->by_wd, key_of(&w->wd[i]), w); /* whoever had it is no longer told */
    }
    return 0;
}

void notify_del(struct notify *n, struct notify_watch *w)
{
    for (size_t i = 0; i < ARRAY_N(w->wd); i++) {
        if (w->wd[i] >= 0 && map_get(n->by_wd, key_of(&w->wd[i])) == w) {
            (void)map_del(n->by_wd, key_of(&w->wd[i]));
            (void)inotify_rm_watch(n->fd, w->wd[i]); /* may be gone with its directory */
        }
        w->wd[i] = -1;
    }
}

static void tell_all(struct notify *n, void (*fn)(void *ctx, struct notify_watch *w), void *ctx)
{
    struct map_at at = {0};

    while (map_next(n->by_wd, &at))
        fn(ctx, at.value);
}

static void tell(struct notify *n, const struct inotify_event *e,
                 void (*fn)(void *ctx, struct notify_watch *w), void *ctx)
{
    struct notify_watch *w;

    if ((e->mask & IN_Q_OVERFLOW) != 0) {
        tell_all(n, fn, ctx);
        return;
    }
    w = map_get(n->by_wd, key_of(&e->wd));
    if (w != NULL)
        fn(ctx, w);
}

void notify_read(struct notify *n, void (*fn)(void *ctx, struct notify_watch *w), void *ctx)
{
    _Alignas(struct inotify_event) char events[4096];
    ssize_t got = read(n->fd, events, sizeof(events));
    int last_wd = -1;

    for (ssize_t at = 0; at < got;) {
        const struct inotify_event *e = (const void *)(events + at);

        if (e->wd != last_wd || (e->mask & IN_Q_OVERFLOW) != 0)
            tell(n, e, fn, ctx);
        last_wd = e->wd;
        at += (ssize_t)(sizeof(*e) + e->len);
    }
}
