/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnsnet - the network of dnsd, the only service that has one
 *
 * A veth pair into the namespace of its container, a /30 of private addresses, forwarding, and a
 * table that lets out DNS alone (kernel/nat.h). Forwarding is a switch of the whole network
 * namespace: it is counted over all stacks of this machine in TOP/.forward and put back to what it
 * was by the last.
 *
 * Where the kernel cannot do it (no nf_tables), dnsnet_up says why and dnsd shares the host's
 * network; `status` tells.
 *
 * Tests:     tests/stack/test_authority.py
 */
#ifndef MR_STACK_DNSNET_H
#define MR_STACK_DNSNET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/spec/stack.h"
#include "runtime/stack/layout.h"

struct err;

struct dnsnet {
    bool up;
    char interface[16];
    char table[96];
    const char *top;
    const char *id;
    uint32_t network; /* in network order */
};

/* The names alone, for cleaning up. */
void dnsnet_init(struct dnsnet *d, const struct layout *l);
/* Forwarding and the table. */
must_check int dnsnet_up(struct dnsnet *d, const struct stack_config *c, struct err *err);
/* The pair, into the namespace of a container that was created and not started. */
must_check int dnsnet_attach(struct dnsnet *d, pid_t pid, struct err *err);
/* Everything away; whatever is not there is no error. */
must_check int dnsnet_down(struct dnsnet *d, struct err *err);

#endif
