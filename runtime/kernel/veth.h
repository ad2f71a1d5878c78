/* SPDX-License-Identifier: Apache-2.0 */
/*
 * veth - a pair of virtual interfaces between this network namespace and that of a process
 *
 * The pair ends when either end does: with the namespace of the process, or by veth_delete.
 *
 * Errors:    netlink's answer in libnl's words; err->code is 0 then.
 * Tests:     tests/stack/test_authority.py
 */
#ifndef MR_KERNEL_VETH_H
#define MR_KERNEL_VETH_H

#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"

struct err;

struct veth {
    const char *name;      /* here; at most 15 bytes */
    const char *peer_name; /* there */
    uint32_t addr;         /* here, in network order */
    uint32_t peer_addr;    /* there, with a default route over `addr` */
    unsigned bits;         /* of the network both are in */
};

/* Makes the pair and sets up both ends; lo is up there too. */
must_check int veth_attach(const struct veth *v, pid_t pid, struct err *err);
/* An absent interface is no error. */
must_check int veth_delete(const char *name, struct err *err);
/* The next free /30 of 10.89.0.0/16, counted from `seed`: no address or route here overlaps it. */
must_check int veth_free_network(uint32_t seed, uint32_t *network, struct err *err);

#endif
