/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message - one message of the spool: what became of its recipients, and what is to be done next
 *
 * Crash safety: a recipient's end is written (message_settle) before anything else is said to the
 * server, and flushed in the same turn of the loop, so that between a remote server's 250 and that
 * record lies only the write itself. What is pending after a crash is tried again; reports that are
 * owed are made at start (bounce.h).
 *
 * Where records cannot be written (full disk), the states stand in memory and are written with the
 * next ones; the log says so.
 *
 * Tests:     tests/mail/test_queued.py
 */
#ifndef MR_QUEUED_MESSAGE_H
#define MR_QUEUED_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/list.h"
#include "runtime/base/loop.h"
#include "runtime/base/str.h"

#include "mailstack/lib/queue/qfile.h"

struct err;
struct job;
struct queued;

struct message_rcpt {
    struct job *job; /* NULL: none under way */
    bool dirty;      /* its state is not written yet */
};

struct message {
    struct queued *q;
    struct list node;
    struct list settling; /* in queued's list, while it is due */
    int flush_fd;         /* records are written and not yet flushed; -1: none */
    bool written;         /* all records could be */
    struct qmsg env;
    struct message_rcpt *rcpts; /* as many as env.rcpts */
    size_t jobs_n;
    struct loop_timer timer;
};

enum outcome_kind {
    OUTCOME_SENT, /* state says how far */
    OUTCOME_TEMP,
    OUTCOME_PERM,
};

struct outcome {
    enum outcome_kind kind;
    enum qstate state; /* of OUTCOME_SENT */
    struct str status; /* "4.4.1" */
    struct str remote; /* the server that said it; may be empty */
    struct str text;   /* what it said, or what happened */
};

/* Takes over what was just committed to the spool, and begins to send it. env is emptied. */
struct message *message_add(struct queued *q, struct qmsg *env);
/* Loads the spool at start; a damaged file is set aside. */
must_check int message_load_all(struct queued *q, struct err *err);
struct message *message_find(const struct queued *q, struct str id);

/* What became of recipient i in this attempt; written by message_settle. */
void message_outcome(struct message *m, size_t i, const struct outcome *o);
/* After a job: writes what became of the recipients, at once; at the end of this turn of the loop,
 * together with others, flushes it, reports, removes or waits. The message may be gone then. */
void message_settle(struct message *m);
/* Is it time for this recipient? */
bool message_is_due(const struct message *m, const struct qrcpt *r, int64_t now_s);
/* All that is pending is due now. */
void message_flush(struct message *m);
/* Out of the spool, without a report. -1: it is being sent. */
must_check int message_drop(struct message *m, struct err *err);
bool message_is_active(const struct message *m);

#endif
