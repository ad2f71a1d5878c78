/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cidr - networks in CIDR notation, and whether an address is in one; pure
 *
 * IPv4 is kept as IPv4-mapped IPv6, so that one comparison serves both and a mapped address matches
 * its IPv4 network.
 *
 * Tests:     tests/unit/mailstack/lib/net/test_cidr.c
 * Fuzz:      tests/fuzz/mailstack/lib/net/fuzz_cidr.c
 */
#ifndef MR_NET_CIDR_H
#define MR_NET_CIDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define CIDR_TEXT_MAX 64

struct cidr {
    struct in6_addr net;
    unsigned bits; /* of 128 */
};

/* "192.0.2.0/24", "2001:db8::/32", or an address alone. Bits behind the prefix must be 0. */
must_check int cidr_parse(struct str s, struct cidr *out, struct err *err);
bool cidr_has(const struct cidr *c, const struct in6_addr *a);
/* The address of a peer, without the port; false if it is not an internet address. */
bool cidr_addr(const struct sockaddr_storage *a, struct in6_addr *out);

#endif
