/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route - where mail for a domain goes next; pure
 *
 * In this order: our own domains to lmtpd; the route of the domain, or the one of "*"; the relay;
 * an address literal to that address; else the domain's MX records. The key names the next hop:
 * what has the same key may share a connection.
 *
 * Tests:     tests/unit/mailstack/queued/test_route.c
 */
#ifndef MR_QUEUED_ROUTE_H
#define MR_QUEUED_ROUTE_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct conf;
struct err;

#define ROUTE_HOST_MAX 255
#define ROUTE_KEY_MAX  (ROUTE_HOST_MAX + 16)

enum route_kind {
    ROUTE_LMTP,
    ROUTE_HOST,  /* one host, named or numeric */
    ROUTE_RELAY, /* the same, with AUTH where it is configured */
    ROUTE_MX,
};

struct route {
    enum route_kind kind;
    uint16_t port;
    char host[ROUTE_HOST_MAX + 1]; /* of ROUTE_MX: the domain, as DNS has it */
    char key[ROUTE_KEY_MAX + 1];
};

/* The domain may be UTF-8 (RFC 6531). -1: it is no domain, err says why. */
must_check int route_find(const struct conf *c, struct str domain, struct route *out,
                          struct err *err);

#endif
