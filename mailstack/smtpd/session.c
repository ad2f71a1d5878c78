/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/smtpd/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/net/peers.h"
#include "mailstack/lib/proto/smtp_cmd.h"
#include "mailstack/smtpd/cmd.h"
#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/deliver.h"
#include "mailstack/smtpd/name.h"
#include "mailstack/smtpd/smtpd.h"
#include "mailstack/smtpd/txn.h"

#define REPLY_MAX 1024

/* --- replies ---------------------------------------------------------------------------------- */

static fmt_printf(2, 0) void reply_line(struct session *s, const char *fmt, va_list ap)
{
    char line[REPLY_MAX];
    int n = vsnprintf(line, sizeof(line) - 2, fmt, ap);

    if (n < 0)
        return;
    size_t len = (size_t)n < sizeof(line) - 2 ? (size_t)n : sizeof(line) - 3;

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    }
    line[len++] = '\r';
    line[len++] = '\n';
    conn_write(s->conn, (struct str){line, len});
}

void session_reply(struct session *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    reply_line(s, fmt, ap);
    va_end(ap);
}

void session_bad(struct session *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    reply_line(s, fmt, ap);
    va_end(ap);
    if (++s->errors_n < SESSION_ERRORS_MAX)
        return;
    log_info("smtp.errors", LOG_S("client", s->addr), LOG_U("errors", s->errors_n));
    session_reply(s, "421 4.7.0 %s too many bad commands", s->d->conf->hostname);
    session_finish(s);
}

void session_finish(struct session *s)
{
    s->is_finishing = true;
    conn_pause(s->conn, true);
    conn_finish(s->conn);
    loop_timer_del(&s->idle);
    conn_deadline(s->conn, SESSION_GOODBYE_MS);
}

/* --- state ------------------------------------------------------------------------------------ */

static void restart_idle(struct session *s)
{
    if (!s->is_finishing)
        loop_timer_set(s->d->loop, &s->idle, s->d->conf->limits.seconds * UINT64_C(1000));
}

void session_wait(struct session *s)
{
    s->is_waiting = true;
    conn_pause(s->conn, true);
    conn_cork(s->conn, true);
    loop_timer_del(&s->idle); /* whoever is asked has deadlines of his own */
}

void session_go_on(struct session *s)
{
    s->is_waiting = false;
    conn_cork(s->conn, false);
    if (s->d->draining && !s->txn && !s->is_finishing)
        session_drain(s);
    if (s->is_finishing)
        return;
    restart_idle(s);
    conn_pause(s->conn, false);
}

static void cancel_questions(struct session *s)
{
    auth_login_cancel(&s->login);
    auth_sender_cancel(&s->sender);
    auth_resolve_cancel(&s->resolve);
    lmtp_cancel(&s->probe);
}

void session_reset(struct session *s)
{
    txn_free(s->txn);
    s->txn = NULL;
    s->is_chunked = false;
    s->targets = NULL;
    s->targets_n = 0;
}

bool session_may_login(const struct session *s)
{
    if (!s->service->is_submission)
        return false;
    if (s->tls[0])
        return true;
    for (size_t i = 0; i < s->d->conf->plaintext_n; i++) {
        if (cidr_has(&s->d->conf->plaintext[i], &s->ip))
            return true;
    }
    return false;
}

void session_told(struct session *s, const char *reply)
{
    s->txn = NULL; /* it ends itself */
    session_reset(s);
    session_reply(s, "%s", reply);
    if (s->is_waiting)
        session_go_on(s);
}

void session_free(struct session *s)
{
    struct smtpd *d = s->d;

    cancel_questions(s);
    name_cancel(s);
    if (s->txn && s->txn->is_begun)
        deliver_abandon(s->txn);
    else
        txn_free(s->txn);
    sasl_done(&s->sasl);
    loop_timer_del(&s->idle);
    conn_free(s->conn);
    peers_leave(d->peers, &s->ip);
    list_del(&s->node);
    d->sessions_n--;
    free(s);
    smtpd_check_end(d);
}

