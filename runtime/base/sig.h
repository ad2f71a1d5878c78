/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sig - signals as loop events, through signalfd
 *
 * sig_watch blocks the signals for the process and calls fn from the loop. SIGPIPE is ignored from
 * then on. sig_reset undoes both in a child before exec.
 *
 * Tests:     tests/unit/runtime/base/test_sig.c
 */
#ifndef MR_BASE_SIG_H
#define MR_BASE_SIG_H

#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/base/loop.h"

struct err;

struct sig_watch {
    struct loop_io io;
    void (*fn)(struct sig_watch *w, int signo);
};

/* signals: zero-terminated list. */
must_check int sig_watch(struct loop *l, struct sig_watch *w, const int *signals, struct err *err);
void sig_unwatch(struct sig_watch *w);
void sig_reset(void);

/* "SIGTERM", "TERM", "term" or "15" to a number; -1 with err. And back: "SIGTERM". */
must_check int sig_parse(const char *name, struct err *err);
const char *sig_name(int signo);

/* SIGTERM, SIGINT, SIGHUP, SIGQUIT: by these somebody asks a process to end. */
bool sig_asks_for_the_end(int signo);

#endif
