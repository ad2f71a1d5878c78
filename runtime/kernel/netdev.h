/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netdev - a network device moves into another network namespace and keeps its addresses
 *
 * Moving takes a device down and its addresses away. So they are looked up before, and set again on
 * the other side, where the device comes up. What is temporary or of the link alone is not kept:
 * the kernel makes it anew. Netlink is spoken directly, to keep a library out of the start path.
 *
 * Limits:    NETDEV_ADDRS_MAX addresses of a device.
 * Memory:    no allocation; may be called between fork and exec.
 * Tests:     tests/unit/runtime/kernel/test_netdev.c, tests/oci/test_netdevices.py
 */
#ifndef MR_KERNEL_NETDEV_H
#define MR_KERNEL_NETDEV_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"

struct err;

#define NETDEV_ADDRS_MAX 64

struct netdev_addr {
    uint8_t family; /* AF_INET, AF_INET6 */
    uint8_t prefix;
    uint8_t n; /* bytes of each of the next; 0 bytes where there is none */
    uint8_t local_n;
    uint8_t broadcast_n;
    uint8_t addr[16]; /* of the other end, on a point-to-point link */
    uint8_t local[16];
    uint8_t broadcast[16];
};

struct netdev {
    int index; /* here */
    struct netdev_addr addrs[NETDEV_ADDRS_MAX];
    size_t addrs_n;
};

/* What is to be known of the device before it goes. */
must_check int netdev_look(const char *name, struct netdev *out, struct err *err);
/* Into the network namespace, and there under that name; "eth%d" becomes the first that is free. */
must_check int netdev_move(const struct netdev *d, int ns_fd, const char *new_name,
                           struct err *err);
/* On the other side: the addresses, and up. */
must_check int netdev_settle(const struct netdev *d, const char *name, struct err *err);

#endif
