/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/bounce.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/dsn.h"
#include "mailstack/lib/queue/qdir.h"
#include "mailstack/lib/queue/qread.h"
#include "mailstack/lib/queue/qwrite.h"
#include "mailstack/queued/message.h"
#include "mailstack/queued/queued.h"
#include "mailstack/queued/retry.h"

#define DSN_MAX (4U << 20)

/* What the sender is told at a recipient's end, and which NOTIFY asks for it. */
static const struct {
    bool is_end;
    bool is_default; /* also where no NOTIFY was given */
    unsigned notify;
    enum dsn_action action;
} ends[QSTATES] = {
    [QSTATE_PENDING] = {false, false, 0, DSN_DELAYED},
    [QSTATE_DELIVERED] = {true, false, QNOTIFY_SUCCESS, DSN_DELIVERED},
    [QSTATE_RELAYED] = {true, false, QNOTIFY_SUCCESS, DSN_RELAYED},
    [QSTATE_PASSED] = {true, false, 0, DSN_RELAYED},
    [QSTATE_FAILED] = {true, true, QNOTIFY_FAILURE, DSN_FAILED},
};

static bool owes_end(const struct qrcpt *r)
{
    if (!ends[r->state].is_end || (r->told & QTOLD_END))
        return false;
    return r->notify ? (r->notify & ends[r->state].notify) != 0 : ends[r->state].is_default;
}

static bool owes_delay(const struct message *m, const struct qrcpt *r)
{
    return r->state == QSTATE_PENDING && (r->notify & QNOTIFY_DELAY) && !(r->told & QTOLD_DELAY) &&
           retry_is_late(&m->q->conf, m->env.arrival_us / 1000000, clock_wall_s());
}

/* ORCPT and ENVID come as xtext (RFC 3461 section 4): "+2B" is a plus. */
static void unxtext(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '+' && s.n - i > 2 ? ascii_hex(s.p[i + 1]) : -1;
        int low = high >= 0 ? ascii_hex(s.p[i + 2]) : -1;

        if (low < 0) {
            buf_append_char(out, s.p[i]);
            continue;
        }
        buf_append_char(out, (char)(high * 16 + low));
        i += 2;
    }
}

struct report {
    struct message *m;
    size_t *rcpts; /* those it tells of */
    size_t n;
    char id[QFILE_ID_MAX + 1];
    struct dsn_recipient *to_tell;
    struct buf *orcpts;
};

/* "mx.example.org[192.0.2.1]:25" is for people; an address without a name stays one. */
static struct str host_of(struct str remote)
{
    struct str name;
    struct str rest;

    return str_cut(remote, '[', &name, &rest) && name.n ? name : remote;
}

static void describe(struct report *r, size_t k)
{
    const struct qrcpt *from = &r->m->env.rcpts[r->rcpts[k]];
    struct dsn_recipient *to = &r->to_tell[k];
    bool said = from->remote[0] != '\0';

    buf_init(&r->orcpts[k], QFILE_VALUE_MAX);
    unxtext(str_of(from->orcpt), &r->orcpts[k]);
    *to = (struct dsn_recipient){
        .address = str_of(from->addr),
        .original = buf_str(&r->orcpts[k]),
        .action = ends[from->state].action,
        .status = str_of(from->status),
        .remote_mta = host_of(str_of(from->remote)),
        .diagnostic = said ? str_of(from->text) : STR_NONE,
        .reason = said ? STR_NONE : str_of(from->text),
        .last_attempt_s = from->last_s,
        .retry_until_s = r->m->env.arrival_us / 1000000 + r->m->q->conf.give_up_s,
    };
}

static int format(struct report *r, struct buf *out, struct err *err)
{
    const struct qmsg *env = &r->m->env;
    bool whole = env->ret == QRET_FULL && env->size <= BOUNCE_FULL_MAX;
    own_buf struct buf content = BUF_INIT(BOUNCE_FULL_MAX);
    own_buf struct buf envid = BUF_INIT(QFILE_VALUE_MAX);

    if (qread_content(&r->m->q->dir, env, whole ? BOUNCE_FULL_MAX : BOUNCE_HEAD_MAX, &content,
                      err) < 0)
        return -1;
    unxtext(str_of(env->envid), &envid);
    for (size_t k = 0; k < r->n; k++)
        describe(r, k);
    dsn_format(out, &(struct dsn){.hostname = str_of(r->m->q->conf.hostname),
                                  .to = str_of(env->sender),
                                  .envid = buf_str(&envid),
                                  .queue_id = str_of(env->id),
                                  .arrival_s = env->arrival_us / 1000000,
                                  .now_s = clock_wall_s(),
                                  .rcpts = r->to_tell,
                                  .rcpts_n = r->n,
                                  .message = buf_str(&content),
                                  .whole = whole,
                                  .smtputf8 = env->is_utf8});
    return buf_check(out, "report", err);
}

