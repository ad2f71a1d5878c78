/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message over a connection that is ready. Outcomes are told as soon as they are known, and
 * written with sched_job_done; from the server's 250 to that write nothing else happens.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/header.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/smtp_param.h"
#include "mailstack/lib/proto/smtp_reply.h"
#include "mailstack/lib/queue/qread.h"
#include "mailstack/queued/link.h"
#include "mailstack/queued/message.h"
#include "mailstack/queued/queued.h"
#include "mailstack/queued/reply.h"

#define CHUNK      16384
#define HEADER_MAX (256U << 10)
#define OUT_LOW    (128U << 10) /* the body is read from the file while less than this is queued */

static const struct qmsg *env_of(const struct link *l)
{
    return &l->job->m->env;
}

static struct qrcpt *rcpt_of(const struct link *l, size_t i)
{
    return &l->job->m->env.rcpts[l->job->rcpts[i]];
}

static bool is_lmtp(const struct link *l)
{
    return l->d->route.kind == ROUTE_LMTP;
}

/* --- its end ---------------------------------------------------------------------------------- */

static void outcome_one(struct link *l, size_t i, const struct outcome *o)
{
    message_outcome(l->job->m, l->job->rcpts[i], o);
}

/* For every recipient that still hopes: all before the RCPTs were answered, else the accepted. */
static void outcome_rest(struct link *l, const struct outcome *o)
{
    for (size_t i = l->final_i; i < l->job->n; i++) {
        bool asked = l->answered >= i + 2; /* MAIL is the first command */

        if (!asked || l->accepted[i])
            outcome_one(l, i, o);
    }
}

static void finish_job(struct link *l)
{
    struct job *j = l->job;

    l->job = NULL;
    l->jobs_done++;
    own_close_fd(&l->fd);
    l->fd = -1;
    sched_job_done(j);
}

/* The next job over the same connection, now or soon, or good-bye. */
static void next_job(struct link *l)
{
    bool may_have_more = l->jobs_done < LINK_JOBS_MAX && !l->q->draining;
    struct job *j = may_have_more ? sched_next(l->d) : NULL;

    if (j)
        link_txn_begin(l, j);
    else if (may_have_more)
        link_rest(l);
    else
        link_quit(l);
}

/* The transaction is over without a message having been sent; the server still has it open. */
static void abandon(struct link *l)
{
    finish_job(l);
    conn_write_c(l->conn, "RSET\r\n");
    link_enter(l, LINK_RSET);
}

static struct outcome temp(const char *status, const char *text)
{
    return (struct outcome){.kind = OUTCOME_TEMP, .status = str_of(status), .text = str_of(text)};
}

void link_txn_lost(struct link *l, const char *why)
{
    own_buf struct buf b = BUF_INIT(ERR_TEXT_MAX + LINK_NAME_MAX);

    if (l->job && l->jobs_done && l->state == LINK_ENVELOPE && l->answered == 0) {
        struct job *j = l->job; /* the server ended the connection between two messages */

        l->job = NULL;
        sched_give_back(j);
    } else if (l->job) {
        buf_printf(&b, "%s: %s", l->name, why);
        struct outcome o = temp("4.4.2", buf_c(&b));

        outcome_rest(l, &o);
        finish_job(l);
    }
    link_end(l);
}

/* --- MAIL and RCPT ---------------------------------------------------------------------------- */

/* Only what the server understands, and SMTPUTF8 only where it is needed. */
static void send_mail(struct link *l)
{
    const struct qmsg *env = env_of(l);

    conn_printf(l->conn, "MAIL FROM:<%s>", env->sender);
    if (l->caps.size)
        conn_printf(l->conn, " SIZE=%llu", (unsigned long long)env->size);
    if (l->caps.eightbit && env->is_8bit)
        conn_write_c(l->conn, " BODY=8BITMIME");
    if (l->utf8)
        conn_write_c(l->conn, " SMTPUTF8");
    if (l->caps.dsn && env->ret != QRET_UNSET)
        conn_write_c(l->conn, env->ret == QRET_FULL ? " RET=FULL" : " RET=HDRS");
    if (l->caps.dsn && env->envid[0])
        conn_printf(l->conn, " ENVID=%s", env->envid);
    conn_write_c(l->conn, "\r\n");
}

static void send_rcpt(struct link *l, const struct qrcpt *r)
{
    char notify[SMTP_NOTIFY_TEXT_MAX];

    conn_printf(l->conn, "RCPT TO:<%s>", r->addr);
    smtp_notify_format(r->notify, notify);
    if (l->caps.dsn && r->notify)
        conn_printf(l->conn, " NOTIFY=%s", notify);
    if (l->caps.dsn && r->orcpt[0])
        conn_printf(l->conn, " ORCPT=%s", r->orcpt);
    conn_write_c(l->conn, "\r\n");
}

/* All at once with PIPELINING, else one after the other. */
static void send_envelope(struct link *l)
{
    while (l->asked < 1 + l->job->n && (l->caps.pipelining || l->asked == l->answered)) {
        if (l->asked == 0)
            send_mail(l);
        else
            send_rcpt(l, rcpt_of(l, l->asked - 1));
        l->asked++;
    }
}