void session_drain(struct session *s)
{
    if (s->is_finishing || s->is_waiting || s->phase == PHASE_DATA || s->phase == PHASE_BDAT)
        return;
    session_reply(s, "421 4.3.2 %s shutting down", s->d->conf->hostname);
    session_finish(s);
}

/* --- input ------------------------------------------------------------------------------------ */

static void (*const commands[SMTP_VERBS])(struct session *s, struct str args) = {
    [SMTP_HELO] = cmd_helo,         [SMTP_EHLO] = cmd_ehlo, [SMTP_MAIL] = cmd_mail,
    [SMTP_RCPT] = cmd_rcpt,         [SMTP_DATA] = cmd_data, [SMTP_BDAT] = cmd_bdat,
    [SMTP_RSET] = cmd_rset,         [SMTP_NOOP] = cmd_noop, [SMTP_VRFY] = cmd_vrfy,
    [SMTP_EXPN] = cmd_expn,         [SMTP_HELP] = cmd_help, [SMTP_QUIT] = cmd_quit,
    [SMTP_STARTTLS] = cmd_starttls, [SMTP_AUTH] = cmd_auth,
};

/* What two servers could read in two ways is read by us in none, and the talk is over. */
static bool bad_line(struct session *s, const struct err *err)
{
    log_info("smtp.line", LOG_S("client", s->addr), LOG_S("error", err->text));
    session_reply(s, "500 5.5.2 %.*s", err_plain_n(err), err->text);
    session_finish(s);
    return false;
}

static bool take_command(struct session *s)
{
    struct smtp_cmd cmd;
    struct err err = {0};
    size_t used;
    enum parse_result r = smtp_cmd_parse(conn_in(s->conn), &cmd, &used, &err);

    if (r == PARSE_MORE)
        return false;
    if (r == PARSE_ERROR)
        return bad_line(s, &err);
    if (!commands[cmd.verb])
        session_bad(s, "500 5.5.2 unknown command");
    else if (cmd.verb != SMTP_BDAT && s->is_chunked && cmd.verb != SMTP_RSET &&
             cmd.verb != SMTP_NOOP && cmd.verb != SMTP_QUIT)
        session_bad(s, "503 5.5.1 in the middle of BDAT");
    else
        commands[cmd.verb](s, cmd.args);
    conn_consume(s->conn, used);
    return true;
}

static bool take_response(struct session *s)
{
    struct str line;
    struct err err = {0};
    size_t used;
    enum parse_result r =
        smtp_line_parse(conn_in(s->conn), SASL_RESPONSE_MAX + 2, &line, &used, &err);

    if (r == PARSE_MORE)
        return false;
    if (r == PARSE_ERROR)
        return bad_line(s, &err);
    cmd_auth_response(s, line);
    conn_consume(s->conn, used);
    return true;
}

static bool take(struct session *s)
{
    switch (s->phase) {
    case PHASE_COMMAND:
        return take_command(s);
    case PHASE_SASL:
        return take_response(s);
    case PHASE_DATA:
    case PHASE_BDAT:
        return content_take(s);
    }
    return false;
}

/* A client that does not read its replies is not read from either: `drained` goes on. */
static void work_off(struct session *s)
{
    while (!s->is_waiting && !s->is_finishing && conn_in(s->conn).n &&
           conn_out_n(s->conn) < SESSION_OUT_HIGH && take(s))
        ;
}

static void on_input(struct conn *c)
{
    struct session *s = conn_ctx(c);

    restart_idle(s);
    work_off(s);
}

static void on_drained(struct conn *c)
{
    work_off(conn_ctx(c));
}

static void greet(struct session *s)
{
    session_reply(s, "220 %s ESMTP", s->d->conf->hostname);
    conn_deadline(s->conn, 0);
    restart_idle(s);
}

