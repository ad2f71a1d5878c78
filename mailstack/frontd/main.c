/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/jv.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/sig.h"
#include "runtime/base/slim.h"

#include "mailstack/frontd/frontd.h"
#include "mailstack/lib/daemon/daemon.h"
#include "mailstack/lib/daemon/given.h"
#include "mailstack/lib/daemon/keys.h"
#include "mailstack/lib/daemon/workers.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/net/peers.h"
#include "mailstack/lib/net/tls.h"

#define LOGIN_MAX_S 3600
#define ACCEPT_MAX  16 /* per turn and listener, so that the workers share a burst */

static const struct kind {
    const char *name; /* of the descriptor */
    const struct login_proto *proto;
    bool implicit_tls;
} kinds[] = {
    {"imap", &imap_login, false},
    {"imaps", &imap_login, true},
    {"pop3", &pop3_login, false},
    {"pop3s", &pop3_login, true},
};

/* --- configuration ---------------------------------------------------------------------------- */

static void conf_free(struct frontd_conf *c)
{
    if (!c)
        return;
    free(c->hostname);
    free(c->cert);
    free(c->key);
    free(c->auth_path);
    free(c->imapd_path);
    free(c->pop3d_path);
    free(c);
}

static int take_conf(const struct jv *conf, struct frontd_conf *c, struct err *err)
{
    static const char *const keys[] = {"hostname",        "log_level", "listen",  "tls",
                                       "plaintext_login", "limits",    "sockets", NULL};
    static const char *const tls_keys[] = {"cert", "key", NULL};
    static const char *const socket_keys[] = {"auth", "imapd", "pop3d", NULL};
    struct jv tls;
    struct jv sockets;

    if (jv_is_object(conf, err) < 0 || jv_only(conf, keys, err) < 0 ||
        keys_text(conf, "hostname", &c->hostname, err) < 0 ||
        jv_object(conf, "tls", &tls, err) < 0 || jv_only(&tls, tls_keys, err) < 0 ||
        keys_text(&tls, "cert", &c->cert, err) < 0 || keys_text(&tls, "key", &c->key, err) < 0)
        return -1;
    if (jv_object(conf, "sockets", &sockets, err) < 0 || jv_only(&sockets, socket_keys, err) < 0 ||
        keys_text(&sockets, "auth", &c->auth_path, err) < 0 ||
        keys_opt_text(&sockets, "imapd", &c->imapd_path, err) < 0 ||
        keys_opt_text(&sockets, "pop3d", &c->pop3d_path, err) < 0)
        return -1;
    if (keys_limits(conf, "login_s", LOGIN_MAX_S, &c->limits, err) < 0)
        return -1;
    return keys_networks(conf, c->plaintext, FRONTD_NETS_MAX, &c->plaintext_n, err);
}

static int load(struct daemon *d, const struct jv *conf, struct err *err)
{
    struct frontd_conf *c = mem_type(struct frontd_conf);

    c->limits = (struct keys_limits){
        .workers = 2, .connections = 2000, .connections_per_ip = 50, .seconds = 60};
    if (take_conf(conf, c, err) < 0) {
        conf_free(c);
        return -1;
    }
    conf_free(d->ctx);
    d->ctx = c;
    return 0;
}

/* One per process: the skeleton's ctx is the configuration. */
static struct workers *workers;
static struct peers *peers;

/* --- a worker --------------------------------------------------------------------------------- */

struct listener {
    struct loop_io io;
    struct worker *w;
    const struct kind *kind;
};

struct worker {
    struct frontd f;
    struct sig_watch signals;
    struct listener listeners[GIVEN_MAX];
    size_t listeners_n;
};

static void on_connection(struct loop_io *io, unsigned events)
{
    struct listener *l = container_of(io, struct listener, io);

    (void)events;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            return;
        session_accept(&l->w->f, fd, l->kind->proto, l->kind->implicit_tls);
    }
}

static const struct kind *kind_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_N(kinds); i++) {
        if (str_eq_c(str_of(name), kinds[i].name))
            return &kinds[i];
    }
    return NULL;
}

static int listen_on_all(struct worker *w, const struct given *g, struct err *err)
{
    const char *name;
    int fd;

    for (size_t i = 0; (fd = given_at(g, i, &name)) >= 0; i++) {
        const struct kind *k = kind_of(name);
        struct listener *l = &w->listeners[w->listeners_n];

        if (!k)
            continue;
        *l = (struct listener){.io = {.fn = on_connection}, .w = w, .kind = k};
        if (fd_set_nonblock(fd, true, err) < 0 ||
            loop_io_add(w->f.loop, &l->io, fd, LOOP_READ, err) < 0)
            return -1;
        w->listeners_n++;
    }
    return w->listeners_n ? 0 : err_set(err, 0, "nothing to listen on");
}

