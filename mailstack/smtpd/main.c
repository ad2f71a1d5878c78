/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/jv.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/sig.h"
#include "runtime/base/slim.h"

#include "mailstack/lib/auth/client.h"
#include "mailstack/lib/daemon/daemon.h"
#include "mailstack/lib/daemon/given.h"
#include "mailstack/lib/daemon/workers.h"
#include "mailstack/lib/net/dns_client.h"
#include "mailstack/lib/net/peers.h"
#include "mailstack/lib/net/tls.h"
#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/filter.h"
#include "mailstack/smtpd/lmtp.h"
#include "mailstack/smtpd/room.h"
#include "mailstack/smtpd/session.h"
#include "mailstack/smtpd/smtpd.h"

#define GRACE_MS   60000 /* for a message under way when a worker is to leave */
#define ACCEPT_MAX 4     /* per turn and listener, so that the workers share a burst */
#define PAUSE_MS   200   /* out of descriptors: until some are free again */

static const struct service services[] = {
    {"smtp", false, false},
    {"submission", true, false},
    {"submissions", true, true},
};

/* A certificate that cannot be used is refused here, not by each worker. */
static int check_tls(const struct conf *c, struct err *err)
{
    struct tls_ctx *t = tls_server_new(c->cert, c->key, err);

    tls_free(t);
    return t ? 0 : err_wrap(err, "$.tls");
}

// One of each per process: the skeleton's ctx is the configuration.
static struct workers *workers;
static struct peers *peers;

static int load(struct daemon *d, const struct jv *conf, struct err *err)
{
    struct conf *c = conf_load(conf, err);

    if (!c || check_tls(c, err) < 0) {
        conf_free(c);
        return -1;
    }
    conf_free(d->ctx);
    d->ctx = c;
    return 0;
}

/* --- a worker --------------------------------------------------------------------------------- */

struct listener {
    struct loop_io io;
    struct loop_timer again;
    int fd;
    struct worker *w;
    const struct service *service;
};

struct worker {
    struct smtpd d;
    struct sig_watch signals;
    struct loop_timer grace;
    struct listener listeners[GIVEN_MAX];
    size_t listeners_n;
};

static void on_again(struct loop_timer *t)
{
    struct listener *l = container_of(t, struct listener, again);
    struct err err = {0};

    if (!l->w->d.draining && loop_io_add(l->w->d.loop, &l->io, l->fd, LOOP_READ, &err) < 0)
        log_error("smtp.listen", LOG_S("error", err.text));
}

/* A connection that cannot be accepted stays in the backlog, and would be reported for ever. */
static void accept_failed(struct listener *l, int code)
{
    if (code == EAGAIN || code == EINTR || code == ECONNABORTED)
        return;
    log_error("smtp.accept_failed", LOG_S("service", l->service->name),
              LOG_S("error", strerrordesc_np(code)));
    loop_io_del(&l->io);
    loop_timer_set(l->w->d.loop, &l->again, PAUSE_MS);
}

static void on_connection(struct loop_io *io, unsigned events)
{
    struct listener *l = container_of(io, struct listener, io);

    (void)events;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0) {
            accept_failed(l, errno);
            return;
        }
        session_accept(&l->w->d, fd, l->service);
    }
}

static const struct service *service_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_N(services); i++) {
        if (str_eq_c(str_of(name), services[i].name))
            return &services[i];
    }
    return NULL;
}

static int listen_on_all(struct worker *w, const struct given *g, struct err *err)
{
    const char *name;
    int fd;

    for (size_t i = 0; (fd = given_at(g, i, &name)) >= 0; i++) {
        const struct service *service = service_of(name);
        struct listener *l = &w->listeners[w->listeners_n];

        if (!service)
            continue;
        *l = (struct listener){.io = {.fn = on_connection},
                               .again = {.fn = on_again},
                               .fd = fd,
                               .w = w,
                               .service = service};
        if (fd_set_nonblock(fd, true, err) < 0 ||
            loop_io_add(w->d.loop, &l->io, fd, LOOP_READ, err) < 0)
            return -1;
        w->listeners_n++;
    }
    return w->listeners_n ? 0 : err_set(err, 0, "nothing to listen on");
}

void smtpd_check_end(struct smtpd *d)
{
    if (d->draining && d->sessions_n == 0 && d->txns_n == 0)
        loop_stop(d->loop);
}

