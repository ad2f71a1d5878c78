/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map - bytes to pointer, hashed with a key drawn at random for each map
 *
 * Keys are copied in; values belong to the caller. The random key (SipHash) keeps a peer from
 * choosing names that collide.
 *
 * Tests:     tests/unit/runtime/base/test_map.c
 */
#ifndef MR_BASE_MAP_H
#define MR_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct map;

struct map_at { /* a position while walking; start with {0} */
    size_t slot;
    struct str key;
    void *value;
};

must_check struct map *map_new(void);
void map_free(struct map *m); /* the values are not touched; NULL is fine */
size_t map_n(const struct map *m);
void *map_get(const struct map *m, struct str key); /* NULL if there is none */
/* Sets key to value (not NULL); returns the value that stood there before, or NULL. */
void *map_put(struct map *m, struct str key, void *value);
void *map_del(struct map *m, struct str key); /* the value that was there, or NULL */
/* Walks in no particular order; the map must not change meanwhile. */
bool map_next(const struct map *m, struct map_at *at);

#endif
