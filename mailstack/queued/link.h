/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link - one connection to a next hop: SMTP (RFC 5321) or LMTP (RFC 2033), the client's side
 *
 *     RESOLVE > DIAL > GREETING > EHLO (> HELO) (> STARTTLS > TLS > EHLO) (> AUTH) > ENVELOPE >
 * DATA > BODY > FINAL > ENVELOPE of the next job ... > QUIT
 *
 * Up to AUTH a failure leads to the next address; when none is left, to an outcome for all that
 * waits at the dest. TLS is opportunistic: whatever certificate is taken, and a handshake that
 * fails is followed by another connection to the same address in clear; only where a password is to
 * be sent TLS is demanded. MAIL and RCPTs go out in one write where the server has PIPELINING; DATA
 * only when a recipient was accepted.
 *
 * A connection without a job waits LINK_IDLE_MS for the next one to the same dest, or until another
 * dest needs its place. One that the server gave up between two messages gives the job back
 * untried.
 *
 * Waits:     RFC 5321 section 4.5.3.2, a little shorter at the beginning.
 * Limits:    LINK_JOBS_MAX messages over one connection.
 * Tests:     tests/mail/test_queued.py
 */
#ifndef MR_QUEUED_LINK_H
#define MR_QUEUED_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"
#include "runtime/base/list.h"
#include "runtime/base/loop.h"

#include "mailstack/lib/mail/dot.h"
#include "mailstack/lib/net/dialer.h"
#include "mailstack/lib/proto/smtp_ehlo.h"
#include "mailstack/queued/mx.h"
#include "mailstack/queued/sched.h"

struct conn;
struct queued;
struct smtp_reply;

#define LINK_JOBS_MAX   100
#define LINK_CONNECT_MS 30000
#define LINK_IDLE_MS    2000 /* not to hold a place at a busy server for long */

enum link_state {
    LINK_RESOLVE,
    LINK_DIAL,
    LINK_GREETING,
    LINK_EHLO,
    LINK_HELO,
    LINK_STARTTLS,
    LINK_TLS,
    LINK_AUTH,
    LINK_ENVELOPE,
    LINK_DATA,
    LINK_BODY,
    LINK_FINAL,
    LINK_RSET,
    LINK_IDLE, /* no job is there, one may come */
    LINK_QUIT,
};

#define LINK_STATES   (LINK_QUIT + 1)
#define LINK_NAME_MAX 400

struct link {
    struct queued *q;
    struct dest *d;
    struct list node;
    enum link_state state;
    struct loop_call begin;
    struct loop_call release; /* memory goes at the end of the turn */
    struct loop_timer idle;
    bool over;

    struct mx mx;
    size_t target;  /* the one that is tried */
    bool in_clear;  /* this target, without TLS: a handshake failed */
    bool some_temp; /* a target failed for now, not for ever */
    struct dialer_call call;
    struct conn *conn;
    struct smtp_ehlo caps;
    char name[LINK_NAME_MAX]; /* "mx.example.org[192.0.2.1]:25", for people */
    char tls[16];

    /* the transaction */
    struct job *job;
    size_t jobs_done;
    int fd;          /* the message, -1: none */
    uint64_t sent_n; /* bytes of it */
    struct dot_out dot;
    size_t asked;    /* commands of the envelope that were sent: MAIL, then each RCPT */
    size_t answered; /* and replied to */
    size_t accepted_n;
    bool utf8;                         /* this transaction needs SMTPUTF8 */
    uint8_t accepted[SCHED_RCPTS_MAX]; /* recipients of the job: 1 accepted, 0 not */
    size_t final_i;                    /* LMTP: the recipient whose reply comes next */
};

/* Opens a connection for this job. */
void link_start(struct dest *d, struct job *j);
/* Gives the job to a connection to the dest that is idle; false: there is none. */
bool link_take(struct dest *d);
/* Ends one that is idle, for the place it takes. */
void link_make_room(struct queued *q);
/* Ends what has no transaction under way; others end by themselves with their job. */
void link_drain_all(struct queued *q);

/* --- between link.c and link_txn.c --- */
void link_enter(struct link *l, enum link_state state); /* with its deadline */
void link_quit(struct link *l);                         /* in order, with QUIT */
void link_rest(struct link *l);                         /* until the next job */
void link_end(struct link *l);                          /* at once */
const char *link_wait_name(enum link_state state);

void link_txn_begin(struct link *l, struct job *j);
void link_txn_reply(struct link *l, const struct smtp_reply *r);
void link_txn_drained(struct link *l);
/* The connection is gone in the middle of it. */
void link_txn_lost(struct link *l, const char *why);

#endif
