/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/retry.h"

#include "mailstack/queued/conf.h"

int64_t retry_next(const struct conf *c, int64_t arrival_s, uint32_t attempts, int64_t now_s)
{
    int64_t end_s = arrival_s + c->give_up_s;
    int64_t wait_s = c->first_s;

    for (uint32_t i = 1; i < attempts && wait_s < c->max_s; i++)
        wait_s *= 2;
    if (wait_s > c->max_s)
        wait_s = c->max_s;
    if (now_s < end_s && now_s + wait_s > end_s)
        return end_s;
    return now_s + wait_s;
}

bool retry_is_over(const struct conf *c, int64_t arrival_s, int64_t now_s)
{
    return now_s >= arrival_s + c->give_up_s;
}

bool retry_is_late(const struct conf *c, int64_t arrival_s, int64_t now_s)
{
    int64_t late_s = c->give_up_s / 2 < RETRY_DELAY_S ? c->give_up_s / 2 : RETRY_DELAY_S;

    return now_s >= arrival_s + late_s;
}
