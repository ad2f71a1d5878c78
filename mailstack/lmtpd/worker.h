/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker - one worker process: accepts connections and serves them in turn
 *
 * A worker waits on its listening sockets and on all its idle sessions at once, and works off
 * whichever has input. While it delivers, the others wait in the backlog or for another worker: a
 * worker that has sessions lets an idle one accept first.
 *
 * SIGTERM:   finishes the command in hand, says 421 to every session, returns.
 * Limits:    WORKER_SESSIONS_MAX sessions each.
 *
 * Tests:     tests/mail/test_lmtp.py
 */
#ifndef MR_LMTPD_WORKER_H
#define MR_LMTPD_WORKER_H

#include <stddef.h>

#include "runtime/base/attr.h"

struct err;
struct session_env;

#define WORKER_SESSIONS_MAX 64
#define WORKER_LISTEN_MAX   16

struct worker {
    const struct session_env *env;
    int listen_fd[WORKER_LISTEN_MAX];
    size_t listen_n;
};

must_check int worker_run(const struct worker *w, struct err *err);

#endif
