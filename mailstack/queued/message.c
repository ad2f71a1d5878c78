/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/message.h"

#include <stdlib.h>

#include "runtime/base/clock.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/map.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/daemon/daemon.h"
#include "mailstack/lib/queue/qdir.h"
#include "mailstack/lib/queue/qread.h"
#include "mailstack/lib/queue/qwrite.h"
#include "mailstack/queued/bounce.h"
#include "mailstack/queued/queued.h"
#include "mailstack/queued/retry.h"
#include "mailstack/queued/sched.h"

#define LOAD_SIGN   100   /* messages between two signs of life while a disk is slow to give them */
#define AGAIN_S     60    /* after the spool could not be written */
#define TIMER_MAX_S 86400 /* the wall clock may be set meanwhile */
#define SETTLE_MAX  64    /* messages whose records are flushed together */

static void on_timer(struct loop_timer *t)
{
    struct message *m = container_of(t, struct message, timer);

    message_settle(m);
}

static void wait_for_next(struct message *m);

static struct message *attach(struct queued *q, struct qmsg *env)
{
    struct message *m = mem_type(struct message);

    m->q = q;
    m->env = *env;
    *env = (struct qmsg){0};
    m->rcpts = mem_array(m->env.rcpts_n, sizeof(m->rcpts[0]));
    m->timer.fn = on_timer;
    list_init(&m->settling);
    m->flush_fd = -1;
    list_add_tail(&q->messages, &m->node);
    (void)map_put(q->by_id, str_of(m->env.id), m); /* ids are new */
    q->messages_n++;
    counter_add(q->waiting, 1);
    queued_changed(q);
    return m;
}

static void detach(struct message *m)
{
    loop_timer_del(&m->timer);
    list_del(&m->settling);
    own_close_fd(&m->flush_fd);
    list_del(&m->node);
    (void)map_del(m->q->by_id, str_of(m->env.id));
    m->q->messages_n--;
    counter_add(m->q->waiting, -1);
    queued_changed(m->q);
    qmsg_done(&m->env);
    free(m->rcpts);
    free(m);
}

struct message *message_add(struct queued *q, struct qmsg *env)
{
    struct message *m = attach(q, env);

    counter_add(q->accepted, 1);
    sched_message(m);
    wait_for_next(m);
    return m;
}

struct message *message_find(const struct queued *q, struct str id)
{
    return map_get(q->by_id, id);
}

/* --- at start --------------------------------------------------------------------------------- */

static int set_aside(struct queued *q, const char *id, const struct err *why)
{
    struct err err = {0};

    log_error("queue.damaged", LOG_S("id", id), LOG_S("error", why->text));
    if (qdir_set_aside(&q->dir, id, &err) < 0)
        log_error("queue.damaged", LOG_S("id", id), LOG_S("error", err.text));
    return 0;
}

static int load_one(void *ctx, const char *id)
{
    struct queued *q = ctx;
    struct err err = {0};
    struct qmsg env;
    size_t bad = 0;

    if (q->messages_n % LOAD_SIGN == LOAD_SIGN - 1)
        daemon_notify("EXTEND_TIMEOUT_USEC=60000000");

    if (qread_load(&q->dir, id, &env, &bad, &err) < 0)
        return set_aside(q, id, &err);
    if (bad)
        log_warn("queue.records", LOG_S("id", id), LOG_U("passed_over", bad));
    (void)attach(q, &env);
    return 0;
}

static int by_id(const void *pa, const void *pb)
{
    const struct message *const *a = pa;
    const struct message *const *b = pb;

    return str_cmp(str_of((*a)->env.id), str_of((*b)->env.id));
}

/* Directories have no order; ids have that of arrival. */
static void sort(struct queued *q)
{
    struct message **all = mem_array(q->messages_n + 1, sizeof(struct message *));
    size_t n = 0;

    list_for_each (it, next, &q->messages) {
        all[n++] = list_of(it, struct message, node);
        list_del(it);
    }
    qsort(all, n, sizeof(struct message *), by_id);
    for (size_t i = 0; i < n; i++)
        list_add_tail(&q->messages, &all[i]->node);
    free(all);
}

/* Settled from timers, so that none sends before all owed reports of the start are made: these
 * timers are due in the first turn, before any connection. */
int message_load_all(struct queued *q, struct err *err)
{
    if (qdir_scan(&q->dir, load_one, q, err) < 0)
        return -1;
    sort(q);
    list_for_each (it, next, &q->messages)
        loop_timer_set(q->loop, &list_of(it, struct message, node)->timer, 0);
    log_info("queue.load", LOG_U("messages", q->messages_n));
    return 0;
}

