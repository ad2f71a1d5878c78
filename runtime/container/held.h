/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held - a process that is held up, before it could execute anything, by a group that stands still
 *
 * A container that is paused while a process is started in it (run, start, exec, mounts add), or
 * one that has frozen the group the process goes to, would be waited for without end, and the
 * signals of a foreground exec with it.
 * So who waits looks at the groups now and then, and gives up: nothing has been executed.
 *
 * Limits:    HELD_LOOKS_MAX looks in a row, HELD_LOOK_MS apart. An engine that pauses a container
 * to copy something out of it is mostly quicker, and the start then goes on.
 *
 * Tests:     tests/unit/runtime/container/test_held.c, tests/oci/attack/test_hold_up.py
 */
#ifndef MR_CONTAINER_HELD_H
#define MR_CONTAINER_HELD_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct cgroup;
struct cgroup_hier;
struct err;
struct pollfd;

#define HELD_LOOK_MS   100
#define HELD_LOOKS_MAX 20

/* The path in the hierarchy as the text of /proc/PID/cgroup has it; none where it does not say, or
 * where it is not beneath the mount. Pure. */
struct str held_path(struct str text, const struct cgroup_hier *h);

/* The group, or one above it, is frozen or on the way there. */
bool held_group(const struct cgroup_hier *h);
/* Is the process in such a group of one of g's hierarchies? Into which it may have been moved. */
bool held_process(const struct cgroup *g, pid_t pid);

/* Waits until the process says something on the socket (events: POLLIN) or has closed it (0), but
 * not for one that stands still: *held. */
must_check int held_await(const struct cgroup *g, pid_t pid, struct pollfd *sock, bool *held,
                          struct err *err);

/* Ends a child that stands still. On v1 it has to be taken out of its group for that; where that is
 * not permitted it stays, and ends instead of going on: -1. */
int held_end(const struct cgroup *g, pid_t pid, int pid_fd);

#endif
