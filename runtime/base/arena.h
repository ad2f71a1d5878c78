/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena - memory that dies together
 *
 * One arena per unit of work: a container start, an SMTP transaction, an IMAP command. What is
 * allocated lives until arena_reset or arena_free; cleanups registered on it run then, newest
 * first.
 *
 * Limits:    allocating beyond `max` in total returns NULL with arena_failed() true: the caller
 *            compares with its own named limits first, so that this is the last line of defence.
 * Tests:     tests/unit/runtime/base/test_arena.c
 */
#ifndef MR_BASE_ARENA_H
#define MR_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;

must_check struct arena *arena_new(size_t max); /* max in bytes, of all that is alive */
void arena_free(struct arena *a);               /* NULL is fine */
void arena_reset(struct arena *a);              /* runs cleanups, keeps one block */
bool arena_failed(const struct arena *a);

/* Zeroed, aligned for any type. n == 0 gives a valid pointer. */
must_check void *arena_alloc(struct arena *a, size_t n);
must_check void *arena_array(struct arena *a, size_t n, size_t each); /* checks n * each */
must_check char *arena_copy(struct arena *a,
                            struct str s); /* terminated copy; a NUL inside stays */
must_check struct str arena_str(struct arena *a,
                                struct str s); /* copy as a view; p NULL on failure */
must_check char *arena_printf(struct arena *a, const char *fmt, ...) fmt_printf(2, 3);

/* Calls fn(ctx) when the arena is reset or freed. */
void arena_on_free(struct arena *a, void (*fn)(void *ctx), void *ctx);

#endif
