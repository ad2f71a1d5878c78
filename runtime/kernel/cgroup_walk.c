/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Down by name and up by "..", which leads where it should: groups cannot be moved to another
 * parent. Of each level above it is kept how far its directory was read.
 */
#include "runtime/kernel/cgroup_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#define ENTRIES_MAX 4096
#define OPEN_FLAGS  (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct level {
    off_t at;                /* read up to here */
    char name[NAME_MAX + 1]; /* in the level above */
};

struct walk {
    int fd; /* of the deepest level */
    struct level *v;
    size_t n;
    size_t room;
};

static int push(struct walk *w, const char *name, struct err *err)
{
    if (w->n == CGROUP_WALK_MAX)
        return err_set(err, ELOOP, "cgroups deeper than %d levels", CGROUP_WALK_MAX);
    if (w->n == w->room) {
        w->room = w->room == 0 ? 8 : w->room * 2;
        w->v = mem_grow(w->v, w->room, sizeof *w->v);
    }
    w->v[w->n].at = 0;
    memcpy(w->v[w->n].name, name, strlen(name) + 1);
    w->n++;
    return 0;
}

static bool is_group(const struct dirent64 *e)
{
    return e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

/* The next group in the deepest level: 1, or 0 at its end. */
static int next_group(struct walk *w, char name[NAME_MAX + 1], struct err *err)
{
    _Alignas(struct dirent64) char entries[ENTRIES_MAX];
    struct level *l = &w->v[w->n - 1];
    ssize_t n = 0;

    if (lseek(w->fd, l->at, SEEK_SET) < 0)
        return err_set(err, errno, "read a cgroup");
    while ((n = getdents64(w->fd, entries, sizeof entries)) > 0)
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *e = (const struct dirent64 *)(const void *)(entries + at);

            at += e->d_reclen;
            l->at = e->d_off;
            if (!is_group(e))
                continue;
            memcpy(name, e->d_name, strlen(e->d_name) + 1);
            return 1;
        }
    return n < 0 && errno != ENOENT ? err_set(err, errno, "read a cgroup") : 0;
}

static int go_to(struct walk *w, const char *name, struct err *err)
{
    int fd = openat(w->fd, name, OPEN_FLAGS);

    if (fd < 0)
        return errno == ENOENT ? 0 : err_set(err, errno, "open cgroup '%s'", name);
    (void)close(w->fd);
    w->fd = fd;
    return 1;
}

/* All beneath the top. */
static int walk(struct walk *w, cgroup_walk_fn *fn, void *ctx, struct err *err)
{
    char name[NAME_MAX + 1];

    for (;;) {
        int r = next_group(w, name, err);

        if (r > 0)
            r = go_to(w, name, err);
        else if (r == 0 && w->n == 1)
            return 0;
        else if (r == 0 && go_to(w, "..", err) == 1)
            r = fn(w->fd, w->v[--w->n].name, ctx, err);
        else
            return r < 0 ? -1 : err_set(err, ENOENT, "return to the group above");
        if (r > 0 && push(w, name, err) < 0)
            return -1;
        if (r < 0)
            return -1;
    }
}

int cgroup_walk(const char *path, cgroup_walk_fn *fn, void *ctx, struct err *err)
{
    struct walk w = {.fd = open(path, OPEN_FLAGS)};
    int r = 0;

    if (w.fd < 0)
        return errno == ENOENT ? 0 : err_set(err, errno, "open cgroup '%s'", path);
    r = push(&w, "", err);
    if (r == 0)
        r = walk(&w, fn, ctx, err);
    free(w.v);
    (void)close(w.fd);
    return r < 0 ? -1 : fn(AT_FDCWD, path, ctx, err);
}
