/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queued - what the parts of the daemon share
 *
 *     session (LMTP in) ──> message ──> sched: job, dest ──> link (SMTP or LMTP out)
 *                              ^                               │ an outcome for each recipient
 *                              └───────── records, DSN ────────┘
 *
 * A message is everything that is in the spool, in memory without its content. A job is a part of
 * it that goes to one next hop in one transaction; a dest is a next hop with the jobs that wait for
 * it; a link is one connection to it. Recipients' states change in memory first (message_outcome)
 * and are written when the job is over (message_settle), in one write.
 *
 * One process, one loop. The spool belongs to it alone (qdir.h).
 *
 * Tests:     tests/mail/test_queued.py
 */
#ifndef MR_QUEUED_QUEUED_H
#define MR_QUEUED_QUEUED_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/list.h"
#include "runtime/base/loop.h"

#include "mailstack/lib/queue/qdir.h"
#include "mailstack/queued/conf.h"

struct counter;
struct dialer;
struct dns_client;
struct map;
struct tls_ctx;

#define QUEUED_MESSAGES_MAX     200000
#define QUEUED_MESSAGE_SIZE_MAX (UINT64_C(1) << 30)

struct queued {
    struct loop *loop;
    struct conf conf;
    struct qdir dir;
    struct map *by_id;
    struct list messages; /* by arrival */
    size_t messages_n;
    struct map *dests; /* by key */
    struct list dest_list;
    struct list links;
    size_t links_n; /* that count against limits.senders */
    struct list sessions;
    size_t sessions_n;
    struct loop_call run; /* of the scheduler */
    struct list settling; /* messages whose states are to be written at the end of this turn */
    struct loop_call settle;
    struct list commits; /* sessions whose message is to be made safe at the end of this turn */
    struct loop_call commit;
    struct dialer *dialer;
    struct dns_client *dns;    /* NULL: none */
    struct tls_ctx *tls;       /* any certificate; made when first needed: it is a third of us */
    struct tls_ctx *tls_relay; /* checked with conf.ca; NULL: none is configured */
    bool draining;
    struct loop_call drained;
    struct counter *accepted;
    struct counter *sent;
    struct counter *deferred;
    struct counter *failed;
    struct counter *reports;
    struct counter *waiting; /* gauge: messages in the spool */
    struct loop_timer status;
};

/* The number of messages changed: the supervisor's `status` hears of it soon. */
void queued_changed(struct queued *q);
/* While draining: ends the loop when nothing is under way any more. */
void queued_check_drained(struct queued *q);

#endif
