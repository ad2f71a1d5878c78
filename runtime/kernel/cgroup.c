/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group is made, entered and removed. Where it is: cgroup_find.c; what is in it: cgroup_procs.c.
 */
#include "runtime/kernel/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/kernel/cgroup_v1.h"
#include "runtime/kernel/cgroup_v2.h"
#include "runtime/kernel/cgroup_walk.h"

#define PROCS_MAX (16U << 20)

/* --- making ----------------------------------------------------------------------------------- */

/* One level: its directory, and what it passes on to the next. *made: it was not there. */
static int make_level(const struct cgroup_hier *h, const char *path, bool leaf, bool *made,
                      struct err *err)
{
    *made = mkdir(path, 0755) == 0;
    if (!*made && errno != EEXIST)
        return err_set(err, errno, "make cgroup '%s'", path);
    if ((h->v2 ? cgroup_v2_level(path, strlen(h->mount), leaf, err)
               : cgroup_v1_level(path, h->controllers, *made, err)) == 0)
        return 0;
    if (*made)
        (void)rmdir(path); /* on the way out of another failure */
    return -1;
}

/* Every ancestor, then the group itself. *made: the group was not there. */
static int make_levels(const struct cgroup_hier *h, bool *made, struct err *err)
{
    char path[PATH_MAX];

    if (cgroup_hier_path(h, "", path, err) < 0)
        return -1;
    /* Mostly all above it is there; on v2, and of cpusets, it must be looked at all the same. */
    if (!h->v2 && strcmp(h->controllers, "cpuset") != 0 && mkdir(path, 0755) == 0) {
        *made = true;
        return 0;
    }
    for (char *end = path + strlen(h->mount) + 1;; end++) {
        char c = *end;

        if (c != '/' && c != '\0')
            continue;
        *end = '\0';
        if (make_level(h, path, c == '\0', made, err) < 0)
            return -1;
        if (c == '\0')
            return 0;
        *end = c;
    }
}

static int check_existing(const struct cgroup_hier *h, struct err *err)
{
    own_buf struct buf text = BUF_INIT(PROCS_MAX);

    if (cgroup_read(h, "cgroup.procs", &text, err) < 0)
        return -1;
    if (text.n > 0)
        return err_set(err, EBUSY, "container's cgroup is not empty: '%s%s' holds processes",
                       h->mount, h->path);
    if (cgroup_hier_is_frozen(h))
        return err_set(err, EBUSY, "container's cgroup unexpectedly frozen: '%s%s'", h->mount,
                       h->path);
    return 0;
}

static int make_hier(const struct cgroup_hier *h, struct err *err)
{
    bool made = false;

    if (make_levels(h, &made, err) < 0)
        return -1;
    return made ? 0 : check_existing(h, err);
}

static bool is_part(const struct cgroup_hier *h, enum cgroup_part part)
{
    return part == CGROUP_ALL || h->v2 == (part == CGROUP_V2);
}

static void remove_made(const struct cgroup *g, enum cgroup_part part, size_t n)
{
    char path[PATH_MAX];
    struct err ignored;

    for (size_t i = 0; i < n; i++)
        if (is_part(&g->v[i], part) && cgroup_hier_path(&g->v[i], "", path, &ignored) == 0)
            (void)rmdir(path); /* on the way out of another failure */
}

void cgroup_unmake(const struct cgroup *g, enum cgroup_part part)
{
    remove_made(g, part, g->n);
}

/* The usual case of a v2 group alone: all above it is there. */
static bool make_bare(const struct cgroup_hier *h, enum cgroup_part part)
{
    char path[PATH_MAX];
    struct err ignored;

    return part == CGROUP_V2 && cgroup_hier_path(h, "", path, &ignored) == 0 &&
           mkdir(path, 0755) == 0;
}

static int pass_down_v2(const struct cgroup *g, struct err *err)
{
    const struct cgroup_hier *h = cgroup_find_v2(g);
    bool made = false;

    return h == NULL ? 0 : make_levels(h, &made, err);
}

