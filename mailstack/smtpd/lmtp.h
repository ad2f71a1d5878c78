/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmtp - giving messages to an LMTP server (lmtpd, queued) over a unix socket, from the event loop
 *
 * A pool of connections to one server, made when needed, kept open and used again. A job is one
 * transaction: embedded in its owner's object, answered once through its callback, from the loop.
 * All of it leaves in one write where the server has CHUNKING (MAIL, RCPT, BDAT and the message),
 * else DATA waits for its 354. A job without a message only asks whether the recipients would be
 * taken, and resets.
 *
 * Result:    each recipient's code and text: of its RCPT, or after the message. A server that is
 *            away, breaks off or is too slow gives 451; what did not get so far as its first reply
 *            is tried once more on a fresh connection.
 * Lifetime:  the pool outlives its jobs; lmtp_cancel before a job's memory goes. What `parts` and
 *            the strings look into must live until the callback.
 * Limits:    LMTP_CONNS_MAX connections; further jobs wait in line.
 * Tests:     tests/unit/mailstack/smtpd/test_lmtp.c
 * Fuzz:      tests/fuzz/mailstack/smtpd/fuzz_lmtp.c
 */
#ifndef MR_SMTPD_LMTP_H
#define MR_SMTPD_LMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/proto/smtp_param.h"
#include "mailstack/smtpd/pool.h"

struct lmtp;
struct loop;

#define LMTP_CONNS_MAX  8 /* of one process: lmtpd has few workers, each delivers one at a time */
#define LMTP_REPLY_MS   60000  /* for a reply to a command */
#define LMTP_DELIVER_MS 300000 /* for the flushes behind the message */
#define LMTP_TEXT_MAX   400
#define LMTP_NO_QUOTA   UINT64_MAX

struct lmtp_rcpt {
    struct str address;
    uint64_t quota;   /* for XQUOTA, or LMTP_NO_QUOTA */
    unsigned notify;  /* SMTP_NOTIFY_..., for a server with DSN */
    struct str orcpt; /* p NULL: none */
    unsigned code;    /* the answer */
    char text[LMTP_TEXT_MAX];
};

struct lmtp_job {
    void (*fn)(struct lmtp_job *j);
    struct str from;
    uint64_t size;
    bool is_8bit;
    bool is_utf8;
    enum smtp_ret ret;
    struct str envid;
    struct str owner; /* who submitted it, for queued; empty: nobody */
    struct lmtp_rcpt *rcpts;
    size_t rcpts_n;
    const struct str *parts; /* the message; NULL: only ask */
    size_t parts_n;
    struct pool_job pooled; /* its pool is not NULL while under way */
};

must_check struct lmtp *lmtp_new(struct loop *l, const char *path, const char *hostname);
void lmtp_free(struct lmtp *p); /* jobs under way are dropped, unanswered */
void lmtp_run(struct lmtp *p, struct lmtp_job *j);
/* Breaks off: what the server does with it is unknown. Harmless if it is not under way. */
void lmtp_cancel(struct lmtp_job *j);

/* How many recipients have an answer of that class: 2, 4, 5. */
size_t lmtp_count(const struct lmtp_job *j, unsigned class);

#endif