/* --- outcomes --------------------------------------------------------------------------------- */

static void log_outcome(const struct message *m, const struct qrcpt *r, const struct outcome *o,
                        int64_t now_s)
{
    static const struct {
        const char *event;
        enum log_level level;
    } events[] = {
        [OUTCOME_SENT] = {"queue.sent", LOG_LEVEL_INFO},
        [OUTCOME_TEMP] = {"queue.deferred", LOG_LEVEL_INFO},
        [OUTCOME_PERM] = {"queue.failed", LOG_LEVEL_INFO},
    };

    log_event(events[o->kind].level, events[o->kind].event,
              LOG_FIELDS(LOG_S("id", m->env.id), LOG_S("from", m->env.sender), LOG_S("to", r->addr),
                         LOG_STR("remote", o->remote), LOG_STR("status", o->status),
                         LOG_STR("reply", o->text),
                         LOG_I("age_s", now_s - m->env.arrival_us / 1000000),
                         LOG_U("attempts", r->attempts)));
}

/* A temporary failure at the end of the time is a permanent one, with the words of the last. */
static enum outcome_kind judge(const struct message *m, const struct outcome *o, int64_t now_s)
{
    if (o->kind == OUTCOME_TEMP && retry_is_over(&m->q->conf, m->env.arrival_us / 1000000, now_s))
        return OUTCOME_PERM;
    return o->kind;
}

void message_outcome(struct message *m, size_t i, const struct outcome *o)
{
    struct qrcpt *r = &m->env.rcpts[i];
    int64_t now_s = clock_wall_s();
    struct outcome done = *o;

    done.kind = judge(m, o, now_s);
    r->attempts++;
    r->last_s = now_s;
    m->rcpts[i].dirty = true;
    log_outcome(m, r, &done, now_s);
    switch (done.kind) {
    case OUTCOME_SENT:
        qrcpt_set(r, o->state, o->status, o->remote, o->text);
        counter_add(m->q->sent, 1);
        return;
    case OUTCOME_TEMP:
        qrcpt_set(r, QSTATE_PENDING, o->status, o->remote, o->text);
        r->next_s = retry_next(&m->q->conf, m->env.arrival_us / 1000000, r->attempts, now_s);
        counter_add(m->q->deferred, 1);
        return;
    case OUTCOME_PERM:
        qrcpt_set(r, QSTATE_FAILED, o->kind == OUTCOME_TEMP ? STR("4.4.7") : o->status, o->remote,
                  o->text);
        counter_add(m->q->failed, 1);
        return;
    }
}

/* --- what is next ----------------------------------------------------------------------------- */

/* Writes every state that is not written yet. If one of them is an end, *flush_fd is a descriptor
 * to flush it with, else -1. */
static int write_dirty(struct message *m, int *flush_fd)
{
    size_t *dirty = mem_array(m->env.rcpts_n, sizeof(*dirty));
    bool is_end = false;
    struct err err = {0};
    size_t n = 0;
    int rc = 0;

    *flush_fd = -1;
    for (size_t i = 0; i < m->env.rcpts_n; i++) {
        if (!m->rcpts[i].dirty)
            continue;
        dirty[n++] = i;
        if (m->env.rcpts[i].state != QSTATE_PENDING || m->env.rcpts[i].told)
            is_end = true;
    }
    if (n)
        rc = qwrite_records(&m->q->dir, &m->env, dirty, n, is_end ? flush_fd : NULL, &err);
    for (size_t i = 0; i < n; i++)
        m->rcpts[dirty[i]].dirty = rc < 0;
    if (rc < 0)
        log_error("queue.write", LOG_S("id", m->env.id), LOG_S("error", err.text));
    free(dirty);
    return rc;
}

static bool is_done(const struct message *m)
{
    for (size_t i = 0; i < m->env.rcpts_n; i++) {
        if (m->env.rcpts[i].state == QSTATE_PENDING)
            return false;
    }
    return true;
}

static void remove_it(struct message *m)
{
    struct err err = {0};

    if (qdir_remove(&m->q->dir, m->env.id, &err) < 0)
        log_error("queue.remove", LOG_S("id", m->env.id), LOG_S("error", err.text));
    log_info("queue.done", LOG_S("id", m->env.id));
    detach(m);
}

static void wait_for(struct message *m, int64_t seconds)
{
    if (seconds < 0)
        seconds = 0;
    if (seconds > TIMER_MAX_S)
        seconds = TIMER_MAX_S;
    loop_timer_set(m->q->loop, &m->timer, (uint64_t)seconds * 1000);
}

