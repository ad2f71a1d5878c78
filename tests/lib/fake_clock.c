/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fake_clock.h"

#include <stddef.h>

#include "runtime/base/clock.h"

#define MONO_START_US 3600000000ULL

static uint64_t moved_us;

static uint64_t mono_us(void)
{
    return MONO_START_US + moved_us;
}

static int64_t wall_us(void)
{
    return (int64_t)FAKE_CLOCK_WALL_S * 1000000 + (int64_t)moved_us;
}

void fake_clock_start(void)
{
    moved_us = 0;
    clock_replace(mono_us, wall_us);
}

void fake_clock_stop(void)
{
    clock_replace(NULL, NULL);
}

void fake_clock_advance_ms(uint64_t ms)
{
    moved_us += ms * 1000;
}

int fake_clock_setup(void **state)
{
    (void)state;
    fake_clock_start();
    return 0;
}

int fake_clock_teardown(void **state)
{
    (void)state;
    fake_clock_stop();
    return 0;
}
