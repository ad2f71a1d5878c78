/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which hierarchies there are is read from /proc/self/cgroup, and where they are mounted follows
 * from convention: /sys/fs/cgroup (v2), /sys/fs/cgroup/CONTROLLERS (v1), /sys/fs/cgroup/unified (v2
 * in a hybrid). That spares reading the mount table, which can have thousands of lines on a host
 * with many containers. The named hierarchy of systemd holds no controller and is left alone.
 */
#include "runtime/kernel/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/kernel/cgroup_v1.h"
#include "runtime/kernel/cgroup_v2.h"
#include "runtime/kernel/cgroup_walk.h"
#include "runtime/kernel/proc.h"

#define CGROUP_ROOT      "/sys/fs/cgroup"
#define CGROUP_UNIFIED   "/sys/fs/cgroup/unified"
#define NAME_SYSTEMD     "name=systemd"
#define SELF_MAX         (64U << 10)
#define PIDS_TEXT_MAX    (16U << 20)
#define PIDS_MAX         (4U << 20)
#define BATCH_MAX        64 /* processes that are signalled at once; a descriptor each */
#define WAIT_STEPS       40 /* 1, 2, 4 ... 64 ms each: 2.3 s in all */
#define WAIT_STEP_MAX_MS 64

static bool is_v2(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* --- finding ---------------------------------------------------------------------------------- */

static bool has_dotdot(const char *path)
{
    struct str rest = str_of(path), part = STR_NONE;

    while (str_next(&rest, '/', &part))
        if (str_eq_c(part, ".."))
            return true;
    return false;
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
    if (has_dotdot(path))
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

static bool names_controller(struct str list, const char *controller)
{
    struct str part = STR_NONE;

    while (str_next(&list, ',', &part))
        if (str_eq_c(part, controller))
            return true;
    return false;
}

const struct cgroup_hier *cgroup_find(const struct cgroup *g, const char *controller)
{
    for (size_t i = 0; i < g->n; i++)
        if ((g->v[i].v2 && g->unified) || names_controller(str_of(g->v[i].controllers), controller))
            return &g->v[i];
    return NULL;
}

bool cgroup_is_unified(void)
{
    return is_v2(CGROUP_ROOT);
}

bool cgroup_hier_has(const struct cgroup_hier *h, struct str controller)
{
    struct str list = str_of(h->controllers), part = STR_NONE;

    while (str_next(&list, ',', &part))
        if (str_eq(part, controller))
            return true;
    return h->v2;
}

bool cgroup_is_there(const struct cgroup_hier *h)
{
    char path[PATH_MAX];
    struct stat st;

    return snprintf(path, sizeof path, "%s%s", h->mount, h->path) < (int)sizeof path &&
           stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The hierarchy by which processes are listed: they are in all. */
static const struct cgroup_hier *main_hier(const struct cgroup *g)
{
    static const char *const order[] = {"freezer", "pids", "memory", "devices"};
    const struct cgroup_hier *h = NULL;

    for (size_t i = 0; h == NULL && i < ARRAY_N(order); i++)
        h = cgroup_find(g, order[i]);
    return h != NULL ? h : g->n > 0 ? &g->v[0] : NULL;
}

/* --- files ------------------------------------------------------------------------------------ */

static int full_path(const struct cgroup_hier *h, const char *file, char out[PATH_MAX],
                     struct err *err)
{
    int n =
        snprintf(out, PATH_MAX, "%s%s%s%s", h->mount, h->path, file[0] == '\0' ? "" : "/", file);

    if (n < 0 || n >= PATH_MAX)
        return err_set(err, ENAMETOOLONG, "cgroup '%.64s...'", h->path);
    return 0;
}

static int open_file(const struct cgroup_hier *h, const char *file, int flags, struct err *err)
{
    char path[PATH_MAX];
    int fd = -1;

    if (full_path(h, file, path, err) < 0)
        return -1;
    fd = open(path, flags | O_CLOEXEC);
    return fd >= 0 ? fd : err_set(err, errno, "open '%s'", path);
}

int cgroup_open(const struct cgroup_hier *h, const char *file, struct err *err)
{
    return open_file(h, file, O_WRONLY, err);
}

int cgroup_write(const struct cgroup_hier *h, const char *file, const char *value, struct err *err)
{
    size_t n = strlen(value);
    own_fd int fd = open_file(h, file, O_WRONLY, err);

    if (fd < 0)
        return -1;
    if (write(fd, value, n) != (ssize_t)n)
        return err_set(err, errno, "write '%s' to '%s' of cgroup '%s'", value, file, h->path);
    return 0;
}

int cgroup_read(const struct cgroup_hier *h, const char *file, struct buf *out, struct err *err)
{
    char path[PATH_MAX];

    if (full_path(h, file, path, err) < 0 || file_read(AT_FDCWD, path, out, err) < 0)
        return -1;
    while (out->n > 0 && out->p[out->n - 1] == '\n')
        buf_truncate(out, out->n - 1);
    return 0;
}

static void pause_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&t, NULL); /* an interrupted wait is just shorter */
}

static long step_ms(int step)
{
    return step < 6 ? 1L << step : WAIT_STEP_MAX_MS;
}

/* --- making ----------------------------------------------------------------------------------- */

/* Every ancestor, then the group itself; `down` passes controllers or cpus on from each level. */
static int make_levels(const struct cgroup_hier *h, bool *made, struct err *err)
{
    char path[PATH_MAX];
    size_t base = strlen(h->mount);

    if (full_path(h, "", path, err) < 0)
        return -1;
    /* Mostly all above it is there; on v2, and of cpusets, it must be looked at all the same. */
    if (!h->v2 && strcmp(h->controllers, "cpuset") != 0 && mkdir(path, 0755) == 0) {
        *made = true;
        return 0;
    }
    for (size_t i = base + 1; *made = false, true; i++) {
        char c = path[i];

        if (c != '/' && c != '\0')
            continue;
        path[i] = '\0';
        if (mkdir(path, 0755) == 0)
            *made = true;
        else if (errno != EEXIST)
            return err_set(err, errno, "make cgroup '%s'", path);
        if (h->v2 ? cgroup_v2_level(path, base, c == '\0', err) < 0
                  : cgroup_v1_level(path, h->controllers, *made, err) < 0) {
            if (*made)
                (void)rmdir(path); /* on the way out of another failure */
            return -1;
        }
        if (c == '\0')
            return 0;
        path[i] = c;
    }
}

static bool is_frozen_in(const struct cgroup_hier *h)
{
    own_buf struct buf text = BUF_INIT(256);
    struct err ignored;

    if (h->v2)
        return cgroup_read(h, "cgroup.freeze", &text, &ignored) == 0 &&
               str_eq_c(buf_str(&text), "1");
    return names_controller(str_of(h->controllers), "freezer") &&
           cgroup_read(h, "freezer.state", &text, &ignored) == 0 &&
           !str_eq_c(buf_str(&text), "THAWED");
}

static int check_existing(const struct cgroup_hier *h, struct err *err)
{
    own_buf struct buf text = BUF_INIT(PIDS_TEXT_MAX);

    if (cgroup_read(h, "cgroup.procs", &text, err) < 0)
        return -1;
    if (text.n > 0)
        return err_set(err, EBUSY, "cgroup '%s%s' exists and holds processes", h->mount, h->path);
    if (is_frozen_in(h))
        return err_set(err, EBUSY, "cgroup '%s%s' exists and is frozen", h->mount, h->path);
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
        if (is_part(&g->v[i], part) && full_path(&g->v[i], "", path, &ignored) == 0)
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

    return part == CGROUP_V2 && full_path(h, "", path, &ignored) == 0 && mkdir(path, 0755) == 0;
}

static int pass_down_v2(const struct cgroup *g, struct err *err)
{
    bool made = false;

    for (size_t i = 0; i < g->n; i++)
        if (g->v[i].v2 && make_levels(&g->v[i], &made, err) < 0)
            return -1;
    return 0;
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
    struct err ignored;

    for (size_t i = 0; i < g->n; i++)
        if (g->v[i].v2)
            return open_file(&g->v[i], "", O_RDONLY | O_DIRECTORY, &ignored);
    return -1;
}

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

int cgroup_doors_open(const struct cgroup *g, struct cgroup_doors *out, struct err *err)
{
    for (out->n = 0; out->n < g->n; out->n++) {
        const struct cgroup_hier *h = &g->v[out->n];

        out->v2[out->n] = h->v2;
        out->fds[out->n] = open_file(h, h->v2 ? "cgroup.procs" : "tasks", O_WRONLY, err);
        if (out->fds[out->n] < 0) {
            cgroup_doors_close(out);
            return -1;
        }
    }
    return 0;
}

int cgroup_doors_enter(struct cgroup_doors *d, enum cgroup_enter what, struct err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < d->n; i++)
        if ((!d->v2[i] || what == CGROUP_ENTER_ALL) && write(d->fds[i], "0", 1) != 1)
            r = err_set(err, errno, "enter a cgroup");
    cgroup_doors_close(d);
    return r;
}

