/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nat - one nf_tables table that lets one address out, for DNS and nothing else
 *
 * From `addr`, which arrives on `interface`, only UDP and TCP to the given servers (or to port 53
 * of anyone, if none are given) pass and are masqueraded; answers come back; everything else
 * between that interface and others, or this host, is dropped. The table's name is the caller's, so
 * that nat_delete finds it again after a crash.
 *
 * Tests:     tests/stack/test_authority.py
 */
#ifndef MR_KERNEL_NAT_H
#define MR_KERNEL_NAT_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"

struct err;

#define NAT_SERVERS_MAX 32

struct nat_server { /* in network order */
    uint32_t addr;
    uint16_t port;
};

struct nat {
    const char *table;
    const char *interface;
    uint32_t addr;
    const struct nat_server *servers;
    size_t servers_n;
};

/* Replaces a table of that name. */
must_check int nat_add(const struct nat *n, struct err *err);
/* An absent table is no error. */
must_check int nat_delete(const char *table, struct err *err);

#endif