/* A client may say SMTPUTF8 with every message; whether the header needs it is looked up only where
 * the server has not got it. What cannot be read needs it. */
static bool header_needs_utf8(const struct link *l)
{
    own_buf struct buf head = BUF_INIT(HEADER_MAX);
    struct err ignored = {0};

    if (qread_content(&l->q->dir, env_of(l), HEADER_MAX, &head, &ignored) < 0)
        return true;
    return !str_is_ascii(str_head(buf_str(&head), header_end(buf_str(&head))));
}

static bool addresses_need_utf8(const struct link *l)
{
    if (!str_is_ascii(str_of(env_of(l)->sender)))
        return true;
    for (size_t i = 0; i < l->job->n; i++) {
        if (!str_is_ascii(str_of(rcpt_of(l, i)->addr)))
            return true;
    }
    return false;
}

/* What the server's EHLO rules out. */
static bool is_refused(struct link *l, struct outcome *o)
{
    const struct qmsg *env = env_of(l);

    *o = (struct outcome){.kind = OUTCOME_PERM};
    if (l->caps.size_max && env->size > l->caps.size_max) {
        o->status = STR("5.3.4");
        o->text = STR("the message is larger than the server takes");
        return true;
    }
    l->utf8 = l->caps.utf8 && (env_of(l)->is_utf8 || addresses_need_utf8(l));
    if (!l->caps.utf8 && (addresses_need_utf8(l) || (env_of(l)->is_utf8 && header_needs_utf8(l)))) {
        o->status = STR("5.6.7");
        o->text = STR("the server does not take internationalised mail (SMTPUTF8)");
        return true;
    }
    return false;
}

/* Ends a job that was not begun on the wire. */
static void skip(struct link *l, const struct outcome *o)
{
    outcome_rest(l, o);
    finish_job(l);
    next_job(l);
}

void link_txn_begin(struct link *l, struct job *j)
{
    struct err err = {0};
    struct outcome o;

    l->job = j;
    l->asked = l->answered = l->accepted_n = l->final_i = 0;
    l->sent_n = 0;
    memset(l->accepted, 0, sizeof(l->accepted));
    l->fd = qread_open(&l->q->dir, &j->m->env, &err);
    if (l->fd < 0) {
        log_error("queue.read", LOG_S("id", j->m->env.id), LOG_S("error", err.text));
        o = temp("4.3.0", "the spool cannot be read");
        skip(l, &o);
        return;
    }
    if (is_refused(l, &o)) {
        skip(l, &o);
        return;
    }
    send_envelope(l);
    link_enter(l, LINK_ENVELOPE);
}

static void all_answered(struct link *l)
{
    if (l->accepted_n == 0) {
        abandon(l);
        return;
    }
    conn_write_c(l->conn, "DATA\r\n");
    link_enter(l, LINK_DATA);
}

/* MAIL was refused: the replies to pipelined RCPTs mean nothing any more. */
static void on_mail(struct link *l, const struct smtp_reply *r)
{
    own_buf struct buf text = BUF_INIT(SMTP_REPLY_MAX);
    struct outcome o;

    if (r->code / 100 == 2)
        return;
    reply_outcome(r, str_of(l->name), &text, &o);
    outcome_rest(l, &o);
    l->final_i = l->job->n; /* nobody hopes any more */
}

/* RFC 5321 section 4.5.3.1.10: a plain 552 to RCPT says that there are too many, not that this one
 * is bad. A mailbox over its quota has a status of its own, 5.2.2. */
static bool means_too_many(unsigned code, struct str status)
{
    return code == 552 && (str_eq_c(status, "5.0.0") || str_eq_c(status, "5.5.3"));
}

static void on_rcpt(struct link *l, size_t i, const struct smtp_reply *r)
{
    own_buf struct buf text = BUF_INIT(SMTP_REPLY_MAX);
    struct outcome o;

    if (l->final_i == l->job->n)
        return;
    if (r->code / 100 == 2) {
        l->accepted[i] = 1;
        l->accepted_n++;
        return;
    }
    reply_outcome(r, str_of(l->name), &text, &o);
    if (means_too_many(r->code, o.status)) {
        o.kind = OUTCOME_TEMP;
        o.status = STR("4.5.3");
    }
    outcome_one(l, i, &o);
}

static void on_envelope(struct link *l, const struct smtp_reply *r)
{
    size_t at = l->answered;

    if (at == 0)
        on_mail(l, r);
    else
        on_rcpt(l, at - 1, r);
    l->answered++;
    if (l->final_i == l->job->n && l->answered == l->asked) { /* MAIL was refused */
        abandon(l);
        return;
    }
    if (l->final_i < l->job->n)
        send_envelope(l);
    if (l->answered == 1 + l->job->n)
        all_answered(l);
    else
        link_enter(l, LINK_ENVELOPE);
}

/* --- the message ------------------------------------------------------------------------------ */

