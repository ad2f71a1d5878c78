/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join - what a process needs that enters a running container, whatever it does there
 *
 * Tests:     tests/oci/test_cli.py, tests/oci/test_mounts.py
 */
#ifndef MR_CONTAINER_JOIN_H
#define MR_CONTAINER_JOIN_H

#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/container/state.h"
#include "runtime/kernel/seccomp.h"

struct err;
struct init;
struct maker;
struct oci_config;
struct plan_facts;

/* What container_look found. */
struct container_view {
    struct state state; /* its dir_fd is -1 */
    struct oci_config *config;
    struct seccomp_program filter; /* n 0: to be made of the configuration */
};

/* Loads the container's state and configuration, or takes them from the view, and opens its init; a
 * container that does not run is an error. */
must_check int join_prepare(struct maker *m, const char *id, const struct container_view *view,
                            struct oci_config **c, struct err *err);

/* m->cgroup as the v2 group that the init is in now: a container may have moved it beneath its own,
 * in order to pass controllers down, and then that one takes no process any more. */
must_check int join_follow_init(struct maker *m, struct err *err);

/* Can a process of the container get hold of the one that is to join it, before it has? */
bool join_is_seen(const struct init *in);

/* Is a container that joins others' pid namespace, but no user namespace, to be made outside of it
 * (steps_pid.c)? Only with mounts of its own is there a host to leave. Hooks that are told the
 * process before want to find it where it is to be, in the pid namespace, and the host in its
 * mounts; and a limit of one or two processes, which systemd sets before, leaves nobody to make it:
 * such a container is seen. (From a user namespace nobody enters that of those
 * who are not in it; whoever is in it as well may not look into the process.) */
bool join_hides(const struct oci_config *c, const struct plan_facts *f);

#endif
