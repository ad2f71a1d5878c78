/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify - a container's "I am ready" goes on to the service manager that started us
 *
 * The service manager's socket ($NOTIFY_SOCKET) is not shown to the container: it gets a socket of
 * its own in ROOT/ID/notify, which is bound to CONTAINER_NOTIFY_TARGET. Of what arrives there only
 * READY=1 is passed on, together with MAINPID, the container's init as the host knows it.
 *
 * Tests:     tests/unit/runtime/container/test_notify.c, tests/oci/test_notify.py
 */
#ifndef MR_CONTAINER_NOTIFY_H
#define MR_CONTAINER_NOTIFY_H

#include <sys/types.h>

#include "runtime/base/attr.h"

struct err;

#define NOTIFY_DIR "notify" /* of the state */

/* Makes the directory of the container's socket; dir_fd: of ROOT/ID. */
must_check int notify_make(int dir_fd, struct err *err);
/* Binds the socket in ROOT/ID/notify (dir: ROOT/ID); returns its descriptor. */
must_check int notify_bind(const char *dir, struct err *err);

/* Takes what has arrived. 1: the container is ready, which the service manager was told (host: its
 * socket, a path or "@name"); 0: nothing of interest; -1. */
must_check int notify_pass(int fd, const char *host, pid_t pid, struct err *err);

#endif