/* RFC 3207 section 4.2: everything learned in clear is forgotten. */
static void on_tls(struct conn *c)
{
    struct session *s = conn_ctx(c);

    (void)snprintf(s->tls, sizeof(s->tls), "%s cipher %s", conn_tls_version(c), conn_tls_cipher(c));
    s->helo[0] = '\0';
    s->user[0] = '\0';
    session_reset(s);
    if (s->service->implicit_tls)
        greet(s);
    conn_deadline(c, 0);
    restart_idle(s);
}

static void on_closed(struct conn *c, const struct err *why)
{
    struct session *s = conn_ctx(c);

    if (why->code && !s->is_finishing)
        log_info("smtp.close", LOG_S("client", s->addr), LOG_S("why", why->text));
    session_free(s);
}

static void on_idle(struct loop_timer *t)
{
    struct session *s = container_of(t, struct session, idle);

    log_info("smtp.idle", LOG_S("client", s->addr));
    session_reply(s, "421 4.4.2 %s idle for too long", s->d->conf->hostname);
    session_finish(s);
}

static const struct conn_ops ops = {
    .input = on_input, .drained = on_drained, .tls_ready = on_tls, .closed = on_closed};

/* --- accepting -------------------------------------------------------------------------------- */

static bool take_address(struct session *s, int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof(a);

    memset(&a, 0, sizeof(a));
    if (getpeername(fd, (struct sockaddr *)&a, &n) < 0 || !cidr_addr(&a, &s->ip))
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&s->ip))
        (void)inet_ntop(AF_INET, &s->ip.s6_addr[12], s->addr, sizeof(s->addr));
    else
        (void)inet_ntop(AF_INET6, &s->ip, s->addr, sizeof(s->addr));
    struct sockaddr_in6 v6; /* the port stands at the same place in both */

    memcpy(&v6, &a, sizeof(v6));
    s->port = ntohs(v6.sin6_port);
    return true;
}

static void refuse(struct session *s, const char *why)
{
    counter_add(s->d->refused_connections, 1);
    log_warn("smtp.connection", LOG_S("client", s->addr), LOG_S("refused", why));
    if (!s->service->implicit_tls)
        session_reply(s, "421 4.7.0 %s %s", s->d->conf->hostname, why);
    session_finish(s);
}

static const char *why_not(const struct smtpd *d, struct peers_count n)
{
    if (d->draining)
        return "shutting down";
    if (n.all > d->conf->limits.connections)
        return "too many connections";
    return n.of_address > d->conf->limits.connections_per_ip
               ? "too many connections from your address"
               : NULL;
}

static void begin(struct session *s)
{
    const char *why = why_not(s->d, peers_enter(s->d->peers, &s->ip));

    if (why) {
        refuse(s, why);
        return;
    }
    counter_add(s->d->connections, 1);
    name_ask(s);
    if (s->service->implicit_tls) {
        conn_deadline(s->conn, SESSION_HANDSHAKE_MS);
        conn_start_tls(s->conn, s->d->tls, NULL);
    } else {
        greet(s);
    }
}

void session_accept(struct smtpd *d, int fd, const struct service *service)
{
    struct session *s = mem_type(struct session);
    struct err err = {0};

    s->d = d;
    s->service = service;
    s->idle.fn = on_idle;
    if (!take_address(s, fd)) {
        (void)close(fd); /* the peer is gone already */
        free(s);
        return;
    }
    s->conn =
        conn_new(d->loop, fd, &ops, s, (struct conn_limits){SESSION_IN_MAX, SESSION_OUT_MAX}, &err);
    if (!s->conn) {
        log_warn("smtp.connection", LOG_S("error", err.text));
        free(s);
        return;
    }
    list_add_tail(&d->sessions, &s->node);
    d->sessions_n++;
    begin(s);
}
