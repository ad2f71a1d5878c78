/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool - connections to one server on a unix socket, and the jobs that wait for them
 *
 * What lmtp and filter have in common. Connections are made when needed, kept open and used again;
 * a job gets the first one that is free. What is spoken on a connection is its protocol's, which
 * has a table of calls, and which says what became of it: pool_ready, pool_free, pool_lose.
 *
 *     dialled ──pool_ready──> idle <──pool_free── busy          pool_lose, pool_end: gone
 *                  └── begin, if a job was waiting for it ──^
 *
 * Lifetime:  the pool outlives its jobs; pool_cancel before a job's memory goes. A connection that
 *            ended keeps its memory until the end of the loop's turn, and says so in is_dead.
 * Tests:     tests/unit/mailstack/smtpd/test_pool.c
 */
#ifndef MR_SMTPD_POOL_H
#define MR_SMTPD_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/list.h"
#include "runtime/base/loop.h"

#include "mailstack/lib/net/conn.h"

#define POOL_TRIES_MAX 2     /* connections that a job may lose before anything was answered */
#define POOL_IDLE_MS   60000 /* how long one without a job is kept */

struct pool;
struct pool_conn;

struct pool_job {      /* start with zeroes */
    struct pool *pool; /* not NULL while under way */
    struct pool_conn *conn;
    struct list node;
    unsigned tries;
};

struct pool_conn { /* the first member of a protocol's connection */
    struct pool *pool;
    struct list node;
    struct conn *conn;
    struct pool_job *job;
    bool is_ready; /* greeted, or negotiated */
    bool is_dead;
    struct loop_call bury;
};

struct pool_ops {
    const char *name;               /* for the log */
    const struct conn_ops *conn;    /* their context is the struct pool_conn */
    struct conn_limits conn_limits; /* of what is read and queued */
    size_t conn_size;               /* of the protocol's connection */
    size_t conns_max;
    void (*dialled)(struct pool_conn *c); /* speaks first, if that is its part; sets a deadline */
    void (*begin)(struct pool_conn *c);   /* c->job is a new one */
    /* No server can be had, or it was lost at c, not NULL then: ends with pool_finish. */
    void (*failed)(struct pool_job *j, struct pool_conn *c);
};

struct pool {
    struct loop *loop;
    const char *path;
    const struct pool_ops *ops;
    struct list conns;
    size_t conns_n;
    struct list waiting; /* jobs without a connection */
    struct list failed;  /* jobs whose owners are to be told at the end of the turn */
    struct loop_call tell;
};

void pool_init(struct pool *p, struct loop *l, const char *path, const struct pool_ops *ops);
void pool_done(struct pool *p); /* jobs under way are dropped, unanswered */

void pool_run(struct pool *p, struct pool_job *j);
void pool_cancel(struct pool_job *j); /* breaks off; harmless if it is not under way */
void pool_finish(struct pool_job *j); /* it is its owner's again */

/* What the protocol says of a connection. Any of these may begin a waiting job. */
void pool_ready(struct pool_conn *c);
/* Its job is over, and returned, to be finished; the connection serves another one if `keep`. */
struct pool_job *pool_free(struct pool_conn *c, bool keep);
/* It broke. `unheard`: nothing of the job was answered, so it may be tried once more. */
void pool_lose(struct pool_conn *c, bool unheard, const char *why);

#endif
