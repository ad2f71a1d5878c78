/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queued - keeps mail for other servers and sends it (queued(8))
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/map.h"
#include "runtime/base/mem.h"

#include "mailstack/lib/daemon/daemon.h"
#include "mailstack/lib/daemon/given.h"
#include "mailstack/lib/net/dialer.h"
#include "mailstack/lib/net/dns_client.h"
#include "mailstack/lib/net/tls.h"
#include "mailstack/queued/control.h"
#include "mailstack/queued/link.h"
#include "mailstack/queued/message.h"
#include "mailstack/queued/queued.h"
#include "mailstack/queued/session.h"

#define ACCEPT_MAX    16 /* per turn and listener */
#define LISTENERS_MAX 8
#define STATUS_MS     1000

struct listener {
    struct loop_io io;
    struct state *state;
    int (*accept)(struct queued *q, int fd, struct err *err);
};

struct state {
    struct queued q;
    struct conf next; /* loaded, not yet in use */
    struct listener listeners[LISTENERS_MAX];
    size_t listeners_n;
};

static int load(struct daemon *d, const struct jv *conf, struct err *err)
{
    struct state *s = d->ctx;
    struct conf made;

    if (conf_load(&made, conf, err) < 0)
        return -1;
    if (!s)
        d->ctx = s = mem_type(struct state);
    conf_done(&s->next);
    s->next = made;
    return 0;
}

static void use_conf(struct state *s)
{
    conf_done(&s->q.conf);
    s->q.conf = s->next;
    s->next = (struct conf){0};
}

/* --- listening -------------------------------------------------------------------------------- */

static void on_connection(struct loop_io *io, unsigned events)
{
    struct listener *l = container_of(io, struct listener, io);
    struct queued *q = &l->state->q;
    struct err err = {0};

    (void)events;
    for (int i = 0; i < ACCEPT_MAX && q->sessions_n < SESSIONS_MAX; i++) {
        int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            return;
        if (l->accept(q, fd, &err) < 0)
            log_warn("queue.accept", LOG_S("error", err.text));
    }
}

static int listen_on(struct daemon *d, const char *name,
                     int (*accept_fn)(struct queued *q, int fd, struct err *err), struct err *err)
{
    struct state *s = d->ctx;
    int fd;

    for (size_t i = 0; (fd = given_fd(d->given, name, i)) >= 0; i++) {
        struct listener *l = &s->listeners[s->listeners_n];

        if (s->listeners_n++ == LISTENERS_MAX)
            return err_set(err, 0, "more than %d sockets", LISTENERS_MAX);
        *l = (struct listener){.io = {.fn = on_connection}, .state = s, .accept = accept_fn};
        if (fd_set_nonblock(fd, true, err) < 0 ||
            loop_io_add(d->loop, &l->io, fd, LOOP_READ, err) < 0)
            return -1;
    }
    return 0;
}

/* --- start and end ---------------------------------------------------------------------------- */

static void take_counters(struct queued *q, struct counter_page *page)
{
    q->accepted = counter_get(page, "queue_accepted_total");
    q->sent = counter_get(page, "queue_sent_total");
    q->deferred = counter_get(page, "queue_deferred_total");
    q->failed = counter_get(page, "queue_failed_total");
    q->reports = counter_get(page, "queue_reports_total");
    q->waiting = counter_get(page, "queue_messages");
}

static int use_ca(struct queued *q, struct err *err)
{
    struct tls_ctx *made = NULL;

    if (q->conf.ca) {
        made = tls_client_new(TLS_VERIFY_NAME, q->conf.ca, err);
        if (!made)
            return err_wrap(err, "'%s'", q->conf.ca);
    }
    tls_free(q->tls_relay);
    q->tls_relay = made;
    return 0;
}

static int prepare(struct daemon *d, struct queued *q, struct err *err)
{
    q->loop = d->loop;
    q->by_id = map_new();
    q->dests = map_new();
    list_init(&q->messages);
    list_init(&q->dest_list);
    list_init(&q->links);
    list_init(&q->sessions);
    list_init(&q->settling);
    list_init(&q->commits);
    take_counters(q, d->counters);
    if (q->conf.dns)
        q->dns = dns_client_new(d->loop, q->conf.dns);
    q->dialer = dialer_new(d->loop, given_fd(d->given, "dial", 0), err);
    return q->dialer ? use_ca(q, err) : -1;
}

static int start(struct daemon *d, struct err *err)
{
    struct state *s = d->ctx;

    (void)umask(0077);
    use_conf(s);
    if (prepare(d, &s->q, err) < 0 || qdir_open(&s->q.dir, s->q.conf.spool, err) < 0 ||
        message_load_all(&s->q, err) < 0 || listen_on(d, "lmtp", session_accept, err) < 0 ||
        listen_on(d, "control", control_accept, err) < 0)
        return -1;
    return s->listeners_n ? 0 : err_set(err, 0, "no socket was given, and \"listen\" names none");
}

static void reload(struct daemon *d)
{
    struct state *s = d->ctx;
    struct err err = {0};

    if (strcmp(s->next.spool, s->q.conf.spool) != 0)
        log_warn("queue.reload", LOG_S("spool", "another spool needs a restart"));
    use_conf(s);
    if (use_ca(&s->q, &err) < 0)
        log_warn("queue.reload", LOG_S("result", "the old authorities stay"),
                 LOG_S("error", err.text));
}

static void on_status(struct loop_timer *t)
{
    struct queued *q = container_of(t, struct queued, status);
    char text[64];

    if (q->messages_n)
        (void)snprintf(text, sizeof(text), "STATUS=%zu in the queue", q->messages_n);
    else
        (void)snprintf(text, sizeof(text), "STATUS=");
    daemon_notify(text);
}

/* Not with every message, and never while nothing happens. */
void queued_changed(struct queued *q)
{
    q->status.fn = on_status;
    if (!q->status.loop)
        loop_timer_set(q->loop, &q->status, STATUS_MS);
}

static void on_drained(struct loop_call *call)
{
    loop_stop(container_of(call, struct queued, drained)->loop);
}

void queued_check_drained(struct queued *q)
{
    if (!q->draining || q->sessions_n || !list_empty(&q->links) || !list_empty(&q->settling))
        return;
    q->drained.fn = on_drained;
    loop_defer(q->loop, &q->drained);
}

static void drain(struct daemon *d)
{
    struct state *s = d->ctx;

    s->q.draining = true;
    for (size_t i = 0; i < s->listeners_n; i++)
        loop_io_del(&s->listeners[i].io);
    session_drain_all(&s->q);
    link_drain_all(&s->q);
    queued_check_drained(&s->q);
}

int main(int argc, char **argv)
{
    static const char *const descriptors[] = {"lmtp", "control", NULL};
    static const struct daemon_ops ops = {
        .name = "queued",
        .what = "keeps mail for other servers and sends it",
        .descriptors = descriptors,
        .load = load,
        .start = start,
        .reload = reload,
        .drain = drain,
    };

    return daemon_main(argc, argv, &ops);
}
