/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmtpd - delivers into Maildirs what LMTP clients bring (lmtpd(8))
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include "mailstack/lib/daemon/daemon.h"
#include "mailstack/lib/daemon/given.h"
#include "mailstack/lib/daemon/workers.h"
#include "mailstack/lib/store/store.h"
#include "mailstack/lmtpd/conf.h"
#include "mailstack/lmtpd/session.h"
#include "mailstack/lmtpd/worker.h"

struct lmtpd {
    struct conf conf;
    struct store store;
    struct session_env env;
    struct worker worker;
    struct workers *workers;
};

static struct lmtpd *get(struct daemon *d)
{
    if (d->ctx == NULL)
        d->ctx = mem_type(struct lmtpd);
    return d->ctx;
}

static int load(struct daemon *d, const struct jv *conf, struct err *err)
{
    struct lmtpd *l = get(d);
    struct conf made;

    if (conf_load(&made, conf, err) < 0)
        return -1;
    conf_done(&l->conf);
    l->conf = made;
    return 0;
}

static int run_worker(unsigned i, void *ctx)
{
    const struct lmtpd *l = ctx;
    struct err err = {0};

    (void)i;
    if (worker_run(&l->worker, &err) == 0)
        return 0;
    log_error("lmtp.worker_failed", LOG_S("error", err.text));
    return 1;
}

static int start(struct daemon *d, struct err *err)
{
    struct lmtpd *l = get(d);
    int fd;

    (void)umask(0007);
    if (store_open(&l->store, l->conf.mail, str_of(l->conf.hostname), l->conf.quota, err) < 0)
        return -1;
    l->env = (struct session_env){
        .conf = &l->conf,
        .store = &l->store,
        .messages = counter_get(d->counters, "lmtp_messages_total"),
        .bytes = counter_get(d->counters, "lmtp_bytes_total"),
        .failures = counter_get(d->counters, "lmtp_failures_total"),
    };
    l->worker.env = &l->env;
    while (l->worker.listen_n < WORKER_LISTEN_MAX &&
           (fd = given_fd(d->given, "lmtp", l->worker.listen_n)) >= 0)
        l->worker.listen_fd[l->worker.listen_n++] = fd;
    if (l->worker.listen_n == 0)
        return err_set(err, 0, "no socket named 'lmtp' was given");
    l->workers = workers_start(d->loop, l->conf.workers, run_worker, l, err);
    return l->workers == NULL ? -1 : 0;
}

/* Workers are forked anew with the new configuration; each finishes what it has in hand. */
static void reload(struct daemon *d)
{
    struct lmtpd *l = get(d);

    l->store.quota = l->conf.quota;
    workers_signal(l->workers, SIGTERM);
}

static void drain(struct daemon *d)
{
    workers_drain(get(d)->workers);
}

int main(int argc, char **argv)
{
    static const char *const descriptors[] = {"lmtp", NULL};
    static const struct daemon_ops ops = {
        .name = "lmtpd",
        .what = "delivers mail into Maildirs over LMTP",
        .descriptors = descriptors,
        .load = load,
        .start = start,
        .reload = reload,
        .drain = drain,
    };

    return daemon_main(argc, argv, &ops);
}