/* An alias or a list of ours may send, but it has no mailbox: the account that submitted hears. */
static const char *who_hears(const struct message *m)
{
    struct str local;
    struct str domain;

    if (m->env.owner[0] && str_rcut(str_of(m->env.sender), '@', &local, &domain) &&
        conf_is_ours(&m->q->conf, domain))
        return m->env.owner;
    return m->env.sender;
}

static int write_report(struct report *r, struct qmsg *env, struct err *err)
{
    own_buf struct buf text = BUF_INIT(DSN_MAX);
    struct qwrite w = {.fd = -1};
    struct qdir *dir = &r->m->q->dir;

    (void)snprintf(env->id, sizeof(env->id), "%s", r->id);
    env->arrival_us = clock_wall_us();
    env->is_utf8 = r->m->env.is_utf8;
    if (format(r, &text, err) < 0 ||
        qmsg_add_rcpt(env, str_of(who_hears(r->m)), QNOTIFY_NEVER, STR_NONE, err) < 0)
        return -1;
    env->is_8bit = !str_is_ascii(buf_str(&text));
    if (qwrite_begin(&w, dir, env, err) < 0 || qwrite_content(&w, buf_str(&text), err) < 0) {
        qwrite_drop(&w, dir, env);
        return -1;
    }
    return qwrite_commit(&w, dir, env, err);
}

static int make(struct report *r)
{
    struct err err = {0};
    struct qmsg env;
    int rc;

    if (qdir_has(&r->m->q->dir, r->id)) /* made before a crash */
        return 0;
    r->to_tell = mem_array(r->n, sizeof(r->to_tell[0]));
    r->orcpts = mem_array(r->n, sizeof(r->orcpts[0]));
    qmsg_init(&env);
    rc = write_report(r, &env, &err);
    if (rc == 0) {
        log_info("queue.report", LOG_S("id", r->m->env.id), LOG_S("report", r->id),
                 LOG_S("to", who_hears(r->m)), LOG_U("recipients", r->n));
        counter_add(r->m->q->reports, 1);
        (void)message_add(r->m->q, &env); /* the queue's from now on */
    } else {
        log_error("queue.report", LOG_S("id", r->m->env.id), LOG_S("error", err.text));
    }
    qmsg_done(&env);
    for (size_t k = 0; k < r->n; k++)
        buf_done(&r->orcpts[k]);
    free(r->orcpts);
    free(r->to_tell);
    return rc;
}

static void mark(struct message *m, size_t i, unsigned told)
{
    m->env.rcpts[i].told |= told;
    m->rcpts[i].dirty = true;
}

/* One report on all recipients of that kind. */
static int report_on(struct message *m, unsigned told)
{
    struct report r = {.m = m, .rcpts = mem_array(m->env.rcpts_n, sizeof(r.rcpts[0]))};
    int rc = 0;

    for (size_t i = 0; i < m->env.rcpts_n; i++) {
        const struct qrcpt *rcpt = &m->env.rcpts[i];

        if (told == QTOLD_END ? owes_end(rcpt) : owes_delay(m, rcpt))
            r.rcpts[r.n++] = i;
    }
    if (r.n) {
        (void)snprintf(r.id, sizeof(r.id), "%.14s-%s%zu", m->env.id, told == QTOLD_END ? "" : "d",
                       r.rcpts[0]);
        rc = make(&r);
    }
    for (size_t k = 0; k < r.n && rc == 0; k++)
        mark(m, r.rcpts[k], told);
    free(r.rcpts);
    return rc;
}

int bounce_report(struct message *m)
{
    if (m->env.sender[0] == '\0')
        return 0;
    return report_on(m, QTOLD_END) < 0 ? -1 : report_on(m, QTOLD_DELAY);
}