int cgroup_make(const struct cgroup *g, enum cgroup_part part, struct err *err)
{
    for (size_t i = 0; i < g->n; i++)
        if (is_part(&g->v[i], part) && !make_bare(&g->v[i], part) && make_hier(&g->v[i], err) < 0) {
            remove_made(g, part, i);
            return -1;
        }
    if (part != CGROUP_V1 || pass_down_v2(g, err) == 0)
        return 0;
    remove_made(g, part, g->n);
    return -1;
}

int cgroup_adopt(const struct cgroup *g, struct err *err)
{
    bool made = false;

    for (size_t i = 0; i < g->n; i++)
        if (make_levels(&g->v[i], &made, err) < 0)
            return -1;
    return 0;
}

int cgroup_open_v2(const struct cgroup *g)
{
    const struct cgroup_hier *h = cgroup_find_v2(g);
    char path[PATH_MAX];
    struct err ignored;

    if (h == NULL || cgroup_hier_path(h, "", path, &ignored) < 0)
        return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* --- entering --------------------------------------------------------------------------------- */

int cgroup_enter(const struct cgroup *g, pid_t pid, enum cgroup_enter what, struct err *err)
{
    char text[16];

    (void)snprintf(text, sizeof text, "%d", pid);
    for (size_t i = 0; i < g->n; i++) {
        if (g->v[i].v2 && what == CGROUP_ENTER_V1)
            continue;
        if (cgroup_write(&g->v[i], "cgroup.procs", text, err) < 0)
            return -1;
    }
    return 0;
}

static bool is_entered(bool v2, enum cgroup_enter what)
{
    return !v2 || what == CGROUP_ENTER_ALL;
}

void cgroup_doors_init(const struct cgroup *g, struct cgroup_doors *out)
{
    out->n = g->n;
    for (size_t i = 0; i < g->n; i++) {
        out->v2[i] = g->v[i].v2;
        out->fds[i] = -1;
    }
}

int cgroup_doors_open(const struct cgroup *g, struct cgroup_doors *d, enum cgroup_enter what,
                      struct err *err)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->fds[i] >= 0 || !is_entered(d->v2[i], what))
            continue;
        d->fds[i] = cgroup_open(&g->v[i], d->v2[i] ? "cgroup.procs" : "tasks", err);
        if (d->fds[i] < 0)
            return -1;
    }
    return 0;
}

int cgroup_door_enter(int door_fd, struct err *err)
{
    return write(door_fd, "0", 1) != 1 ? err_set(err, errno, "enter a cgroup") : 0;
}

int cgroup_doors_enter(struct cgroup_doors *d, enum cgroup_enter what, struct err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < d->n; i++)
        if (is_entered(d->v2[i], what))
            r = cgroup_door_enter(d->fds[i], err);
    cgroup_doors_close(d);
    return r;
}

void cgroup_doors_close(struct cgroup_doors *d)
{
    for (size_t i = 0; i < d->n; i++)
        fd_close(&d->fds[i]);
    d->n = 0;
}

/* --- removing --------------------------------------------------------------------------------- */

static int remove_one(int at_fd, const char *name, void *ctx, struct err *err)
{
    (void)ctx;
    for (int i = 0; i < CGROUP_WAIT_STEPS; i++) {
        if (unlinkat(at_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (errno != EBUSY)
            break;
        cgroup_wait(i);
    }
    return err_set(err, errno, "remove cgroup '%s'", name);
}

bool cgroup_remove_empty(const struct cgroup *g)
{
    for (size_t i = 0; i < g->n; i++) {
        char path[PATH_MAX];
        struct err ignored;

        if (cgroup_hier_path(&g->v[i], "", path, &ignored) < 0 ||
            (rmdir(path) < 0 && errno != ENOENT))
            return false;
    }
    return true;
}

int cgroup_remove(const struct cgroup *g, struct err *err)
{
    struct err first = {.code = 0};
    int r = 0;

    for (size_t i = 0; i < g->n; i++) {
        char path[PATH_MAX];
        struct err now;

        if (cgroup_hier_path(&g->v[i], "", path, &now) == 0 &&
            (rmdir(path) == 0 || errno == ENOENT || cgroup_walk(path, remove_one, NULL, &now) == 0))
            continue;
        if (r == 0)
            first = now;
        r = -1;
    }
    if (r < 0)
        *err = first;
    return r;
}
