/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usernet - the container's network by a helper without privilege: pasta(1) or slirp4netns(1)
 *
 * The helper is started when the network namespace exists and before the container's process goes
 * on; usernet_start returns when the network is up. A minder stays beside the container, a process
 * of our own that sleeps until the container's first process has ended, whoever ended it, and then
 * ends the helper. Nobody needs to be there for that: neither the runtime nor `delete`.
 *
 *     runtime ── minder ── helper        pid namespace of the two: as root alone
 *        └────── init
 *
 * The minder's death is the helper's: by the namespace, else by the parent-death signal, which
 * slirp4netns loses where it becomes another user, so that it ends when a pipe of the minder's
 * does.
 *
 * What is left for `delete` is to wait until the ports are free: it knows both by pid and start
 * time, so that a recycled pid is never signalled. The helper inherits the descriptors that
 * usernet_args.h names and an empty environment; the minder keeps none of the caller's.
 *
 * A helper that ends before its container leaves its last words in USERNET_LOG beside the state.
 *
 * Limits:    USERNET_READY_MS until the network is up.
 * Tests:     tests/unit/runtime/container/test_usernet.c, tests/oci/test_usernet.py
 */
#ifndef MR_CONTAINER_USERNET_H
#define MR_CONTAINER_USERNET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"
#include "runtime/container/usernet_args.h"

struct buf;

#define USERNET_READY_MS \
    10000 /* tens of milliseconds are usual; a guest under emulation needs 2 s */
#define USERNET_LOG "network.log"

struct usernet_process {
    pid_t pid; /* 0: none */
    uint64_t start;
};

struct usernet { /* what the state keeps */
    struct usernet_process minder;
    struct usernet_process helper; /* none where the minder's pid namespace holds it */
};

struct usernet_ask {
    const struct usernet_kind *kind;
    const char *program; /* its path, of usernet_find */
    const struct publish *ports;
    size_t ports_n;
    struct usernet_target target;
    int pid_fd;      /* of the same process */
    const char *dir; /* the state's directory */
    int dir_fd;
};

/* Looks for the helper in $PATH: *kind, or where that is NULL the first there is (pasta, then
 * slirp4netns), which *kind is then. NULL with a sentence that names the package to install. */
must_check const char *usernet_find(struct arena *a, const struct usernet_kind **kind,
                                    struct err *err);

/* On failure, too, *out is what must be given to usernet_end, after the container's process was
 * ended. */
must_check int usernet_start(struct arena *a, const struct usernet_ask *ask, struct usernet *out,
                             struct err *err);

/* Once the container's process has ended: waits for the minder, and ends what does not end. */
void usernet_end(const struct usernet *n);

/* What a helper wrote, as a part of a sentence: without what says nothing, lines joined by "; ". */
void usernet_words(struct str text, struct buf *out);

#endif
