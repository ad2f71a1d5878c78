/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peers - how many connections each address has, and all together, in every worker
 *
 * A page of counters for each worker, shared by all: a worker writes its own and reads the others'.
 * Addresses are hashed with a random key into PEERS_SLOTS counters; two that share one count
 * together, which at worst refuses a busy address a little early. Of IPv6 a /64 is one address: so
 * much has every customer.
 *
 * A worker that was killed leaves its page behind; the one that takes its place takes the page and
 * begins at 0. While workers are replaced (a reload) old and new exist, so each number has two
 * pages; the owner is its pid.
 *
 * Owner:     the parent makes it, before it forks; each worker claims a page.
 * Tests:     tests/unit/mailstack/lib/net/test_peers.c
 */
#ifndef MR_NET_PEERS_H
#define MR_NET_PEERS_H

#include <netinet/in.h>
#include <stddef.h>

#include "runtime/base/attr.h"

struct err;
struct peers;

#define PEERS_SLOTS 2044 /* with what else a page holds: 4096 bytes */

struct peers_count {
    size_t of_address;
    size_t all;
};

must_check struct peers *peers_new(unsigned workers, struct err *err);
void peers_free(struct peers *p);
/* In worker number i, after the fork, before the first connection. */
void peers_claim(struct peers *p, unsigned i);
/* Counts one more, and says how many there are now. */
struct peers_count peers_enter(struct peers *p, const struct in6_addr *ip);
void peers_leave(struct peers *p, const struct in6_addr *ip);

#endif