/* Before login a client loses nothing by coming again. A relay ends without a word: it may be in
 * the middle of a message, of which the word would become a part. */
static void drain_worker(struct worker *w)
{
    w->f.draining = true;
    for (size_t i = 0; i < w->listeners_n; i++)
        loop_io_del(&w->listeners[i].io);
    list_for_each (it, next, &w->f.sessions) {
        struct session *s = list_of(it, struct session, node);

        if (s->backend)
            continue;
        s->proto->bye(s, "shutting down");
        session_finish(s);
    }
    loop_stop(w->f.loop);
}

static void new_certificate(struct worker *w)
{
    struct err err = {0};
    struct tls_ctx *t = tls_server_new(w->f.conf->cert, w->f.conf->key, &err);

    if (!t) {
        log_warn("front.tls", LOG_S("result", "the old certificate stays"),
                 LOG_S("error", err.text));
        return;
    }
    tls_free(w->f.tls);
    w->f.tls = t;
}

static void on_signal(struct sig_watch *sw, int signo)
{
    struct worker *w = container_of(sw, struct worker, signals);

    if (signo == SIGHUP)
        new_certificate(w);
    else
        drain_worker(w);
}

static int prepare(struct worker *w, struct daemon *d, struct err *err)
{
    static const int signals[] = {SIGTERM, SIGHUP, 0};
    struct frontd *f = &w->f;

    f->conf = d->ctx;
    f->loop = loop_new(err);
    f->peers = peers;
    list_init(&f->sessions);
    w->signals.fn = on_signal;
    if (!f->loop || sig_watch(f->loop, &w->signals, signals, err) < 0)
        return -1;
    f->tls = tls_server_new(f->conf->cert, f->conf->key, err);
    f->auth = auth_client_new(f->loop, (struct auth_client_sockets){f->conf->auth_path, NULL}, err);
    if (!f->tls || !f->auth)
        return -1;
    f->accepted = counter_get(d->counters, "front_connections_total");
    f->refused = counter_get(d->counters, "front_refused_total");
    f->logins = counter_get(d->counters, "front_logins_total");
    f->failures = counter_get(d->counters, "front_failures_total");
    slim_now();
    return listen_on_all(w, d->given, err);
}

static int work(unsigned i, void *ctx)
{
    struct worker *w = mem_type(struct worker);
    struct err err = {0};

    peers_claim(peers, i);
    if (prepare(w, ctx, &err) < 0 || loop_run(w->f.loop, &err) < 0) {
        log_error("front.worker", LOG_S("error", err.text));
        return 1;
    }
    /* The goodbyes go out in one more turn. */
    return loop_turn(w->f.loop, 0, &err) < 0;
}

/* --- the daemon ------------------------------------------------------------------------------- */

/* What is listened on must have a daemon to be handed to. */
static int check_hand_off(const struct frontd_conf *c, const struct given *g, struct err *err)
{
    const char *name;

    for (size_t i = 0; given_at(g, i, &name) >= 0; i++) {
        const struct kind *k = kind_of(name);

        if (k && !(k->proto == &imap_login ? c->imapd_path : c->pop3d_path))
            return err_set(err, 0, "\"sockets\" has nobody to take the sessions of '%s'", name);
    }
    return 0;
}

static int start(struct daemon *d, struct err *err)
{
    const struct frontd_conf *c = d->ctx;

    if (check_hand_off(c, d->given, err) < 0)
        return -1;
    struct tls_ctx *t = tls_server_new(c->cert, c->key, err); /* refused here, not by each worker */

    if (!t)
        return -1;
    tls_free(t);
    peers = peers_new(c->limits.workers, err);
    if (!peers)
        return -1;
    workers = workers_start(d->loop, c->limits.workers, work, d, err);
    return workers ? 0 : -1;
}

/* Workers take a new certificate; other keys hold from the next start on. */
static void reload(struct daemon *d)
{
    (void)d;
    workers_signal(workers, SIGHUP);
}

static void drain(struct daemon *d)
{
    (void)d;
    workers_drain(workers);
}

int main(int argc, char **argv)
{
    static const char *const descriptors[] = {"imap", "imaps", "pop3", "pop3s", NULL};
    static const struct daemon_ops ops = {
        .name = "frontd",
        .what = "Ends TLS and speaks IMAP and POP3 before login.",
        .descriptors = descriptors,
        .load = load,
        .start = start,
        .reload = reload,
        .drain = drain,
    };

    return daemon_main(argc, argv, &ops);
}