/* A time further away than any wait was written by a clock that has been set back since. */
bool message_is_due(const struct message *m, const struct qrcpt *r, int64_t now_s)
{
    return r->next_s <= now_s || r->next_s > now_s + m->q->conf.max_s;
}

static void wait_for_next(struct message *m)
{
    int64_t next_s = INT64_MAX;

    for (size_t i = 0; i < m->env.rcpts_n; i++) {
        const struct qrcpt *r = &m->env.rcpts[i];

        if (m->jobs_n == 0 && m->rcpts[i].dirty) /* it failed without a job: settled at once */
            next_s = 0;
        if (r->state == QSTATE_PENDING && !m->rcpts[i].job && r->next_s < next_s)
            next_s = r->next_s;
    }
    if (next_s < INT64_MAX)
        wait_for(m, next_s - clock_wall_s());
}

/* For reports: what they speak of, and that they were made, is on disk one by one. */
static int write_now(struct message *m)
{
    struct err err = {0};
    int fd;

    if (write_dirty(m, &fd) < 0)
        return -1;
    if (qwrite_flush_all(&fd, 1, &err) == 0)
        return 0;
    log_error("queue.write", LOG_S("id", m->env.id), LOG_S("error", err.text));
    return -1;
}

/* What was to be written is. */
static void settle(struct message *m, bool written)
{
    if (m->jobs_n == 0) {
        if (!written || bounce_report(m) < 0 || write_now(m) < 0) {
            wait_for(m, AGAIN_S);
            return;
        }
        if (is_done(m)) {
            remove_it(m);
            return;
        }
    }
    sched_message(m);
    wait_for_next(m);
}

/* A flush that failed may have lost any of them: all ends are written anew the next time. */
static void forget_writes(struct message *m)
{
    for (size_t i = 0; i < m->env.rcpts_n; i++)
        m->rcpts[i].dirty = m->rcpts[i].dirty || m->env.rcpts[i].state != QSTATE_PENDING;
}

/* Records that were written one after the other are flushed together. Where that fails nobody is
 * told that something is safe: the messages stay, with their states in memory. */
static void settle_some(struct queued *q)
{
    struct message *some[SETTLE_MAX];
    int fds[SETTLE_MAX];
    struct err err = {0};
    size_t n = 0;

    for (; n < SETTLE_MAX && !list_empty(&q->settling); n++) {
        some[n] = list_of(q->settling.next, struct message, settling);
        list_del(&some[n]->settling);
        fds[n] = take_fd(&some[n]->flush_fd);
    }
    bool flushed = qwrite_flush_all(fds, n, &err) == 0;

    if (!flushed)
        log_error("queue.write", LOG_S("error", err.text));
    for (size_t i = 0; i < n; i++) {
        struct message *m = some[i];

        if (!flushed)
            forget_writes(m);
        settle(m, m->written && flushed); // NOLINT(clang-analyzer-unix.Malloc): each is there once
    }
}

static void on_settle(struct loop_call *call)
{
    struct queued *q = container_of(call, struct queued, settle);

    while (!list_empty(&q->settling))
        settle_some(q);
    queued_check_drained(q);
}

void message_settle(struct message *m)
{
    int fd;

    m->written = write_dirty(m, &fd) == 0;
    if (m->flush_fd < 0)
        m->flush_fd = take_fd(&fd);
    own_close_fd(&fd); /* one of the same file is kept already */
    if (list_empty(&m->settling))
        list_add_tail(&m->q->settling, &m->settling);
    m->q->settle.fn = on_settle;
    loop_defer(m->q->loop, &m->q->settle);
}

void message_flush(struct message *m)
{
    for (size_t i = 0; i < m->env.rcpts_n; i++)
        m->env.rcpts[i].next_s = 0;
    loop_timer_set(m->q->loop, &m->timer, 0);
}

bool message_is_active(const struct message *m)
{
    for (size_t i = 0; i < m->env.rcpts_n; i++) {
        if (m->rcpts[i].job && sched_is_active(m->rcpts[i].job))
            return true;
    }
    return false;
}

int message_drop(struct message *m, struct err *err)
{
    if (message_is_active(m))
        return err_set(err, 0, "message %s is being sent", m->env.id);
    if (qdir_remove(&m->q->dir, m->env.id, err) < 0)
        return -1;
    sched_forget(m);
    log_info("queue.dropped", LOG_S("id", m->env.id), LOG_S("from", m->env.sender));
    detach(m);
    return 0;
}
