/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff - when to start a service again; pure
 *
 * The first restart is immediate, the following wait 100 ms, 200 ms, ... up to BACKOFF_MAX_MS. A
 * service that was up for BACKOFF_GOOD_MS begins anew.
 *
 * Tests:     tests/unit/runtime/stack/test_backoff.c
 */
#ifndef MR_STACK_BACKOFF_H
#define MR_STACK_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   30000
#define BACKOFF_GOOD_MS  10000

struct backoff { /* zeroed is the start */
    unsigned fails;
};

/* The service ended after up_ms: how long to wait. */
uint64_t backoff_next(struct backoff *b, uint64_t up_ms);

#endif
