/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/clock.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

static uint64_t (*replaced_mono_us)(void);
static int64_t (*replaced_wall_us)(void);

static int64_t kernel_us(clockid_t id)
{
    struct timespec ts = {0};

    (void)clock_gettime(id, &ts); /* cannot fail for these clocks */
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static uint64_t monotonic_us(void)
{
    return replaced_mono_us != NULL ? replaced_mono_us() : (uint64_t)kernel_us(CLOCK_MONOTONIC);
}

uint64_t clock_now_ms(void)
{
    return monotonic_us() / 1000;
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

#define DAY_S       86400
#define ERA_DAYS    146097 /* of 400 years, after which the calendar repeats itself */
#define EPOCH_DAYS  719468 /* from 1 March of the year 0 to 1 January 1970 */
#define CENTURY     36524
#define FOUR_YEARS  1461
#define YEAR        365
#define FIVE_MONTHS 153 /* March to July, and August to December, have as many days */

/* Years begin in March here, so that the day that comes and goes is the last one. */
void clock_text(const struct timespec *t, char out[CLOCK_TEXT_MAX])
{
    int64_t s = t->tv_sec % DAY_S + (t->tv_sec % DAY_S < 0 ? DAY_S : 0);
    int64_t days = (t->tv_sec - s) / DAY_S + EPOCH_DAYS, era = days / ERA_DAYS;
    int64_t day = days % ERA_DAYS;
    int64_t year = (day - day / (FOUR_YEARS - 1) + day / CENTURY - day / (ERA_DAYS - 1)) / YEAR;
    int64_t of_year = day - (YEAR * year + year / 4 - year / 100);
    int64_t march = (5 * of_year + 2) / FIVE_MONTHS; /* months since */
    int64_t month = march < 10 ? march + 3 : march - 9;

    (void)snprintf(out, CLOCK_TEXT_MAX,
                   "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "T%02" PRId64 ":%02" PRId64
                   ":%02" PRId64 ".%09ldZ",
                   era * 400 + year + (month <= 2), month,
                   of_year - (FIVE_MONTHS * march + 2) / 5 + 1, s / 3600, s / 60 % 60, s % 60,
                   t->tv_nsec);
}
