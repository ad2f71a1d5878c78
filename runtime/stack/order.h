/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order - which service waits for which; pure
 *
 * A service starts when all it comes after are up, and stops when all that come after it are down.
 *
 * Tests:     tests/unit/runtime/stack/test_order.c
 */
#ifndef MR_STACK_ORDER_H
#define MR_STACK_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"

struct err;
struct svc_table;

struct order { /* [a][b]: a comes after b */
    bool after[16][16];
    size_t n;
};

/* -1 with the names where the table has a cycle or names a service that is not there. */
must_check int order_make(const struct svc_table *t, struct order *out, struct err *err);
/* All that i comes after are either not wanted or up. */
bool order_may_start(const struct order *o, size_t i, const bool *wanted, const bool *up);
/* All that come after i are down, or are to stay without it. */
bool order_may_stop(const struct order *o, size_t i, const bool *wanted, const bool *down);

#endif
