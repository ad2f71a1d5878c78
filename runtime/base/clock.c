/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/clock.h"

#include <stddef.h>
#include <time.h>

static uint64_t (*replaced_mono_us)(void);
static int64_t (*replaced_wall_us)(void);

static int64_t kernel_us(clockid_t id)
{
    struct timespec ts = {0};

    (void)clock_gettime(id, &ts); /* cannot fail for these clocks */
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

uint64_t clock_now_us(void)
{
    return replaced_mono_us != NULL ? replaced_mono_us() : (uint64_t)kernel_us(CLOCK_MONOTONIC);
}

uint64_t clock_now_ms(void)
{
    return clock_now_us() / 1000;
}

int64_t clock_wall_us(void)
{
    return replaced_wall_us != NULL ? replaced_wall_us() : kernel_us(CLOCK_REALTIME);
}

int64_t clock_wall_s(void)
{
    return clock_wall_us() / 1000000;
}

void clock_replace(uint64_t (*mono_us)(void), int64_t (*wall_us)(void))
{
    replaced_mono_us = mono_us;
    replaced_wall_us = wall_us;
}
