/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtpd - what one worker process of smtpd has, and what a service is
 *
 * One event loop per worker; sessions hang on it. Connections to authd, the filter, lmtpd and
 * queued are the worker's and shared by its sessions.
 */
#ifndef MR_SMTPD_SMTPD_H
#define MR_SMTPD_SMTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/list.h"

struct auth_client;
struct conf;
struct counter;
struct dns_client;
struct filter;
struct lmtp;
struct loop;
struct peers;
struct room;
struct tls_ctx;

/* What is spoken on a listening socket; its name is the descriptor's. */
struct service {
    const char *name;
    bool is_submission; /* login needed; mail to anywhere */
    bool implicit_tls;
};

struct smtpd {
    const struct conf *conf;
    unsigned number;    /* of this worker */
    int64_t last_id_us; /* of the last queue id */
    struct loop *loop;
    struct tls_ctx *tls;
    struct auth_client *auth;
    struct dns_client *dns; /* NULL: none */
    struct filter *filter;  /* NULL: none */
    struct lmtp *local;
    struct lmtp *queue; /* NULL: none */
    struct room *room;
    struct list sessions;
    size_t sessions_n;
    size_t txns_n; /* messages under way whose client may be gone */
    struct peers *peers;
    bool draining;
    struct counter *connections;
    struct counter *refused_connections;
    struct counter *messages;
    struct counter *bytes;
    struct counter *refused_messages;
    struct counter *refused_rcpts;
    struct counter *logins;
    struct counter *login_failures;
};

/* Draining and nothing left to do: stops the loop. */
void smtpd_check_end(struct smtpd *d);

#endif
