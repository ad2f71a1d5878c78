/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/net/tls.h"
#include "mailstack/lib/proto/smtp_reply.h"
#include "mailstack/queued/message.h"
#include "mailstack/queued/queued.h"
#include "mailstack/queued/reply.h"

#define IN_MAX   (2 * SMTP_REPLY_MAX)
#define OUT_MAX  (256U << 10)
#define SMTPS    465
#define AUTH_MAX 2048

static const struct {
    const char *name; /* what is waited for */
    uint32_t wait_ms;
} states[LINK_STATES] = {
    [LINK_RESOLVE] = {"the addresses", 0},
    [LINK_DIAL] = {"the connection", 0},
    [LINK_GREETING] = {"the greeting", 120000},
    [LINK_EHLO] = {"the reply to EHLO", 120000},
    [LINK_HELO] = {"the reply to HELO", 120000},
    [LINK_STARTTLS] = {"the reply to STARTTLS", 120000},
    [LINK_TLS] = {"the TLS handshake", 60000},
    [LINK_AUTH] = {"the reply to AUTH", 120000},
    [LINK_ENVELOPE] = {"the reply to MAIL or RCPT", 300000},
    [LINK_DATA] = {"the reply to DATA", 120000},
    [LINK_BODY] = {"the server to take the message", 180000},
    [LINK_FINAL] = {"the reply to the message", 600000},
    [LINK_RSET] = {"the reply to RSET", 60000},
    [LINK_IDLE] = {"the next message", 0},
    [LINK_QUIT] = {"the reply to QUIT", 5000},
};

static void try_target(struct link *l);
static void greet(struct link *l);

const char *link_wait_name(enum link_state state)
{
    return states[state].name;
}

