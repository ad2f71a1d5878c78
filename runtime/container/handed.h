/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handed - what a maker makes for its child while that makes its namespaces
 *
 * On v1 the child begins at once and its maker sees to the groups meanwhile. The network namespace
 * alone takes the child longer than that, so the maker also makes what is the same whoever makes
 * it: file systems that are not of a namespace, and the doors of the groups. The descriptors go
 * over the sync socket into the same places of the child's struct init. What is missing there the
 * child makes itself, and tells why it cannot. Mounts are the child's alone: the kernel lists them
 * in the order in which they were made.
 *
 * Lifetime:  what was sent is closed on the sender's side, also by a failure.
 * Tests:     tests/oci/test_run.py, tests/oci/test_mounts.py
 */
#ifndef MR_CONTAINER_HANDED_H
#define MR_CONTAINER_HANDED_H

#include "runtime/base/attr.h"

struct err;
struct init;

/* The maker's: STEP_HAND_MOUNTS, and the groups' part of STEP_CGROUP_ADMIT. Of a child that is
 * gone: sync_is_gone. */
must_check int handed_send_mounts(struct init *in, int sync_fd, struct err *err);
must_check int handed_send_groups(struct init *in, int sync_fd, struct err *err);
/* The child's: waits for the groups; the file systems are STEP_TAKE_MOUNTS. */
must_check int handed_take_groups(struct init *in, struct err *err);

#endif
