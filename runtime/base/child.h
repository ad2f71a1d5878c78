/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child - processes as loop events, through pidfd
 *
 * Tests:     tests/unit/runtime/base/test_child.c
 */
#ifndef MR_BASE_CHILD_H
#define MR_BASE_CHILD_H

#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/loop.h"

struct err;

struct child {
    struct loop_io io;
    pid_t pid;  /* 0 once it has been waited for */
    int pid_fd; /* -1 likewise */
    int status; /* as of waitpid, valid in fn */
    void (*fn)(struct child *c);
};

/* Watches a direct child; when it ends it is reaped and fn called once. */
must_check int child_watch(struct loop *l, struct child *c, pid_t pid, struct err *err);
void child_unwatch(struct child *c); /* closes the pidfd; does not kill or wait */
must_check int child_kill(struct child *c, int signo,
                          struct err *err); /* by pidfd: never a stranger */

#define CHILD_TEXT_MAX 64
/* "exited with 1", "killed by SIGSEGV", "killed by SIGKILL (core dumped)". */
void child_describe(int status, char out[CHILD_TEXT_MAX]);
/* The exit status a shell would give: code, or 128 + signal. */
int child_exit_code(int status);

#endif
