/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/sig.h"
#include "runtime/base/slim.h"

#include "mailstack/filterd/answer.h"
#include "mailstack/filterd/conf.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/net/dns_client.h"

struct listener {
    struct loop_io io;
    struct state *state;
};

struct state {
    const struct worker *w;
    struct loop *loop;
    struct message_env env;
    size_t held_n;
    struct sig_watch signals;
    struct loop_timer grace;
    struct listener listeners[WORKER_LISTEN_MAX];
    struct list clients;
    size_t clients_n;
    bool draining;
};

struct client {
    struct session session;
    struct state *state;
    struct conn *conn;
    struct loop_call go_on;
};

static struct client *client_of(struct list *node)
{
    return container_of(list_of(node, struct session, node), struct client, session);
}

/* --- listening ---------------------------------------------------------------------------------
 */

static void listen_for(struct state *st, unsigned events)
{
    for (size_t i = 0; i < st->w->listen_n; i++)
        loop_io_set(&st->listeners[i].io, events);
}

static void stop_when_done(struct state *st)
{
    if (st->draining && st->clients_n == 0)
        loop_stop(st->loop);
}

static void drop(struct client *c)
{
    struct state *st = c->state;

    if (c->go_on.pending) { /* its memory goes before the end of this turn */
        list_del(&c->go_on.node);
        c->go_on.pending = false;
    }
    list_del(&c->session.node);
    session_done(&c->session);
    conn_free(c->conn);
    free(c);
    if (st->clients_n-- == WORKER_SESSIONS_MAX && !st->draining)
        listen_for(st, LOOP_READ);
    stop_when_done(st);
}

/* --- a connection ------------------------------------------------------------------------------
 */

static void send_packets(struct session *s, struct str packets)
{
    conn_write(container_of(s, struct client, session)->conn, packets);
}

/* From within session_take, or from an answer of dnsd: the rest of the input waits for its turn. */
static void on_session_judged(struct session *s)
{
    struct client *c = container_of(s, struct client, session);

    loop_defer(c->state->loop, &c->go_on);
}

/* false: the connection is gone. */
static bool serve(struct client *c)
{
    struct err err = {0};
    struct milter_packet p;
    size_t used;

    conn_deadline(c->conn, SESSION_IDLE_MS);
    while (!c->session.judging) {
        enum parse_result r = milter_parse(conn_in(c->conn), &p, &used, &err);

        if (r == PARSE_MORE)
            break;
        if (r == PARSE_DONE) {
            session_take(&c->session, &p);
            conn_consume(c->conn, used);
        } else {
            log_warn("filter.protocol", LOG_S("error", err.text));
            c->session.over = true;
        }
        if (c->session.over) {
            drop(c);
            return false;
        }
    }
    return true;
}

static void on_go_on(struct loop_call *call)
{
    struct client *c = container_of(call, struct client, go_on);

    if (serve(c) && c->state->draining && c->session.message == NULL)
        conn_finish(c->conn);
}

static void on_input(struct conn *conn)
{
    (void)serve(conn_ctx(conn));
}

static void on_closed(struct conn *conn, const struct err *why)
{
    if (why->code != 0)
        log_debug("filter.closed", LOG_S("error", why->text));
    drop(conn_ctx(conn));
}

static int serve_fd(struct state *st, int fd, struct err *err)
{
    static const struct conn_ops ops = {.input = on_input, .closed = on_closed};
    struct conn_limits limits = {.in_max = MILTER_PACKET_MAX + 4, .out_max = 2 * ANSWER_MAX};
    struct client *c = mem_type(struct client);

    session_init(&c->session, &st->env, &st->w->counters);
    c->session.send = send_packets;
    c->session.judged = on_session_judged;
    c->state = st;
    c->go_on.fn = on_go_on;
    c->conn = conn_new(st->loop, fd, &ops, c, limits, err);
    if (c->conn == NULL) {
        free(c);
        return -1;
    }
    conn_deadline(c->conn, SESSION_IDLE_MS);
    list_add_tail(&st->clients, &c->session.node);
    if (++st->clients_n == WORKER_SESSIONS_MAX)
        listen_for(st, 0);
    return 0;
}

/* One a turn, so that connections spread over the workers. */
static void on_connection(struct loop_io *io, unsigned events)
{
    struct state *st = container_of(io, struct listener, io)->state;
    struct err err = {0};
    int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            log_warn("filter.accept", LOG_I("errno", errno));
        return;
    }
    if (serve_fd(st, fd, &err) < 0)
        log_warn("filter.accept", LOG_S("error", err.text));
}

/* --- life --------------------------------------------------------------------------------------
 */

static void on_grace(struct loop_timer *t)
{
    loop_stop(container_of(t, struct state, grace)->loop);
}

static void on_signal(struct sig_watch *w, int signo)
{
    struct state *st = container_of(w, struct state, signals);

    (void)signo;
    st->draining = true;
    for (size_t i = 0; i < st->w->listen_n; i++)
        loop_io_del(&st->listeners[i].io);
    loop_timer_set(st->loop, &st->grace, WORKER_DRAIN_MS);
    list_for_each (it, next, &st->clients) {
        struct client *c = client_of(it);

        if (c->session.message == NULL)
            conn_finish(c->conn);
    }
    stop_when_done(st);
}

static int begin(struct state *st, struct err *err)
{
    static const int signals[] = {SIGTERM, 0};

    st->loop = loop_new(err);
    if (st->loop == NULL)
        return -1;
    if (st->w->conf->dns != NULL)
        st->env.dns = dns_client_new(st->loop, st->w->conf->dns);
    st->signals.fn = on_signal;
    st->grace.fn = on_grace;
    if (sig_watch(st->loop, &st->signals, signals, err) < 0)
        return -1;
    for (size_t i = 0; i < st->w->listen_n; i++) {
        st->listeners[i] = (struct listener){.io = {.fn = on_connection}, .state = st};
        if (fd_set_nonblock(st->w->listen_fd[i], true, err) < 0 ||
            loop_io_add(st->loop, &st->listeners[i].io, st->w->listen_fd[i], LOOP_READ, err) < 0)
            return -1;
    }
    slim_now();
    return 0;
}

int worker_run(const struct worker *w, struct err *err)
{
    struct state st = {.w = w, .env = {.conf = w->conf}};
    int rc;

    list_init(&st.clients);
    st.env.held_n = &st.held_n;
    rc = begin(&st, err);
    if (rc == 0)
        rc = loop_run(st.loop, err);
    st.draining = true;
    while (!list_empty(&st.clients))
        drop(client_of(list_first(&st.clients)));
    dns_client_free(st.env.dns);
    loop_free(st.loop);
    return rc;
}
