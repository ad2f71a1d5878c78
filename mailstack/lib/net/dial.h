/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dial - an outbound TCP connection, asked of the supervisor, blocking
 *
 * Where a "dial" socket was given, the connection is made by the supervisor under the service's
 * policy (runtime/base/dialmsg.h); else by this process itself. Several worker processes may share
 * the socket only through one owner: see queued.
 *
 * Errors:    EACCES with the supervisor's words where its policy refuses; else the kernel's errno.
 * Tests:     tests/unit/mailstack/lib/net/test_dial.c
 */
#ifndef MR_NET_DIAL_H
#define MR_NET_DIAL_H

#include <stdint.h>
#include <sys/socket.h>

#include "runtime/base/attr.h"

struct err;

/* dial_fd -1: connect directly. Returns a connected, cloexec descriptor. */
must_check int dial_tcp(int dial_fd, const struct sockaddr_storage *to, uint32_t timeout_ms,
                        struct err *err);

#endif
