/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/smtpd/pool.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

static void on_bury(struct loop_call *call)
{
    free(container_of(call, struct pool_conn, bury)); /* the first member of what was allocated */
}

static void end_conn(struct pool_conn *c)
{
    c->pool->conns_n--;
    list_del(&c->node);
    conn_free(c->conn);
    c->is_dead = true;
    c->bury.fn = on_bury;
    loop_defer(c->pool->loop, &c->bury);
}

static struct pool_conn *idle_conn(struct pool *p)
{
    list_for_each (it, next, &p->conns) {
        struct pool_conn *c = list_of(it, struct pool_conn, node);

        if (c->is_ready && !c->job)
            return c;
    }
    return NULL;
}

static struct pool_conn *dial(struct pool *p, struct err *err)
{
    struct pool_conn *c = mem_new(p->ops->conn_size);

    c->pool = p;
    c->conn = conn_dial_unix(p->loop, p->path, p->ops->conn, c, p->ops->conn_limits, err);
    if (!c->conn) {
        free(c);
        return NULL;
    }
    list_add_head(&p->conns, &c->node);
    p->conns_n++;
    p->ops->dialled(c);
    return c;
}

static void assign(struct pool_conn *c, struct pool_job *j)
{
    list_del(&j->node);
    c->job = j;
    j->conn = c;
    if (c->is_ready)
        c->pool->ops->begin(c);
}

/* Its owner hears at the end of the turn: it may be in the middle of pool_run. */
static void fail_later(struct pool *p, struct pool_job *j, const struct err *err)
{
    log_warn("pool.dial", LOG_S("server", p->ops->name), LOG_S("socket", p->path),
             LOG_S("error", err->text));
    list_del(&j->node);
    list_add_tail(&p->failed, &j->node);
    loop_defer(p->loop, &p->tell);
}

static void on_tell(struct loop_call *call)
{
    struct pool *p = container_of(call, struct pool, tell);

    while (!list_empty(&p->failed))
        p->ops->failed(list_of(p->failed.next, struct pool_job, node), NULL);
}

/* Gives each waiting job a connection, as far as there are any. */
static void start_waiting(struct pool *p)
{
    while (!list_empty(&p->waiting)) {
        struct pool_job *j = list_of(p->waiting.next, struct pool_job, node);
        struct pool_conn *c = idle_conn(p);
        struct err err = {0};

        if (!c && p->conns_n >= p->ops->conns_max)
            return;
        if (!c)
            c = dial(p, &err);
        if (c)
            assign(c, j);
        else if (err.code == EAGAIN && p->conns_n)
            return; /* its backlog is full: one of ours will be free */
        else
            fail_later(p, j, &err);
    }
}

void pool_init(struct pool *p, struct loop *l, const char *path, const struct pool_ops *ops)
{
    *p = (struct pool){.loop = l, .path = path, .ops = ops, .tell = {.fn = on_tell}};
    list_init(&p->conns);
    list_init(&p->waiting);
    list_init(&p->failed);
}

void pool_done(struct pool *p)
{
    list_for_each (it, next, &p->conns) {
        struct pool_conn *c = list_of(it, struct pool_conn, node);

        if (c->job)
            c->job->pool = NULL;
        end_conn(c);
    }
}

void pool_run(struct pool *p, struct pool_job *j)
{
    *j = (struct pool_job){.pool = p};
    list_init(&j->node);
    list_add_tail(&p->waiting, &j->node);
    start_waiting(p);
}

void pool_cancel(struct pool_job *j)
{
    struct pool *p = j->pool;

    if (!p)
        return;
    if (j->conn) {
        j->conn->job = NULL;
        end_conn(j->conn);
    }
    pool_finish(j);
    start_waiting(p);
}

void pool_finish(struct pool_job *j)
{
    list_del(&j->node);
    j->pool = NULL;
    j->conn = NULL;
}

void pool_ready(struct pool_conn *c)
{
    c->is_ready = true;
    if (c->job) {
        c->pool->ops->begin(c);
        return;
    }
    conn_deadline(c->conn, POOL_IDLE_MS);
    start_waiting(c->pool);
}

struct pool_job *pool_free(struct pool_conn *c, bool keep)
{
    struct pool_job *j = c->job;

    c->job = NULL;
    if (keep)
        conn_deadline(c->conn, POOL_IDLE_MS);
    else
        end_conn(c);
    start_waiting(c->pool);
    return j;
}

void pool_lose(struct pool_conn *c, bool unheard, const char *why)
{
    struct pool *p = c->pool;
    struct pool_job *j = c->job;

    if (j || !c->is_ready) /* an idle one that is closed is no news */
        log_warn("pool.lost", LOG_S("server", p->ops->name), LOG_S("socket", p->path),
                 LOG_S("why", why));
    c->job = NULL;
    end_conn(c);
    if (j) {
        j->conn = NULL;
        if (unheard && ++j->tries < POOL_TRIES_MAX)
            list_add_head(&p->waiting, &j->node);
        else
            p->ops->failed(j, c);
    }
    start_waiting(p);
}
