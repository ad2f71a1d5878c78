/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry - when to try again; pure
 *
 * The first wait is first_s, each next one twice as long up to max_s. The last attempt is made at
 * the time of giving up, give_up_s after arrival.
 *
 * Tests:     tests/unit/mailstack/queued/test_retry.c
 */
#ifndef MR_QUEUED_RETRY_H
#define MR_QUEUED_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct conf;

#define RETRY_DELAY_S 14400 /* RFC 5321: a sender who asked hears of a delay after some hours */

/* The time of the next attempt after `attempts` that failed, the last one now. */
int64_t retry_next(const struct conf *c, int64_t arrival_s, uint32_t attempts, int64_t now_s);
bool retry_is_over(const struct conf *c, int64_t arrival_s, int64_t now_s);
/* Time to tell those who asked that it takes long. */
bool retry_is_late(const struct conf *c, int64_t arrival_s, int64_t now_s);

#endif
