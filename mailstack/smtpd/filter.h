/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter - asking a milter (filterd, or anybody's) about a message that has arrived, from the loop
 *
 * The whole conversation, from CONNECT to the end of the message, is led when the message is
 * there. Commands for which the filter asked for no reply leave in one write; at each other one its
 * reply is awaited. Connections are kept and used again, with QUIT_NC between two clients; a filter
 * of an older protocol gets a connection for each message.
 *
 * The filter may add, insert, change and delete header fields, replace the body and quarantine.
 * Changes of recipients and sender are not offered to it. A recipient that it refuses refuses the
 * message: it was accepted already.
 *
 * Result:    in the job; a filter that is away, breaks off or is too slow is FILTER_AWAY.
 * Lifetime:  the pool outlives its jobs; filter_cancel before a job's memory goes.
 * Limits:    FILTER_CONNS_MAX connections, further jobs wait in line; FILTER_CHANGES_MAX changes.
 * Tests:     tests/mail/test_smtpd.py
 * Fuzz:      tests/fuzz/mailstack/smtpd/fuzz_filter.c
 */
#ifndef MR_SMTPD_FILTER_H
#define MR_SMTPD_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/smtpd/pool.h"

struct fields;
struct filter;
struct loop;
struct spool;

#define FILTER_CONNS_MAX   32
#define FILTER_CHANGES_MAX 1000
#define FILTER_REPLY_MS    60000
#define FILTER_END_MS      300000 /* for the verdict, from the last sign of life on */
#define FILTER_TEXT_MAX    480

struct filter_env {
    struct str hostname;
    struct str daemon_name; /* "smtp", "submission", "submissions" */
    struct str client_name; /* verified; empty: none */
    struct str client_addr; /* numeric */
    uint16_t client_port;
    struct str helo;
    struct str tls_version; /* empty: none */
    struct str tls_cipher;
    struct str user; /* who logged in; empty: nobody */
    struct str id;
    struct str from;
    const struct str *rcpts;
    size_t rcpts_n;
};

enum filter_verdict {
    FILTER_ACCEPT,
    FILTER_REJECT,
    FILTER_TEMPFAIL,
    FILTER_DISCARD,
    FILTER_AWAY,
};

struct filter_job {
    void (*fn)(struct filter_job *j);
    const struct filter_env *env;
    struct fields *fields; /* changed in place */
    struct str body;
    struct spool *new_body; /* where another body goes */
    uint64_t body_max;      /* how large that may be */
    enum filter_verdict verdict;
    char text[FILTER_TEXT_MAX]; /* of a reply the filter chose, "550 5.7.1 no"; or empty */
    bool has_new_body;
    bool is_quarantined;
    struct pool_job pooled; /* its pool is not NULL while under way */
    unsigned changes_n;     /* so far; both start with zero */
    uint64_t new_body_n;
};

must_check struct filter *filter_new(struct loop *l, const char *path);
void filter_free(struct filter *f);
void filter_run(struct filter *f, struct filter_job *j);
void filter_cancel(struct filter_job *j); /* harmless if it is not under way */

#endif
