/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/sched.h"

#include <stdlib.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/map.h"
#include "runtime/base/mem.h"

#include "mailstack/queued/link.h"
#include "mailstack/queued/message.h"
#include "mailstack/queued/queued.h"

/* --- destinations ----------------------------------------------------------------------------- */

static struct dest *get_dest(struct queued *q, const struct route *r)
{
    struct dest *d = map_get(q->dests, str_of(r->key));

    if (d)
        return d;
    d = mem_type(struct dest);
    d->q = q;
    d->route = *r;
    list_init(&d->ready);
    list_add_tail(&q->dest_list, &d->node);
    (void)map_put(q->dests, str_of(r->key), d); /* there was none */
    return d;
}

static void drop_if_idle(struct dest *d)
{
    if (d->ready_n || d->links_n)
        return;
    list_del(&d->node);
    (void)map_del(d->q->dests, str_of(d->route.key));
    free(d);
}

/* --- jobs ------------------------------------------------------------------------------------- */

/* The job of this message that still has room and waits at the dest. */
static struct job *open_job(struct message *m, const struct dest *d)
{
    for (size_t i = m->env.rcpts_n; i-- > 0;) {
        struct job *j = m->rcpts[i].job;

        if (j && j->d == d && !j->active && j->n < SCHED_RCPTS_MAX)
            return j;
    }
    return NULL;
}

static void add_to_job(struct message *m, size_t i, struct dest *d)
{
    struct job *j = open_job(m, d);

    if (!j) {
        j = mem_type(struct job);
        j->m = m;
        j->d = d;
        m->jobs_n++;
        list_add_tail(&d->ready, &j->node);
        d->ready_n++;
    }
    j->rcpts[j->n++] = i;
    m->rcpts[i].job = j;
}

static void take_from_ready(struct job *j)
{
    list_del(&j->node);
    j->d->ready_n--;
}

static void free_job(struct job *j)
{
    for (size_t i = 0; i < j->n; i++)
        j->m->rcpts[j->rcpts[i]].job = NULL;
    j->m->jobs_n--;
    free(j);
}

static void route_one(struct message *m, size_t i)
{
    struct str addr = str_of(m->env.rcpts[i].addr);
    struct str local;
    struct str domain;
    struct route r;
    struct err err = {0};

    if (!str_rcut(addr, '@', &local, &domain))
        domain = STR_NONE;
    if (route_find(&m->q->conf, domain, &r, &err) == 0) {
        add_to_job(m, i, get_dest(m->q, &r));
        return;
    }
    message_outcome(
        m, i,
        &(struct outcome){.kind = OUTCOME_PERM, .status = STR("5.1.2"), .text = str_of(err.text)});
}

static void on_run(struct loop_call *call);

static void run_later(struct queued *q)
{
    q->run.fn = on_run;
    loop_defer(q->loop, &q->run);
}

void sched_message(struct message *m)
{
    int64_t now_s = clock_wall_s();

    for (size_t i = 0; i < m->env.rcpts_n; i++) {
        if (m->env.rcpts[i].state != QSTATE_PENDING || m->rcpts[i].job ||
            !message_is_due(m, &m->env.rcpts[i], now_s))
            continue;
        route_one(m, i);
    }
    run_later(m->q);
}

void sched_forget(struct message *m)
{
    for (size_t i = 0; i < m->env.rcpts_n; i++) {
        struct job *j = m->rcpts[i].job;
        struct dest *d = j ? j->d : NULL;

        if (!j)
            continue;
        take_from_ready(j);
        free_job(j);
        drop_if_idle(d);
    }
}

bool sched_is_active(const struct job *j)
{
    return j->active;
}

/* --- links ------------------------------------------------------------------------------------ */

struct job *sched_next(struct dest *d)
{
    struct job *j;

    if (d->ready_n == 0 || d->q->draining)
        return NULL;
    j = list_of(list_first(&d->ready), struct job, node);
    take_from_ready(j);
    j->active = true;
    return j;
}

void sched_give_back(struct job *j)
{
    j->active = false;
    list_add_head(&j->d->ready, &j->node);
    j->d->ready_n++;
    run_later(j->d->q);
}

void sched_give_up_link(struct job *j)
{
    j->d->links_max = j->d->links_n - 1;
    sched_give_back(j);
}

void sched_job_done(struct job *j)
{
    struct message *m = j->m;

    free_job(j);
    message_settle(m);
}

void sched_fail_ready(struct dest *d, const struct outcome *o)
{
    /* Only those of now: what settles may queue anew, though not before its time. */
    for (size_t n = d->ready_n; n > 0 && !list_empty(&d->ready); n--) {
        struct job *j = list_of(list_first(&d->ready), struct job, node);

        take_from_ready(j);
        for (size_t i = 0; i < j->n; i++)
            message_outcome(j->m, j->rcpts[i], o);
        sched_job_done(j);
    }
}

static bool counts(const struct dest *d)
{
    return d->route.kind != ROUTE_LMTP;
}

void sched_link_begun(struct dest *d)
{
    d->links_n++;
    if (counts(d))
        d->q->links_n++;
}

void sched_link_over(struct dest *d)
{
    struct queued *q = d->q;

    d->links_n--;
    if (counts(d))
        q->links_n--;
    drop_if_idle(d);
    run_later(q);
}

static bool is_full(const struct queued *q)
{
    return q->links_n >= q->conf.senders || q->links_n >= SCHED_LINKS_MAX;
}

static bool may_open(const struct dest *d)
{
    const struct queued *q = d->q;

    return d->ready_n && d->links_n < q->conf.per_domain &&
           (d->links_max == 0 || d->links_n < d->links_max) && (!counts(d) || !is_full(q));
}

static bool serve_one(struct dest *d)
{
    if (d->ready_n == 0)
        return false;
    if (link_take(d))
        return true;
    if (!may_open(d))
        return false;
    link_start(d, sched_next(d));
    return true;
}

/* One job of each dest in turn, until the limits are reached. */
static void serve(struct queued *q)
{
    bool served = true;

    while (served) {
        served = false;
        list_for_each (it, next, &q->dest_list)
            served = serve_one(list_of(it, struct dest, node)) || served;
    }
}

static bool some_wait_for_a_place(struct queued *q)
{
    list_for_each (it, next, &q->dest_list) {
        const struct dest *d = list_of(it, struct dest, node);

        if (d->ready_n && counts(d) && d->links_n < q->conf.per_domain)
            return true;
    }
    return false;
}

static void on_run(struct loop_call *call)
{
    struct queued *q = container_of(call, struct queued, run);

    if (!q->draining) {
        serve(q);
        if (is_full(q) && some_wait_for_a_place(q))
            link_make_room(q);
    }
    if (!list_empty(&q->dest_list)) { /* the next turn begins with another one */
        struct list *first = q->dest_list.next;

        list_del(first);
        list_add_tail(&q->dest_list, first);
    }
    queued_check_drained(q);
}
