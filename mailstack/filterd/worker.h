/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker - one worker process: an event loop with the connections of many MTAs
 *
 * An MTA has one connection for each SMTP client it serves, so there may be thousands; nearly all
 * of them wait. Nothing here blocks: a message that waits for DNS waits beside the others.
 *
 * SIGTERM:   takes no more connections; closes those without a message at once, the others when
 *            their message is judged or after WORKER_DRAIN_MS.
 * Limits:    WORKER_SESSIONS_MAX connections; more wait in the backlog.
 * Tests:     tests/mail/test_filterd.py
 */
#ifndef MR_FILTERD_WORKER_H
#define MR_FILTERD_WORKER_H

#include <stddef.h>

#include "runtime/base/attr.h"

#include "mailstack/filterd/session.h"

struct conf;
struct err;

#define WORKER_SESSIONS_MAX 1000
#define WORKER_LISTEN_MAX   16
#define WORKER_DRAIN_MS     10000

struct worker {
    const struct conf *conf;
    struct session_counters counters;
    int listen_fd[WORKER_LISTEN_MAX];
    size_t listen_n;
};

must_check int worker_run(const struct worker *w, struct err *err);

#endif
