/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filterd - checks mail from outside and signs submitted mail, as a milter (filterd(8))
 */
#include <signal.h>

#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include "mailstack/filterd/conf.h"
#include "mailstack/filterd/worker.h"
#include "mailstack/lib/daemon/daemon.h"
#include "mailstack/lib/daemon/given.h"
#include "mailstack/lib/daemon/workers.h"

struct filterd {
    struct conf conf;
    struct worker worker;
    struct workers *workers;
};

static struct filterd *get(struct daemon *d)
{
    if (d->ctx == NULL)
        d->ctx = mem_type(struct filterd);
    return d->ctx;
}

static int load(struct daemon *d, const struct jv *conf, struct err *err)
{
    struct filterd *f = get(d);
    struct conf made;

    if (conf_load(&made, conf, err) < 0)
        return -1;
    conf_done(&f->conf);
    f->conf = made;
    return 0;
}

static int run_worker(unsigned i, void *ctx)
{
    const struct filterd *f = ctx;
    struct err err = {0};

    (void)i;
    if (worker_run(&f->worker, &err) == 0)
        return 0;
    log_error("filter.worker_failed", LOG_S("error", err.text));
    return 1;
}

static int start(struct daemon *d, struct err *err)
{
    struct filterd *f = get(d);
    struct worker *w = &f->worker;
    int fd;

    w->conf = &f->conf;
    w->counters = (struct session_counters){
        .messages = counter_get(d->counters, "filter_messages_total"),
        .junk = counter_get(d->counters, "filter_junk_total"),
        .rejected = counter_get(d->counters, "filter_rejected_total"),
        .signed_ = counter_get(d->counters, "filter_signed_total"),
    };
    while (w->listen_n < WORKER_LISTEN_MAX && (fd = given_fd(d->given, "milter", w->listen_n)) >= 0)
        w->listen_fd[w->listen_n++] = fd;
    if (w->listen_n == 0)
        return err_set(err, 0, "no socket named 'milter' was given");
    f->workers = workers_start(d->loop, f->conf.workers, run_worker, f, err);
    return f->workers == NULL ? -1 : 0;
}

/* Workers are forked anew with the new configuration; each finishes the messages in hand. */
static void reload(struct daemon *d)
{
    workers_signal(get(d)->workers, SIGTERM);
}

static void drain(struct daemon *d)
{
    workers_drain(get(d)->workers);
}

int main(int argc, char **argv)
{
    static const char *const descriptors[] = {"milter", NULL};
    static const struct daemon_ops ops = {
        .name = "filterd",
        .what = "Checks mail from outside and signs submitted mail, as a milter.",
        .descriptors = descriptors,
        .load = load,
        .start = start,
        .reload = reload,
        .drain = drain,
    };

    return daemon_main(argc, argv, &ops);
}
