/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener - the notify descriptor of a system call filter goes to the program that answers
 *
 * The program listens at linux.seccomp.listenerPath and gets one message: the "container process
 * state" of the OCI specification as JSON, with the descriptor.
 *
 * Tests:     tests/unit/runtime/container/test_listener.c, tests/oci/test_seccomp.py
 */
#ifndef MR_CONTAINER_LISTENER_H
#define MR_CONTAINER_LISTENER_H

#include <sys/types.h>

#include "runtime/base/attr.h"

struct buf;
struct container_state;
struct err;
struct oci_seccomp;

/* pid: the process under the filter, which in an exec is not the container's init. */
must_check int listener_hand(const struct oci_seccomp *s, const struct container_state *state,
                             pid_t pid, int listener_fd, struct err *err);
/* The message; pure. */
void listener_format(const struct oci_seccomp *s, const struct container_state *state, pid_t pid,
                     struct buf *out);

#endif
