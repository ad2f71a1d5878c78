/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers - a fixed set of worker processes, kept up by their parent
 *
 * The parent forks n workers that run fn(i, ctx) and exit with its result. A worker that dies is
 * logged and replaced, with a back-off of up to WORKERS_BACKOFF_MAX_MS when it dies at once again
 * and again. Signals: SIGTERM to the parent is passed on; the parent's loop stops when all are
 * gone, those that were replaced too. A worker inherits the listening descriptors and makes a loop
 * of its own (or none).
 *
 * Tests:     tests/unit/mailstack/lib/daemon/test_workers.c
 */
#ifndef MR_DAEMON_WORKERS_H
#define MR_DAEMON_WORKERS_H

#include <stdbool.h>

#include "runtime/base/attr.h"

struct err;
struct loop;
struct workers;

#define WORKERS_BACKOFF_MAX_MS 10000

/* fn runs in the child, with signals as a fresh process has them, and returns the exit code. */
must_check struct workers *workers_start(struct loop *l, unsigned n,
                                         int (*fn)(unsigned i, void *ctx), void *ctx,
                                         struct err *err);
void workers_signal(struct workers *all, int signo); /* to all of them */
/* Begins a new set, with what ctx holds now, and sends SIGTERM to the old one, whose workers leave
 * when their work is done. Descriptors they listen on are shared: no connection is lost. */
void workers_replace(struct workers *all);
void workers_drain(struct workers *all); /* SIGTERM to all; loop_stop when the last is gone */
void workers_free(struct workers *all);

#endif