void link_enter(struct link *l, enum link_state state)
{
    l->state = state;
    if (l->conn)
        conn_deadline(l->conn, states[state].wait_ms);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void on_release(struct loop_call *call)
{
    free(container_of(call, struct link, release));
}

void link_end(struct link *l)
{
    struct dest *d = l->d;

    if (l->over)
        return;
    l->over = true;
    loop_timer_del(&l->idle);
    dialer_cancel(&l->call);
    mx_done(&l->mx);
    conn_free(l->conn);
    l->conn = NULL;
    own_close_fd(&l->fd);
    l->fd = -1;
    list_del(&l->node);
    l->release.fn = on_release;
    loop_defer(l->q->loop, &l->release);
    sched_link_over(d);
}

void link_quit(struct link *l)
{
    conn_write_c(l->conn, "QUIT\r\n");
    link_enter(l, LINK_QUIT);
}

static void on_idle(struct loop_timer *t)
{
    link_quit(container_of(t, struct link, idle));
}

void link_rest(struct link *l)
{
    link_enter(l, LINK_IDLE);
    l->idle.fn = on_idle;
    loop_timer_set(l->q->loop, &l->idle, LINK_IDLE_MS);
}

static struct link *find_idle(struct queued *q, const struct dest *d)
{
    list_for_each (it, next, &q->links) {
        struct link *l = list_of(it, struct link, node);

        if (l->state == LINK_IDLE && (!d || l->d == d))
            return l;
    }
    return NULL;
}

bool link_take(struct dest *d)
{
    struct link *l = find_idle(d->q, d);

    if (!l)
        return false;
    loop_timer_del(&l->idle);
    link_txn_begin(l, sched_next(d));
    return true;
}

void link_make_room(struct queued *q)
{
    struct link *l = find_idle(q, NULL);

    if (!l)
        return;
    loop_timer_del(&l->idle);
    link_quit(l);
}

/* No address is left, or there was none. Where other connections to the dest live, only this one
 * could not be had: its job waits for them. */
static void give_up(struct link *l, const struct outcome *o)
{
    struct job *j = l->job;

    l->job = NULL;
    if (l->d->links_n > 1 && o->kind == OUTCOME_TEMP) {
        sched_give_up_link(j);
    } else {
        for (size_t i = 0; i < j->n; i++)
            message_outcome(j->m, j->rcpts[i], o);
        sched_job_done(j);
        sched_fail_ready(l->d, o);
    }
    link_end(l);
}

static void drop_conn(struct link *l)
{
    conn_free(l->conn);
    l->conn = NULL;
    l->tls[0] = '\0';
}

/* This address failed: the next one, or, behind the last, the outcome for all. */
static void target_failed(struct link *l, const struct outcome *o)
{
    bool is_last = l->target + 1 >= l->mx.targets_n;
    struct outcome last = *o;

    if (o->kind == OUTCOME_TEMP)
        l->some_temp = true;
    log_info("queue.link", LOG_S("host", l->name), LOG_STR("status", o->status),
             LOG_STR("error", o->text));
    drop_conn(l);
    if (!is_last) {
        l->target++;
        l->in_clear = false;
        try_target(l);
        return;
    }
    if (l->some_temp && last.kind == OUTCOME_PERM) { /* another one may take it later */
        last.kind = OUTCOME_TEMP;
        last.status = STR("4.4.1");
    }
    give_up(l, &last);
}

static void target_failed_text(struct link *l, enum outcome_kind kind, const char *status,
                               const char *text)
{
    own_buf struct buf b = BUF_INIT(ERR_TEXT_MAX + LINK_NAME_MAX);

    buf_printf(&b, "%s: %s", l->name, text);
    target_failed(l,
                  &(struct outcome){.kind = kind, .status = str_of(status), .text = buf_str(&b)});
}

/* The server said no before the transaction: for now, even where it says for ever, if the fault may
 * be in our configuration. */
static void target_refused(struct link *l, const struct smtp_reply *r)
{
    own_buf struct buf text = BUF_INIT(SMTP_REPLY_MAX);
    struct outcome o;

    reply_outcome(r, str_of(l->name), &text, &o);
    if (o.kind == OUTCOME_PERM && l->d->route.kind != ROUTE_MX) {
        o.kind = OUTCOME_TEMP;
        o.status = STR("4.3.5");
    }
    target_failed(l, &o);
}

/* --- commands up to the transaction ----------------------------------------------------------- */

static bool is_lmtp(const struct link *l)
{
    return l->d->route.kind == ROUTE_LMTP;
}

static void say_hello(struct link *l, const char *verb, enum link_state state)
{
    conn_printf(l->conn, "%s %s\r\n", verb, l->q->conf.hostname);
    link_enter(l, state);
}

static const char *sni(const struct link *l)
{
    return is_lmtp(l) ? "" : l->mx.targets[l->target].host;
}

/* NULL: there can be no TLS, the log says why. */
static struct tls_ctx *tls_context(struct link *l)
{
    struct err err = {0};

    if (l->d->route.kind == ROUTE_RELAY && l->q->tls_relay)
        return l->q->tls_relay;
    if (!l->q->tls) {
        l->q->tls = tls_client_new(TLS_VERIFY_NONE, NULL, &err);
        if (!l->q->tls)
            log_error("queue.tls", LOG_S("error", err.text));
    }
    return l->q->tls;
}

static void begin_tls(struct link *l)
{
    conn_start_tls(l->conn, tls_context(l), sni(l));
    link_enter(l, LINK_TLS);
}

static void authenticate(struct link *l)
{
    own_buf struct buf plain = BUF_INIT(AUTH_MAX);
    own_buf struct buf line = BUF_INIT(2 * AUTH_MAX);
    const struct conf *c = &l->q->conf;

    buf_append_char(&plain, '\0');
    buf_append_c(&plain, c->user);
    buf_append_char(&plain, '\0');
    buf_append_c(&plain, c->password);
    buf_append_c(&line, "AUTH PLAIN ");
    buf_append_base64(&line, buf_str(&plain));
    buf_append_c(&line, "\r\n");
    conn_write(l->conn, buf_str(&line));
    explicit_bzero(plain.p, plain.cap);
    explicit_bzero(line.p, line.cap);
    link_enter(l, LINK_AUTH);
}

static void ready(struct link *l)
{
    log_info("queue.connect", LOG_S("host", l->name), LOG_S("tls", l->tls[0] ? l->tls : "none"));
    link_txn_begin(l, l->job);
}

/* What comes behind EHLO: TLS if offered, AUTH if configured, then the first job. */
static void after_hello(struct link *l)
{
    bool has_tls = conn_has_tls(l->conn);
    bool wants_auth = l->d->route.kind == ROUTE_RELAY && l->q->conf.user;

    if (!has_tls && l->caps.starttls && !l->in_clear && tls_context(l)) {
        conn_write_c(l->conn, "STARTTLS\r\n");
        link_enter(l, LINK_STARTTLS);
    } else if (wants_auth && !has_tls) {
        target_failed_text(l, OUTCOME_TEMP, "4.7.4", "no TLS, and so no password is sent");
    } else if (wants_auth && !l->caps.auth_plain) {
        target_failed_text(l, OUTCOME_TEMP, "4.7.4", "the relay does not offer AUTH PLAIN");
    } else if (wants_auth) {
        authenticate(l);
    } else {
        ready(l);
    }
}

static void on_greeting(struct link *l, const struct smtp_reply *r)
{
    if (r->code != 220)
        target_refused(l, r);
    else
        say_hello(l, is_lmtp(l) ? "LHLO" : "EHLO", LINK_EHLO);
}

static void on_ehlo(struct link *l, const struct smtp_reply *r)
{
    struct str name;

    if (r->code / 100 == 5 && !is_lmtp(l) && !conn_has_tls(l->conn)) {
        say_hello(l, "HELO", LINK_HELO);
        return;
    }
    if (r->code / 100 != 2) {
        target_refused(l, r);
        return;
    }
    smtp_ehlo_read(r, &l->caps, &name);
    if (l->d->route.kind == ROUTE_MX && str_ieq_c(name, l->q->conf.hostname))
        target_failed_text(l, OUTCOME_PERM, "5.4.6", "this is our own name: mail would circle");
    else
        after_hello(l);
}

static void on_helo(struct link *l, const struct smtp_reply *r)
{
    l->caps = (struct smtp_ehlo){0};
    if (r->code / 100 != 2)
        target_refused(l, r);
    else
        after_hello(l);
}

/* A server that offers STARTTLS and then will not is spoken to in clear. */
static void on_starttls(struct link *l, const struct smtp_reply *r)
{
    if (r->code == 220) {
        begin_tls(l);
        return;
    }
    l->in_clear = true;
    after_hello(l);
}

static void on_auth(struct link *l, const struct smtp_reply *r)
{
    if (r->code == 235)
        ready(l);
    else
        target_refused(l, r);
}

static void on_quit(struct link *l, const struct smtp_reply *r)
{
    (void)r; /* whatever it says */
    link_end(l);
}

static void (*const on_reply[LINK_STATES])(struct link *l, const struct smtp_reply *r) = {
    [LINK_GREETING] = on_greeting, [LINK_EHLO] = on_ehlo,        [LINK_HELO] = on_helo,
    [LINK_STARTTLS] = on_starttls, [LINK_AUTH] = on_auth,        [LINK_ENVELOPE] = link_txn_reply,
    [LINK_DATA] = link_txn_reply,  [LINK_BODY] = link_txn_reply, [LINK_FINAL] = link_txn_reply,
    [LINK_RSET] = link_txn_reply,  [LINK_QUIT] = on_quit,
};

/* --- the connection --------------------------------------------------------------------------- */

/* What does not read like a reply, or was not asked for, ends the connection. */
static void lost(struct link *l, const char *why)
{
    if (l->state >= LINK_IDLE)
        link_end(l);
    else if (l->state >= LINK_ENVELOPE)
        link_txn_lost(l, why);
    else
        target_failed_text(l, OUTCOME_TEMP, "4.4.2", why);
}

static void on_input(struct conn *c)
{
    struct link *l = conn_ctx(c);
    struct err err = {0};
    struct smtp_reply r;
    size_t used;

    while (!l->over && l->conn == c) {
        enum parse_result result = smtp_reply_parse(conn_in(c), &r, &used, &err);

        if (result == PARSE_MORE)
            return;
        if (result == PARSE_ERROR || !on_reply[l->state]) {
            lost(l, result == PARSE_ERROR ? err.text : "a reply that nobody asked for");
            return;
        }
        enum link_state before = l->state;

        on_reply[l->state](l, &r);
        if (l->over || l->conn != c)
            return;
        if (before == LINK_STARTTLS && l->state == LINK_TLS)
            return; /* what stands behind it in clear is thrown away */
        conn_consume(c, used);
    }
}

static void on_drained(struct conn *c)
{
    link_txn_drained(conn_ctx(c));
}

static void on_tls_ready(struct conn *c)
{
    struct link *l = conn_ctx(c);

    (void)snprintf(l->tls, sizeof(l->tls), "%s", conn_tls_version(c));
    if (l->d->route.port == SMTPS)
        link_enter(l, LINK_GREETING);
    else
        say_hello(l, "EHLO", LINK_EHLO);
}

/* Once more to the same address, in clear; unless clear is not allowed. */
static void tls_failed(struct link *l, const struct err *why)
{
    log_info("queue.tls", LOG_S("host", l->name), LOG_S("error", why->text));
    if (l->in_clear || l->d->route.port == SMTPS) {
        target_failed_text(l, OUTCOME_TEMP, "4.7.5", why->text);
        return;
    }
    drop_conn(l);
    l->in_clear = true;
    try_target(l);
}

static void on_closed(struct conn *c, const struct err *why)
{
    struct link *l = conn_ctx(c);
    struct err err = {0};

    if (why->code == ETIMEDOUT)
        (void)err_set(&err, 0, "no answer while waiting for %s", states[l->state].name);
    else if (why->code)
        (void)err_set(&err, 0, "connection lost while waiting for %s: %s", states[l->state].name,
                      why->text);
    else
        (void)err_set(&err, 0, "connection closed while waiting for %s", states[l->state].name);
    if (l->state == LINK_TLS)
        tls_failed(l, &err);
    else
        lost(l, err.text);
}

static const struct conn_ops ops = {
    .input = on_input,
    .drained = on_drained,
    .tls_ready = on_tls_ready,
    .closed = on_closed,
};

static void greet(struct link *l)
{
    if (l->d->route.port != SMTPS)
        link_enter(l, LINK_GREETING);
    else if (tls_context(l))
        begin_tls(l);
    else
        target_failed_text(l, OUTCOME_TEMP, "4.3.0", "TLS cannot be set up");
}

static void on_dialled(struct dialer_call *call, int fd, const struct err *why)
{
    struct link *l = container_of(call, struct link, call);
    struct conn_limits limits = {IN_MAX, OUT_MAX};
    struct err err = {0};

    if (fd < 0) {
        bool refused =
            why->code == EACCES; /* by the supervisor's policy, which waiting won't change */

        target_failed_text(l, refused ? OUTCOME_PERM : OUTCOME_TEMP, refused ? "5.7.1" : "4.4.1",
                           why->text);
        return;
    }
    l->conn = conn_new(l->q->loop, fd, &ops, l, limits, &err);
    if (l->conn)
        greet(l);
    else
        target_failed_text(l, OUTCOME_TEMP, "4.3.0", err.text);
}

static void name_target(struct link *l, const struct mx_target *t)
{
    own_buf struct buf b = BUF_INIT(LINK_NAME_MAX - 1);
    own_buf struct buf addr = BUF_INIT(128);
    struct str host;
    struct str port;

    dialmsg_format_addr(&t->addr, &addr);
    if (!str_rcut(buf_str(&addr), ':', &host, &port))
        port = STR("0");
    host = str_trim_set(host, "[]");
    buf_printf(&b, "%s[%.*s]:%.*s", t->host, STR_ARG(host), STR_ARG(port));
    (void)snprintf(l->name, sizeof(l->name), "%s", buf_c(&b)); /* the same limit */
}

static void try_target(struct link *l)
{
    const struct mx_target *t = &l->mx.targets[l->target];

    name_target(l, t);
    l->caps = (struct smtp_ehlo){0};
    link_enter(l, LINK_DIAL);
    l->call.fn = on_dialled;
    dialer_call(l->q->dialer, &l->call, &t->addr, LINK_CONNECT_MS);
}

static void on_mx(struct mx *m, enum mx_result result)
{
    struct link *l = container_of(m, struct link, mx);

    if (result == MX_OK)
        try_target(l);
    else
        give_up(l, &(struct outcome){.kind = result == MX_PERM ? OUTCOME_PERM : OUTCOME_TEMP,
                                     .status = str_of(m->status),
                                     .text = str_of(m->why)});
}

static void dial_lmtp(struct link *l)
{
    struct conn_limits limits = {IN_MAX, OUT_MAX};
    struct err err = {0};

    (void)snprintf(l->name, sizeof(l->name), "lmtpd");
    if (l->q->conf.lmtp)
        l->conn = conn_dial_unix(l->q->loop, l->q->conf.lmtp, &ops, l, limits, &err);
    else
        (void)err_set(&err, 0, "no LMTP server is configured");
    if (l->conn)
        link_enter(l, LINK_GREETING);
    else
        target_failed_text(l, OUTCOME_TEMP, "4.3.2", err.text);
}

static void on_begin(struct loop_call *call)
{
    struct link *l = container_of(call, struct link, begin);

    if (l->over)
        return;
    if (is_lmtp(l)) {
        dial_lmtp(l);
        return;
    }
    l->mx.fn = on_mx;
    l->mx.dns = l->q->dns;
    l->mx.conf = &l->q->conf;
    mx_start(&l->mx, &l->d->route);
}

void link_start(struct dest *d, struct job *j)
{
    struct link *l = mem_type(struct link);

    l->q = d->q;
    l->d = d;
    l->job = j;
    l->fd = -1;
    l->begin.fn = on_begin;
    list_add_tail(&l->q->links, &l->node);
    sched_link_begun(d);
    loop_defer(l->q->loop, &l->begin);
}

void link_drain_all(struct queued *q)
{
    list_for_each (it, next, &q->links) {
        struct link *l = list_of(it, struct link, node);

        if (l->state >= LINK_ENVELOPE && l->state < LINK_IDLE)
            continue;
        if (l->job)
            sched_give_back(l->job);
        l->job = NULL;
        link_end(l);
    }
}
