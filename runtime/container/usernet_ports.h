/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usernet_ports - can the host's side of these ports be had?
 *
 * pasta goes on as long as one address of a port can be bound, and says nothing of the other: a
 * port that somebody else has on IPv4 alone would lead to them. So each is bound for a moment, all
 * of them at the same time, before the helper is started; whoever takes one in between is still
 * told by the helper.
 *
 * Tests:     tests/unit/runtime/container/test_usernet_ports.c
 */
#ifndef MR_CONTAINER_USERNET_PORTS_H
#define MR_CONTAINER_USERNET_PORTS_H

#include <stddef.h>

#include "runtime/base/attr.h"

struct err;
struct publish;

must_check int usernet_ports_try(const struct publish *ports, size_t n, struct err *err);

#endif