void cgroup_doors_close(struct cgroup_doors *d)
{
    for (size_t i = 0; i < d->n; i++)
        (void)close(d->fds[i]);
    d->n = 0;
}

/* --- what is beneath ---------------------------------------------------------------------------
 */

static int read_procs(int at_fd, const char *name, void *ctx, struct err *err)
{
    struct buf *out = ctx;
    own_fd int dir_fd = openat(at_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0)
        return errno == ENOENT ? 0 : err_set(err, errno, "open cgroup '%s'", name);
    if (file_read(dir_fd, "cgroup.procs", out, err) == 0)
        return 0;
    /* A threaded group has no list of its own, one that was just removed neither. */
    return err->code == EOPNOTSUPP || err->code == ENOENT || err->code == ENODEV ? 0 : -1;
}

static int read_pids_text(const struct cgroup *g, struct buf *out, struct err *err)
{
    const struct cgroup_hier *h = main_hier(g);
    char path[PATH_MAX];

    if (h == NULL)
        return 0;
    if (full_path(h, "", path, err) < 0)
        return -1;
    return cgroup_walk(path, read_procs, out, err);
}

static int compare_pids(const void *a, const void *b)
{
    const pid_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

int cgroup_pids(const struct cgroup *g, struct arena *a, pid_t **pids, size_t *n, struct err *err)
{
    own_buf struct buf text = BUF_INIT(PIDS_TEXT_MAX);
    struct str rest = STR_NONE, line = STR_NONE;
    size_t lines = 0, k = 0;
    uint32_t v = 0;

    if (read_pids_text(g, &text, err) < 0)
        return -1;
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    *pids = arena_array(a, lines + 1, sizeof **pids);
    if (lines > PIDS_MAX || *pids == NULL)
        return err_set(err, E2BIG, "%zu processes in a cgroup", lines);
    rest = buf_str(&text);
    while (k < lines && str_next(&rest, '\n', &line))
        if (num_parse_u32(line, 1, INT32_MAX, &v, err) == 0)
            (*pids)[k++] = (pid_t)v;
    qsort(*pids, k, sizeof **pids, compare_pids);
    *n = k;
    return 0;
}

/* Who has the id now may be a stranger: the listed one can have ended, and the id been given anew.
 * Whoever is still listed after its pidfd was opened is meant; if the pidfd is of somebody else,
 * that one is dead. */
static int signal_batch(const struct cgroup *g, const pid_t *pids, size_t n, int signo,
                        struct err *err)
{
    struct arena *a = arena_new(PIDS_TEXT_MAX);
    pid_t *still = NULL;
    size_t still_n = 0;
    int fds[BATCH_MAX], r = 0;

    for (size_t i = 0; i < n; i++)
        fds[i] = pidfd_open(pids[i], 0);
    r = cgroup_pids(g, a, &still, &still_n, err);
    for (size_t i = 0; i < n; i++) {
        if (fds[i] < 0)
            continue; /* one that went meanwhile is no failure */
        if (r == 0 && proc_is_among(pids[i], still, still_n))
            (void)pidfd_send_signal(fds[i], signo, NULL, 0);
        (void)close(fds[i]);
    }
    arena_free(a);
    return r;
}

static int signal_once(const struct cgroup *g, int signo, size_t *n, struct err *err)
{
    struct arena *a = arena_new(PIDS_TEXT_MAX);
    pid_t *pids = NULL;
    int r = cgroup_pids(g, a, &pids, n, err);

    for (size_t i = 0; r == 0 && i < *n; i += BATCH_MAX)
        r = signal_batch(g, pids + i, *n - i < BATCH_MAX ? *n - i : BATCH_MAX, signo, err);
    arena_free(a);
    return r;
}

static bool kill_v2(const struct cgroup *g)
{
    struct err ignored;

    for (size_t i = 0; i < g->n; i++)
        if (g->v[i].v2)
            return cgroup_write(&g->v[i], "cgroup.kill", "1", &ignored) == 0;
    return false;
}

int cgroup_signal(const struct cgroup *g, int signo, struct err *err)
{
    size_t n = 0;

    if (signo != SIGKILL)
        return signal_once(g, signo, &n, err);
    (void)kill_v2(g); /* where the kernel has it no fork can escape; the loop below asks again */
    for (int i = 0; i < WAIT_STEPS; i++) {
        if (signal_once(g, SIGKILL, &n, err) < 0)
            return -1;
        if (n == 0)
            return 0;
        pause_ms(step_ms(i));
    }
    return err_set(err, EBUSY, "%zu processes of the cgroup do not end", n);
}

/* --- freezing --------------------------------------------------------------------------------- */

bool cgroup_is_frozen(const struct cgroup *g)
{
    const struct cgroup_hier *h = cgroup_find(g, "freezer");

    return h != NULL && is_frozen_in(h);
}

void cgroup_reclaim(const struct cgroup *g, pid_t pid)
{
    const struct cgroup_hier *h = cgroup_find(g, "freezer");
    struct err ignored; /* whoever waits for its end will say so */
    char text[16];

    (void)snprintf(text, sizeof text, "%d", pid);
    if (h != NULL && !h->v2 && cgroup_write(h, "cgroup.procs", text, &ignored) < 0)
        return;
}

static bool is_settled(const struct cgroup_hier *h, bool freeze)
{
    own_buf struct buf text = BUF_INIT(1024);
    struct err ignored;

    if (cgroup_read(h, h->v2 ? "cgroup.events" : "freezer.state", &text, &ignored) < 0)
        return false;
    if (h->v2)
        return str_find_str(buf_str(&text), freeze ? STR("frozen 1") : STR("frozen 0")) >= 0;
    return str_eq_c(buf_str(&text), freeze ? "FROZEN" : "THAWED");
}

int cgroup_freeze(const struct cgroup *g, bool freeze, struct err *err)
{
    const struct cgroup_hier *h = cgroup_find(g, "freezer");
    const char *v1 = freeze ? "FROZEN" : "THAWED", *v2 = freeze ? "1" : "0";

    if (h == NULL)
        return err_set(err, ENOENT, "no cgroup that can freeze");
    for (int i = 0; i < WAIT_STEPS; i++) {
        /* v1 may lose a process that forks meanwhile: writing again continues. */
        if (cgroup_write(h, h->v2 ? "cgroup.freeze" : "freezer.state", h->v2 ? v2 : v1, err) < 0)
            return -1;
        if (is_settled(h, freeze))
            return 0;
        pause_ms(step_ms(i));
    }
    return err_set(err, EBUSY, "the cgroup does not become %s", freeze ? "frozen" : "thawed");
}

/* --- removing --------------------------------------------------------------------------------- */

static int remove_one(int at_fd, const char *name, void *ctx, struct err *err)
{
    (void)ctx;
    for (int i = 0; i < WAIT_STEPS; i++) {
        if (unlinkat(at_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (errno != EBUSY)
            break;
        pause_ms(step_ms(i));
    }
    return err_set(err, errno, "remove cgroup '%s'", name);
}

int cgroup_remove(const struct cgroup *g, struct err *err)
{
    struct err first = {.code = 0};
    int r = 0;

    for (size_t i = 0; i < g->n; i++) {
        char path[PATH_MAX];
        struct err now;

        if (full_path(&g->v[i], "", path, &now) == 0 &&
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
    if (h->path == NULL || has_dotdot(h->path))
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
