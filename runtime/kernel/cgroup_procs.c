/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a group: listed, signalled, frozen. What a list says may have ended by the time
 * it is used, so nobody is signalled by a number alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_walk.h"
#include "runtime/kernel/proc.h"

#define PIDS_TEXT_MAX (16U << 20)
#define PIDS_MAX      (4U << 20)
#define BATCH_MAX     64 /* processes that are signalled at once; a descriptor each */

/* The hierarchy by which processes are listed: they are in all. */
static const struct cgroup_hier *main_hier(const struct cgroup *g)
{
    static const char *const order[] = {"freezer", "pids", "memory", "devices"};
    const struct cgroup_hier *h = NULL;

    for (size_t i = 0; h == NULL && i < ARRAY_N(order); i++)
        h = cgroup_find(g, order[i]);
    return h != NULL ? h : g->n > 0 ? &g->v[0] : NULL;
}

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
    if (cgroup_hier_path(h, "", path, err) < 0)
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
    const struct cgroup_hier *h = cgroup_find_v2(g);
    struct err ignored;

    return h != NULL && cgroup_write(h, "cgroup.kill", "1", &ignored) == 0;
}

int cgroup_signal(const struct cgroup *g, int signo, struct err *err)
{
    size_t n = 0;

    if (signo != SIGKILL)
        return signal_once(g, signo, &n, err);
    (void)kill_v2(g); /* where the kernel has it no fork can escape; the loop below asks again */
    for (int i = 0; i < CGROUP_WAIT_STEPS; i++) {
        if (signal_once(g, SIGKILL, &n, err) < 0)
            return -1;
        if (n == 0)
            return 0;
        if (i > 0)
            cgroup_thaw(g);
        cgroup_wait(i);
    }
    return err_set(err, EBUSY, "%zu processes of the cgroup do not end", n);
}

/* --- freezing --------------------------------------------------------------------------------- */

bool cgroup_is_frozen(const struct cgroup *g)
{
    const struct cgroup_hier *h = cgroup_find(g, "freezer");

    return h != NULL && cgroup_hier_is_frozen(h);
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

static int thaw_one(int at_fd, const char *name, void *ctx, struct err *err)
{
    own_fd int dir_fd = openat(at_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    (void)ctx;
    if (dir_fd < 0)
        return errno == ENOENT ? 0 : err_set(err, errno, "open cgroup '%s'", name);
    if (file_poke(dir_fd, "freezer.state", STR("THAWED"), err) == 0)
        return 0;
    return err->code == ENOENT || err->code == ENODEV ? 0 : -1; /* it was just removed */
}

void cgroup_thaw(const struct cgroup *g)
{
    const struct cgroup_hier *h = cgroup_find(g, "freezer");
    struct err ignored; /* whoever waits for an end will say so */
    char path[PATH_MAX];

    if (h != NULL && !h->v2 && cgroup_hier_path(h, "", path, &ignored) == 0 &&
        cgroup_walk(path, thaw_one, NULL, &ignored) < 0)
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
    for (int i = 0; i < CGROUP_WAIT_STEPS; i++) {
        /* v1 may lose a process that forks meanwhile: writing again continues. */
        if (cgroup_write(h, h->v2 ? "cgroup.freeze" : "freezer.state", h->v2 ? v2 : v1, err) < 0)
            return -1;
        if (is_settled(h, freeze))
            return 0;
        cgroup_wait(i);
    }
    return err_set(err, EBUSY, "the cgroup does not become %s", freeze ? "frozen" : "thawed");
}
