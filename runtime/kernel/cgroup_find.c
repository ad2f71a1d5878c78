/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which hierarchies there are is read from /proc/self/cgroup, and where they are mounted follows
 * from convention: /sys/fs/cgroup (v2), /sys/fs/cgroup/CONTROLLERS (v1), /sys/fs/cgroup/unified (v2
 * in a hybrid). That spares reading the mount table, which can have thousands of lines on a host
 * with many containers. The named hierarchy of systemd holds no controller and is left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/kernel/cgroup.h"

#define CGROUP_ROOT    "/sys/fs/cgroup"
#define CGROUP_UNIFIED "/sys/fs/cgroup/unified"
#define NAME_SYSTEMD   "name=systemd"
#define SELF_MAX       (64U << 10)

static bool is_v2(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* own + "/" + path, or path alone if it is absolute; cleaned. */
static const char *group_path(struct arena *a, struct str own, const char *path)
{
    own_buf struct buf joined = BUF_INIT(PATH_MAX), clean = BUF_INIT(PATH_MAX);

    if (path[0] != '/') {
        buf_append(&joined, own);
        buf_append_char(&joined, '/');
    }
    buf_append_c(&joined, path);
    path_clean(buf_str(&joined), &clean);
    return joined.failed || clean.failed ? NULL : arena_copy(a, buf_str(&clean));
}

struct line {
    struct str controllers;
    struct str own;
};

static int add_hier(struct arena *a, struct cgroup *g, const struct line *l, const char *v2_mount,
                    const char *path, struct err *err)
{
    struct cgroup_hier *h = &g->v[g->n];

    if (g->n >= CGROUP_HIERS_MAX)
        return err_set(err, E2BIG, "more than %d cgroup hierarchies", CGROUP_HIERS_MAX);
    h->v2 = l->controllers.n == 0;
    h->controllers = arena_copy(a, l->controllers);
    h->mount = h->v2 ? v2_mount
               : str_eq_c(l->controllers, NAME_SYSTEMD)
                   ? CGROUP_ROOT "/systemd"
                   : arena_printf(a, CGROUP_ROOT "/%.*s", STR_ARG(l->controllers));
    h->path = group_path(a, l->own, path);
    if (h->path == NULL)
        return err_set(err, ENAMETOOLONG, "cgroup path '%.64s...'", path);
    if (strcmp(h->path, "/") == 0)
        return err_set(err, EINVAL, "cgroup path '%s' is the root of the hierarchy", path);
    g->n++;
    return 0;
}

static bool is_wanted(const struct cgroup_host *host, struct str controllers)
{
    if (controllers.n == 0)
        return host->v2_mount != NULL;
    if (str_eq_c(controllers, NAME_SYSTEMD))
        return !host->unified && host->systemd;
    return !host->unified && !str_starts(controllers, STR("name="));
}

int cgroup_parse(struct arena *a, const struct cgroup_host *host, const char *path,
                 struct cgroup *out, struct err *err)
{
    struct str rest = host->self, text = STR_NONE, id = STR_NONE, tail = STR_NONE;

    *out = (struct cgroup){.unified = host->unified};
    if (path_has_dotdot(str_of(path)))
        return err_set(err, EINVAL, "cgroup path '%s' must not have '..'", path);
    while (str_next(&rest, '\n', &text)) {
        struct line l;

        if (!str_cut(text, ':', &id, &tail) || !str_cut(tail, ':', &l.controllers, &l.own) ||
            !is_wanted(host, l.controllers))
            continue;
        if (!path_is_absolute(l.own))
            return err_set(err, EINVAL, "the kernel's list of this process's cgroups is damaged");
        /* On v2 the own group holds the caller, and what holds processes has no children with
         * limits: the container becomes its sibling. */
        if (host->unified)
            l.own = path_dir(l.own);
        if (add_hier(a, out, &l, host->v2_mount, path, err) < 0)
            return -1;
    }
    return 0;
}

/* Leaves out the v1 hierarchies that are not mounted where convention has them. */
static void keep_mounted(struct cgroup *g)
{
    size_t kept = 0;

    for (size_t i = 0; i < g->n; i++) {
        struct statfs fs;
        long magic = g->v[i].v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC;

        if (statfs(g->v[i].mount, &fs) == 0 && fs.f_type == magic)
            g->v[kept++] = g->v[i];
    }
    g->n = kept;
}

static int locate(struct arena *a, const char *path, bool systemd, struct cgroup *out,
                  struct err *err)
{
    own_buf struct buf self = BUF_INIT(SELF_MAX);
    struct cgroup_host host = {.unified = is_v2(CGROUP_ROOT), .systemd = systemd};

    host.v2_mount = host.unified ? CGROUP_ROOT : is_v2(CGROUP_UNIFIED) ? CGROUP_UNIFIED : NULL;
    if (file_read(AT_FDCWD, "/proc/self/cgroup", &self, err) < 0)
        return -1;
    host.self = buf_str(&self);
    if (cgroup_parse(a, &host, path, out, err) < 0)
        return -1;
    keep_mounted(out);
    if (out->n == 0)
        return err_set(err, ENOENT, "no cgroup hierarchy is mounted at '" CGROUP_ROOT "'");
    return 0;
}

int cgroup_locate(struct arena *a, const char *path, struct cgroup *out, struct err *err)
{
    return locate(a, path, false, out, err);
}

int cgroup_locate_systemd(struct arena *a, const char *path, struct cgroup *out, struct err *err)
{
    return locate(a, path, true, out, err);
}

const struct cgroup_hier *cgroup_find(const struct cgroup *g, const char *controller)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->v[i].v2 ? g->unified : cgroup_hier_has(&g->v[i], str_of(controller)))
            return &g->v[i];
    return NULL;
}

const struct cgroup_hier *cgroup_find_v2(const struct cgroup *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->v[i].v2)
            return &g->v[i];
    return NULL;
}

bool cgroup_is_unified(void)
{
    return is_v2(CGROUP_ROOT);
}

/* --- writing down and finding again ----------------------------------------------------------- */

void cgroup_describe(const struct cgroup *g, struct buf *out)
{
    for (size_t i = 0; i < g->n; i++)
        buf_printf(out, "%s:%s:%s\n", g->v[i].controllers, g->v[i].mount, g->v[i].path);
}

static int recall_line(struct arena *a, struct str line, struct cgroup *out, struct err *err)
{
    struct str controllers = STR_NONE, mount = STR_NONE, path = STR_NONE, rest = STR_NONE;
    struct cgroup_hier *h = &out->v[out->n];

    if (out->n >= CGROUP_HIERS_MAX || !str_cut(line, ':', &controllers, &rest) ||
        !str_cut(rest, ':', &mount, &path) || path.n < 2 || path.p[0] != '/')
        return err_set(err, EINVAL, "cgroup '%.*s' in the state is damaged", STR_ARG(line));
    h->controllers = arena_copy(a, controllers);
    h->mount = arena_copy(a, mount);
    h->path = arena_copy(a, path);
    if (h->path == NULL || path_has_dotdot(path))
        return err_set(err, EINVAL, "cgroup '%.*s' in the state is damaged", STR_ARG(line));
    h->v2 = controllers.n == 0;
    out->unified |= str_eq_c(mount, CGROUP_ROOT);
    out->n++;
    return 0;
}

int cgroup_recall(struct arena *a, struct str text, struct cgroup *out, struct err *err)
{
    struct str line = STR_NONE;

    *out = (struct cgroup){.n = 0};
    while (str_next(&text, '\n', &line))
        if (recall_line(a, line, out, err) < 0)
            return -1;
    return 0;
}
