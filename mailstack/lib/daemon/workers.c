/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/daemon/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/child.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/sig.h"

#define WORKERS_MAX   256
#define QUICK_MS      1000 /* a worker that lived shorter than this died at once */
#define FIRST_WAIT_MS 100

struct worker {
    struct child child;
    struct loop_timer again;
    struct workers *all;
    unsigned i;
    uint64_t started_ms;
    uint64_t wait_ms;
};

/* A worker that was replaced and may take its time. */
struct leaver {
    struct child child;
    struct list node;
    struct workers *all;
};

struct workers {
    struct loop *loop;
    int (*fn)(unsigned i, void *ctx);
    void *ctx;
    unsigned n;
    unsigned alive;
    struct list leavers;
    bool draining;
    struct worker at[];
};

static int start_one(struct worker *w, struct err *err)
{
    struct workers *all = w->all;
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0)
        return err_set(err, errno, "fork a worker");
    if (pid == 0) {
        sig_reset();
        /* A worker without its parent would serve for ever, unseen; the parent may be gone already.
         */
        if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
            _exit(1);
        exit(all->fn(w->i, all->ctx)); // NOLINT(concurrency-mt-unsafe): one thread
    }
    if (child_watch(all->loop, &w->child, pid, err) < 0) {
        (void)kill(pid, SIGKILL); /* nobody would see it end */
        (void)waitpid(pid, NULL, 0);
        return -1;
    }
    w->started_ms = clock_now_ms();
    all->alive++;
    return 0;
}

static void try_again(struct worker *w)
{
    struct err err = {0};

    if (start_one(w, &err) == 0)
        return;
    log_error("worker.start", LOG_U("worker", w->i), LOG_S("error", err.text));
    loop_timer_set(w->all->loop, &w->again, WORKERS_BACKOFF_MAX_MS);
}

static void on_again(struct loop_timer *t)
{
    struct worker *w = container_of(t, struct worker, again);

    if (!w->all->draining)
        try_again(w);
}

/* At once the first time, then with growing waits while it keeps dying young. */
static uint64_t next_wait(struct worker *w)
{
    uint64_t wait = w->wait_ms;

    if (clock_now_ms() - w->started_ms > QUICK_MS) {
        w->wait_ms = 0;
        return 0;
    }
    w->wait_ms = wait ? wait * 2 : FIRST_WAIT_MS;
    if (w->wait_ms > WORKERS_BACKOFF_MAX_MS)
        w->wait_ms = WORKERS_BACKOFF_MAX_MS;
    return wait;
}

static void check_end(struct workers *all)
{
    if (all->draining && all->alive == 0 && list_empty(&all->leavers))
        loop_stop(all->loop);
}

static void on_exit_of(struct child *c)
{
    struct worker *w = container_of(c, struct worker, child);
    struct workers *all = w->all;
    char how[CHILD_TEXT_MAX];

    all->alive--;
    if (all->draining) {
        check_end(all);
        return;
    }
    uint64_t wait = next_wait(w);

    child_describe(c->status, how);
    log_warn("worker.exit", LOG_U("worker", w->i), LOG_S("how", how), LOG_U("next_try_ms", wait));
    if (wait)
        loop_timer_set(all->loop, &w->again, wait);
    else
        try_again(w);
}

struct workers *workers_start(struct loop *l, unsigned n, int (*fn)(unsigned i, void *ctx),
                              void *ctx, struct err *err)
{
    struct workers *all;

    if (n == 0 || n > WORKERS_MAX) {
        (void)err_set(err, EINVAL, "%u workers, where 1 to %d are possible", n, WORKERS_MAX);
        return NULL;
    }
    all = mem_new(sizeof(*all) + n * sizeof(all->at[0]));
    all->loop = l;
    all->fn = fn;
    all->ctx = ctx;
    all->n = n;
    list_init(&all->leavers);
    for (unsigned i = 0; i < n; i++) {
        struct worker *w = &all->at[i];

        w->all = all;
        w->i = i;
        w->child.fn = on_exit_of;
        w->child.pid_fd = -1;
        w->again.fn = on_again;
    }
    for (unsigned i = 0; i < n; i++) {
        if (start_one(&all->at[i], err) < 0) {
            workers_signal(all, SIGTERM);
            workers_free(all);
            return NULL;
        }
    }
    return all;
}

static void on_exit_of_leaver(struct child *c)
{
    struct leaver *gone = container_of(c, struct leaver, child);

    list_del(&gone->node);
    check_end(gone->all);
    free(gone);
}

/* The process in that place is a leaver from now on; the place is free. */
static void let_go(struct worker *w)
{
    struct workers *all = w->all;
    struct leaver *l = mem_type(struct leaver);
    pid_t pid = w->child.pid;
    struct err err = {0};

    child_unwatch(&w->child);
    all->alive--;
    l->all = all;
    l->child.fn = on_exit_of_leaver;
    l->child.pid_fd = -1;
    if (child_watch(all->loop, &l->child, pid, &err) < 0 ||
        child_kill(&l->child, SIGTERM, &err) < 0)
        log_error("worker.replace", LOG_U("worker", w->i), LOG_S("error", err.text));
    if (l->child.pid_fd < 0) { /* it goes with its parent */
        free(l);
        return;
    }
    list_add_tail(&all->leavers, &l->node);
}

void workers_replace(struct workers *all)
{
    if (all->draining)
        return;
    for (unsigned i = 0; i < all->n; i++) {
        struct worker *w = &all->at[i];

        loop_timer_del(&w->again);
        if (w->child.pid > 0)
            let_go(w);
        try_again(w);
    }
}

void workers_signal(struct workers *all, int signo)
{
    struct err err = {0};

    for (unsigned i = 0; i < all->n; i++) {
        if (all->at[i].child.pid > 0 && child_kill(&all->at[i].child, signo, &err) < 0)
            log_warn("worker.signal", LOG_U("worker", i), LOG_S("error", err.text));
    }
}

void workers_drain(struct workers *all)
{
    all->draining = true;
    check_end(all);
    workers_signal(all, SIGTERM);
}

void workers_free(struct workers *all)
{
    if (!all)
        return;
    for (unsigned i = 0; i < all->n; i++) {
        loop_timer_del(&all->at[i].again);
        child_unwatch(&all->at[i].child);
    }
    list_for_each (it, next, &all->leavers) {
        struct leaver *l = list_of(it, struct leaver, node);

        child_unwatch(&l->child);
        free(l);
    }
    free(all);
}
