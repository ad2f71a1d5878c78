/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usernet_args - how pasta(1) and slirp4netns(1) are called; pure
 *
 * What the container gets, whichever it is: an interface with addresses and a default route, the
 * ports that were asked for and no others, and no way to what listens on the host's loopback.
 *
 * Which namespace: an ordinary user's helper is given the pid of the container's first process,
 * whose user namespace it joins; root's finds the network namespace as its standard input, for
 * pasta has dropped the capabilities by then that looking at another process takes.
 *
 * Tests:     tests/unit/runtime/container/test_usernet_args.c
 */
#ifndef MR_CONTAINER_USERNET_ARGS_H
#define MR_CONTAINER_USERNET_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/attr.h"

struct arena;
struct err;
struct publish;

/* The helper's descriptors. It has no others. */
#define USERNET_FD_NET  0 /* the network namespace, or /dev/null */
#define USERNET_FD_EXIT 4 /* slirp4netns: hangs up when the minder has ended */

struct usernet_kind {
    const char *name;
    const char *package;
    int ready_fd;   /* becomes readable when the network is up */
    int fds_n;      /* descriptors from 0 on */
    bool ipv6;      /* it publishes on IPv6 addresses, too */
    bool by_socket; /* ports are asked for over USERNET_SOCKET once it is up */
};

/* Beneath the state's directory, where nobody else comes, and where the helper starts: it may make
 * its socket there as whoever it is by then, which is user 0 of the container's user namespace. */
#define USERNET_DIR    "network"
#define USERNET_SOCKET "slirp.sock"

extern const struct usernet_kind usernet_pasta;
extern const struct usernet_kind usernet_slirp4netns;

struct usernet_target {
    pid_t pid; /* of the container's first process */
    bool root; /* the caller is user 0 of its user namespace */
};

/* Checks that the helper can publish all of them. */
must_check int usernet_check_ports(const struct usernet_kind *kind, const struct publish *ports,
                                   size_t n, struct err *err);

/* argv with its NULL, in the arena; NULL if that is full. */
must_check char *const *usernet_args(struct arena *a, const struct usernet_kind *kind,
                                     const struct usernet_target *target,
                                     const struct publish *ports, size_t n);

#endif
