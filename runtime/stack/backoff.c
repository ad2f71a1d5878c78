/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/backoff.h"

uint64_t backoff_next(struct backoff *b, uint64_t up_ms)
{
    uint64_t wait = BACKOFF_FIRST_MS;

    if (up_ms >= BACKOFF_GOOD_MS)
        b->fails = 0;
    if (b->fails++ == 0)
        return 0;
    for (unsigned i = 2; i < b->fails && wait < BACKOFF_MAX_MS; i++)
        wait *= 2;
    return wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS;
}