static int read_chunk(struct link *l, char *bytes, size_t *n, struct err *err)
{
    uint64_t left = env_of(l)->size - l->sent_n;
    ssize_t got = pread(l->fd, bytes, left < CHUNK ? (size_t)left : CHUNK,
                        (off_t)(env_of(l)->head_n + l->sent_n));

    if (got <= 0)
        return err_set(err, got < 0 ? errno : EBADMSG, "read message %s", env_of(l)->id);
    *n = (size_t)got;
    return 0;
}

/* Half a message cannot be taken back but by closing the connection. */
static void body_failed(struct link *l, const struct err *err)
{
    log_error("queue.read", LOG_S("id", env_of(l)->id), LOG_S("error", err->text));
    link_txn_lost(l, "the spool cannot be read");
}

static void send_body(struct link *l)
{
    own_buf struct buf out = BUF_INIT(DOT_OUT_MAX(CHUNK) + 8);
    struct err err = {0};

    while (l->sent_n < env_of(l)->size && conn_out_n(l->conn) < OUT_LOW) {
        char bytes[CHUNK];
        size_t n;

        if (read_chunk(l, bytes, &n, &err) < 0) {
            body_failed(l, &err);
            return;
        }
        buf_reset(&out);
        dot_out_feed(&l->dot, (struct str){bytes, n}, &out);
        conn_write(l->conn, buf_str(&out));
        l->sent_n += n;
    }
    link_enter(l, LINK_BODY);
    if (l->sent_n < env_of(l)->size)
        return;
    buf_reset(&out);
    dot_out_end(&l->dot, &out);
    conn_write(l->conn, buf_str(&out));
    link_enter(l, LINK_FINAL);
}

void link_txn_drained(struct link *l)
{
    if (!l->over && l->state == LINK_BODY)
        send_body(l);
}

static void on_data(struct link *l, const struct smtp_reply *r)
{
    own_buf struct buf text = BUF_INIT(SMTP_REPLY_MAX);
    struct outcome o;

    if (r->code == 354) {
        l->dot = dot_out_start();
        send_body(l);
        return;
    }
    reply_outcome(r, str_of(l->name), &text, &o);
    if (o.kind == OUTCOME_SENT) /* nonsense: nothing was sent */
        o = temp("4.5.0", "the server answered DATA with a success");
    outcome_rest(l, &o);
    abandon(l);
}

/* Said yes: how far is it, and who will report? */
static enum qstate sent_state(const struct link *l, const struct qrcpt *r)
{
    if (is_lmtp(l))
        return QSTATE_DELIVERED;
    return l->caps.dsn && r->notify ? QSTATE_PASSED : QSTATE_RELAYED;
}

static void final_one(struct link *l, size_t i, const struct outcome *said)
{
    struct outcome o = *said;

    if (l->accepted[i]) {
        o.state = sent_state(l, rcpt_of(l, i));
        outcome_one(l, i, &o);
    }
}

/* SMTP: one reply for all. LMTP: one for each that was accepted, in their order. */
static void on_final(struct link *l, const struct smtp_reply *r)
{
    own_buf struct buf text = BUF_INIT(SMTP_REPLY_MAX);
    struct outcome o;

    reply_outcome(r, str_of(l->name), &text, &o);
    while (l->final_i < l->job->n) {
        size_t i = l->final_i++;

        final_one(l, i, &o);
        if (is_lmtp(l) && l->accepted[i] && --l->accepted_n > 0)
            return;
        if (is_lmtp(l) && l->accepted_n == 0)
            break;
    }
    finish_job(l);
    next_job(l);
}

/* A reply while the message is still being sent: the server wants no more of it. */
static void on_body(struct link *l, const struct smtp_reply *r)
{
    own_buf struct buf text = BUF_INIT(SMTP_REPLY_MAX);
    struct outcome o;

    reply_outcome(r, str_of(l->name), &text, &o);
    if (o.kind == OUTCOME_SENT)
        o = temp("4.5.0", "the server took the message before its end");
    outcome_rest(l, &o);
    finish_job(l);
    link_end(l);
}

static void on_rset(struct link *l, const struct smtp_reply *r)
{
    if (r->code / 100 == 2)
        next_job(l);
    else
        link_quit(l);
}

/* 421: the server closes; a job of which it has heard nothing is not to blame. */
static void on_421(struct link *l, const struct smtp_reply *r)
{
    own_buf struct buf text = BUF_INIT(SMTP_REPLY_MAX);
    struct outcome o;

    if (!l->job || (l->jobs_done && l->answered == 0)) {
        link_txn_lost(l, "the server is closing");
        return;
    }
    reply_outcome(r, str_of(l->name), &text, &o);
    outcome_rest(l, &o);
    finish_job(l);
    link_end(l);
}

void link_txn_reply(struct link *l, const struct smtp_reply *r)
{
    static void (*const handlers[LINK_STATES])(struct link *, const struct smtp_reply *) = {
        [LINK_ENVELOPE] = on_envelope, [LINK_DATA] = on_data, [LINK_BODY] = on_body,
        [LINK_FINAL] = on_final,       [LINK_RSET] = on_rset,
    };

    if (r->code == 421 && l->state != LINK_FINAL)
        on_421(l, r);
    else
        handlers[l->state](l, r);
}