/* A message under way gets its end; the others are told to come again. */
static void drain_worker(struct worker *w)
{
    w->d.draining = true;
    for (size_t i = 0; i < w->listeners_n; i++)
        loop_io_del(&w->listeners[i].io);
    list_for_each (it, next, &w->d.sessions)
        session_drain(list_of(it, struct session, node));
    loop_timer_set(w->d.loop, &w->grace, GRACE_MS);
    smtpd_check_end(&w->d);
}

/* Nothing was promised to those who are still sending. */
static void on_grace(struct loop_timer *t)
{
    struct worker *w = container_of(t, struct worker, grace);

    log_warn("smtp.drain", LOG_U("sessions", w->d.sessions_n), LOG_U("messages", w->d.txns_n),
             LOG_S("result", "cut off"));
    loop_stop(w->d.loop);
}

static void on_signal(struct sig_watch *sw, int signo)
{
    (void)signo; /* there is but one */
    drain_worker(container_of(sw, struct worker, signals));
}

static void take_counters(struct smtpd *d, struct counter_page *page)
{
    d->connections = counter_get(page, "smtp_connections_total");
    d->refused_connections = counter_get(page, "smtp_connections_refused_total");
    d->messages = counter_get(page, "smtp_messages_total");
    d->bytes = counter_get(page, "smtp_bytes_total");
    d->refused_messages = counter_get(page, "smtp_messages_refused_total");
    d->refused_rcpts = counter_get(page, "smtp_recipients_refused_total");
    d->logins = counter_get(page, "smtp_logins_total");
    d->login_failures = counter_get(page, "smtp_login_failures_total");
}

static int prepare(struct worker *w, struct daemon *daemon, struct err *err)
{
    static const int signals[] = {SIGTERM, 0};
    struct smtpd *d = &w->d;
    const struct conf *c = daemon->ctx;

    d->conf = c;
    d->loop = loop_new(err);
    list_init(&d->sessions);
    w->signals.fn = on_signal;
    w->grace.fn = on_grace;
    if (!d->loop || sig_watch(d->loop, &w->signals, signals, err) < 0)
        return -1;
    d->peers = peers;
    peers_claim(peers, d->number);
    d->tls = tls_server_new(c->cert, c->key, err);
    d->auth =
        auth_client_new(d->loop, (struct auth_client_sockets){c->auth_path, c->map_path}, err);
    if (!d->tls || !d->auth)
        return -1;
    d->room = room_new();
    d->local = lmtp_new(d->loop, c->lmtp_path, c->hostname);
    d->queue = c->queue_path ? lmtp_new(d->loop, c->queue_path, c->hostname) : NULL;
    d->filter = c->milter_path ? filter_new(d->loop, c->milter_path) : NULL;
    d->dns = c->dns_path ? dns_client_new(d->loop, c->dns_path) : NULL;
    take_counters(d, daemon->counters);
    slim_now();
    return listen_on_all(w, daemon->given, err);
}

static int work(unsigned i, void *ctx)
{
    struct worker *w = mem_type(struct worker);
    struct err err = {0};

    w->d.number = i;
    if (prepare(w, ctx, &err) < 0 || loop_run(w->d.loop, &err) < 0) {
        log_error("smtp.worker", LOG_S("error", err.text));
        return 1;
    }
    return 0;
}

/* --- the daemon ------------------------------------------------------------------------------- */

static int start(struct daemon *d, struct err *err)
{
    const struct conf *c = d->ctx;

    peers = peers_new(c->limits.workers, err);
    if (!peers)
        return -1;
    workers = workers_start(d->loop, c->limits.workers, work, d, err);
    return workers ? 0 : -1;
}

/* New workers with the new configuration; the old ones finish what they are at. */
static void reload(struct daemon *d)
{
    (void)d;
    workers_replace(workers);
}

static void drain(struct daemon *d)
{
    (void)d;
    workers_drain(workers);
}

int main(int argc, char **argv)
{
    static const char *const descriptors[] = {"smtp", "submission", "submissions", NULL};
    static const struct daemon_ops ops = {
        .name = "smtpd",
        .what = "Takes mail by SMTP.",
        .descriptors = descriptors,
        .load = load,
        .start = start,
        .reload = reload,
        .drain = drain,
    };

    return daemon_main(argc, argv, &ops);
}
