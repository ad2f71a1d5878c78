/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - monotonic and wall time, replaceable in tests
 *
 * Tests:     tests/unit/runtime/base/test_clock.c
 */
#ifndef MR_BASE_CLOCK_H
#define MR_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_now_ms(void); /* monotonic, for timers and deadlines */
uint64_t clock_now_us(void); /* monotonic, for measuring */
int64_t clock_wall_s(void);  /* seconds since the epoch */
int64_t clock_wall_us(void); /* microseconds since the epoch */

/* Puts other sources in place (NULL: the kernel's again). Tests only. */
void clock_replace(uint64_t (*mono_us)(void), int64_t (*wall_us)(void));

#endif
