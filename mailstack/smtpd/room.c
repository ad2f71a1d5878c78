/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/smtpd/room.h"

#include <stdlib.h>

#include "runtime/base/clock.h"
#include "runtime/base/map.h"
#include "runtime/base/mem.h"

struct room {
    struct map *boxes;
};

struct box {
    uint64_t until_ms;
    uint64_t size;
};

struct room *room_new(void)
{
    struct room *r = mem_type(struct room);

    r->boxes = map_new();
    return r;
}

static void free_boxes(struct map *boxes)
{
    struct map_at at = {0};

    while (map_next(boxes, &at))
        free(at.value);
    map_free(boxes);
}

void room_free(struct room *r)
{
    if (!r)
        return;
    free_boxes(r->boxes);
    free(r);
}

bool room_has(const struct room *r, struct str mailbox, uint64_t size)
{
    const struct box *b = map_get(r->boxes, mailbox);

    return b && size <= b->size && clock_now_ms() < b->until_ms;
}

void room_put(struct room *r, struct str mailbox, uint64_t size)
{
    struct box *b = map_get(r->boxes, mailbox);

    if (!b && map_n(r->boxes) >= ROOM_MAX) {
        free_boxes(r->boxes);
        r->boxes = map_new();
    }
    if (!b) {
        b = mem_type(struct box);
        (void)map_put(r->boxes, mailbox, b); /* there was none */
    }
    *b = (struct box){clock_now_ms() + ROOM_MS, size};
}
