/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool - password checks in worker processes
 *
 * One SOCK_SEQPACKET pair: the parent writes a check to its end, whichever worker is idle reads it
 * from the other and writes the verdict back. A worker that dies with a check in hand leaves it
 * unanswered: after POOL_WAIT_MS it is answered AUTH_TEMP.
 *
 * Limits:    POOL_PENDING_MAX checks under way; more are answered AUTH_TEMP.
 * Tests:     tests/unit/mailstack/authd/test_pool.c
 */
#ifndef MR_AUTHD_POOL_H
#define MR_AUTHD_POOL_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/list.h"
#include "runtime/base/loop.h"
#include "runtime/base/str.h"

#include "mailstack/lib/auth/client.h"

struct err;
struct pool;

#define POOL_WAIT_MS     10000
#define POOL_PENDING_MAX 512

struct pool_check {
    void (*fn)(struct pool_check *c, enum auth_verdict verdict);
    struct pool *pool; /* not NULL while under way */
    struct list node;
    struct loop_timer timer;
    uint64_t id;
};

must_check struct pool *pool_new(struct loop *l, struct err *err);
void pool_free(struct pool *p);
/* The answer comes from the loop; stored and password are copied. */
void pool_ask(struct pool *p, struct pool_check *c, const char *stored, struct str password);
void pool_cancel(struct pool_check *c);
/* The whole life of a worker process, for workers_start: ctx is the pool. */
int pool_work(unsigned i, void *ctx);

#endif
