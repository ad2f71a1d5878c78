/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon - the skeleton every daemon's main is made of
 *
 * daemon_main parses `NAME -c FILE [--check] [--version] [--help]`, loads the configuration, takes
 * the given descriptors (given.h), maps the counters, makes the loop, watches the signals, calls
 * `start`, seals the process (no execve from here on, by a second seccomp filter where no_new_privs
 * is set) and says READY=1. SIGHUP loads the configuration anew and calls `reload`; if either
 * fails, the old one stays and a warning says why. SIGTERM calls `drain`; the daemon ends by
 * loop_stop when its work is done, or after the grace time of DAEMON_DRAIN_S.
 *
 * Exit codes: 0 ended as asked, 1 failed, 2 wrong usage or configuration.
 * Tests:      tests/unit/mailstack/lib/daemon/test_daemon.c
 */
#ifndef MR_DAEMON_DAEMON_H
#define MR_DAEMON_DAEMON_H

#include "runtime/base/attr.h"
#include "runtime/base/jv.h"

struct counter_page;
struct err;
struct given;
struct loop;

#define DAEMON_DRAIN_S  20
#define DAEMON_CONF_MAX (8u << 20)

struct daemon {
    const char *name;
    struct loop *loop;
    struct given *given;
    struct counter_page *counters;
    void *ctx; /* the daemon's own */
};

struct daemon_ops {
    const char *name;               /* "smtpd" */
    const char *what;               /* one line for --help */
    const char *const *descriptors; /* names it listens on, NULL-terminated: "smtp", ... */
    /* Checks and takes the configuration into a new struct; `conf` lives until the next load that
     * succeeds. */
    int (*load)(struct daemon *d, const struct jv *conf, struct err *err);
    int (*start)(struct daemon *d, struct err *err); /* after the first load */
    void (*reload)(struct daemon *d);                /* after a later one; may be NULL */
    void (*drain)(struct daemon *d);                 /* NULL: stop at once */
};

/* The whole of main: returns the exit code. */
must_check int daemon_main(int argc, char **argv, const struct daemon_ops *ops);

/* sd_notify; nothing if there is no NOTIFY_SOCKET. */
void daemon_notify(const char *state);
/* No execve, execveat from now on (EPERM), for this process and its children. */
must_check int daemon_seal(struct err *err);

#endif
