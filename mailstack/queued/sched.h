/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched - which job goes over which connection, and when
 *
 * Jobs wait at their dest, first come first served. Connections are opened while there are jobs,
 * limits.per_domain to one dest and limits.senders in all (those to lmtpd do not count: local mail
 * must not wait for slow servers elsewhere); the dests take turns. A connection takes one job after
 * the other from its dest. Where a dest cannot be reached at all, everything that waits there fails
 * with the same words at once, instead of one time-out after the other.
 *
 * Lifetime:  a job lives from sched_message to sched_job_done; a dest while it has jobs or links.
 * Tests:     tests/mail/test_queued.py
 */
#ifndef MR_QUEUED_SCHED_H
#define MR_QUEUED_SCHED_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/list.h"

#include "mailstack/queued/route.h"

struct message;
struct outcome;
struct queued;

#define SCHED_LINKS_MAX 200 /* whatever is configured: the supervisor connects 256 at a time */
#define SCHED_RCPTS_MAX 100 /* of one transaction: what RFC 5321 makes every server take */

struct dest {
    struct list node;
    struct queued *q;
    struct route route;
    struct list ready;
    size_t ready_n;
    size_t links_n;
    size_t links_max; /* 0: as configured; fewer after the server would not have so many */
};

struct job {
    struct list node; /* in ready; of no list while it is active */
    struct message *m;
    struct dest *d;
    bool active;
    size_t n;
    size_t rcpts[SCHED_RCPTS_MAX]; /* indices into the message's */
};

/* Makes jobs of all recipients that are due and have none. */
void sched_message(struct message *m);
/* Takes the jobs that wait away from a message that is dropped. */
void sched_forget(struct message *m);
bool sched_is_active(const struct job *j);

/* --- for links --- */
struct job *sched_next(struct dest *d); /* NULL: none; active from now on */
void sched_give_back(struct job *j);    /* untried, to the head of the queue */
/* The same, because the server takes no more connections than there are beside this one. */
void sched_give_up_link(struct job *j);
void sched_job_done(struct job *j); /* outcomes were told; the job is gone afterwards */
/* This for all that waits at the dest. */
void sched_fail_ready(struct dest *d, const struct outcome *o);
void sched_link_begun(struct dest *d);
void sched_link_over(struct dest *d); /* the dest may be gone afterwards */

#endif
