/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialpolicy - where a service may dial to; pure
 *
 * A port of its row is needed always. Then an address that `routes` or `relay` names with that
 * port, or one in `dial.allow`, is let through; any other must be a public unicast address that is
 * not one of this host's. IPv4 addresses mapped into IPv6 are judged as IPv4.
 *
 * Tests:     tests/unit/runtime/stack/test_dialpolicy.c
 */
#ifndef MR_STACK_DIALPOLICY_H
#define MR_STACK_DIALPOLICY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "runtime/base/attr.h"
#include "runtime/spec/stack.h"
#include "runtime/stack/svc.h"

struct arena;

struct dialpolicy {
    uint16_t ports[SVC_DIAL_MAX];
    size_t ports_n;
    struct stack_nets allow;
    struct sockaddr_storage *named; /* literal addresses of routes and relay, with their port */
    size_t named_n;
};

void dialpolicy_make(struct arena *a, const struct stack_config *c, const struct svc *s,
                     struct dialpolicy *out);

/* NULL: allowed; else the reason, a literal. `own` are this host's addresses. */
const char *dialpolicy_refuses(const struct dialpolicy *p, const struct sockaddr_storage *to,
                               const struct sockaddr_storage *own, size_t own_n);

#endif
