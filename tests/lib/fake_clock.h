/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_clock - time that stands still until a test moves it
 *
 * Both clocks of clock.h; the monotonic one begins at one hour, the other at 2026-01-01 00:00:00
 * UTC.
 */
#ifndef MR_TESTS_FAKE_CLOCK_H
#define MR_TESTS_FAKE_CLOCK_H

#include <stdint.h>

#define FAKE_CLOCK_WALL_S 1767225600

void fake_clock_start(void);
void fake_clock_stop(void); /* the kernel's time again */
void fake_clock_advance_ms(uint64_t ms);

/* As cmocka's set-up and tear-down. */
int fake_clock_setup(void **state);
int fake_clock_teardown(void **state);

#endif
