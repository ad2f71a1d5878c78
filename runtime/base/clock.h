/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - monotonic and wall time, replaceable in tests
 *
 * Tests:     tests/unit/runtime/base/test_clock.c
 */
#ifndef MR_BASE_CLOCK_H
#define MR_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

uint64_t clock_now_ms(void); /* monotonic, for timers and deadlines */
int64_t clock_wall_s(void);  /* seconds since the epoch */
int64_t clock_wall_us(void); /* microseconds since the epoch */

/* "2026-02-28T23:59:59.000000001Z", as RFC 3339 has it. Unlike gmtime_r it looks for no time zones,
 * which takes six system calls. Any time of this era: from year 1 to 9999. */
#define CLOCK_TEXT_MAX 48
void clock_text(const struct timespec *t, char out[CLOCK_TEXT_MAX]);

/* Puts other sources in place (NULL: the kernel's again). Tests only. */
void clock_replace(uint64_t (*mono_us)(void), int64_t (*wall_us)(void));

#endif
