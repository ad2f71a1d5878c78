/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen - the ports of a stack, bound once and kept while services come and go
 *
 * A connection that arrives while its service is being restarted waits in the backlog. A changed
 * configuration keeps what both ask for: all new ports are bound before any old one is closed, and
 * until then nothing has changed.
 *
 * Lifetime:  struct in place; listen_done closes everything.
 * Tests:     tests/unit/runtime/stack/test_listen.c
 */
#ifndef MR_STACK_LISTEN_H
#define MR_STACK_LISTEN_H

#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/spec/stack.h"

struct err;

#define LISTEN_BACKLOG 1024
#define LISTEN_MAX     (STACK_PORTS * STACK_LISTEN_MAX)

struct listen_socket {
    enum stack_port port;
    struct sockaddr_storage sa;
    int fd;
};

struct listen { /* zeroed is empty */
    struct listen_socket v[LISTEN_MAX];
    size_t n;
};

/* Binds what c asks for and l does not have. Addresses of c that are optional and that this host
 * cannot have leave c, so that what is handed to a service is what its configuration names. */
must_check int listen_prepare(const struct listen *l, struct stack_config *c, struct listen *next,
                              struct err *err);
void listen_commit(struct listen *l, struct listen *next);        /* next takes l's place */
void listen_abandon(const struct listen *l, struct listen *next); /* next was never to be */
void listen_done(struct listen *l);

#endif
