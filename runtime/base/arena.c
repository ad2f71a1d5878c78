/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chain of blocks, the newest first; allocation moves an offset in the newest. Something large
 * gets a block of its own behind the newest, so that the room there is not lost.
 */
#include "runtime/base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/base/num.h"

#define BLOCK_N 4096 /* a page holds what most units of work need */
#define LARGE_N 1024
#define ALIGN   _Alignof(max_align_t)

struct block {
    struct block *older;
    size_t n; /* size of data */
    size_t used;
    _Alignas(max_align_t) unsigned char data[];
};

struct cleanup {
    struct cleanup *older;
    void (*fn)(void *ctx);
    void *ctx;
};

struct arena {
    struct block *newest;
    struct cleanup *cleanups; /* in the arena's own memory */
    size_t total;             /* bytes handed out, rounded up */
    size_t max;
    bool failed;
};

struct arena *arena_new(size_t max)
{
    struct arena *a = mem_type(struct arena);

    a->max = max;
    return a;
}

static void run_cleanups(struct arena *a)
{
    while (a->cleanups != NULL) {
        struct cleanup *c = a->cleanups;

        a->cleanups = c->older;
        c->fn(c->ctx);
    }
}

static void free_blocks(struct block *b)
{
    while (b != NULL) {
        struct block *older = b->older;

        free(b);
        b = older;
    }
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    run_cleanups(a);
    free_blocks(a->newest);
    free(a);
}

void arena_reset(struct arena *a)
{
    run_cleanups(a);
    a->total = 0;
    a->failed = false;
    if (a->newest == NULL)
        return;
    free_blocks(a->newest->older);
    a->newest->older = NULL;
    memset(a->newest->data, 0, a->newest->used);
    a->newest->used = 0;
}

bool arena_failed(const struct arena *a)
{
    return a->failed;
}

static struct block *block_new(size_t n, struct block *older)
{
    struct block *b = mem_new(sizeof(*b) + n);

    b->n = n;
    b->older = older;
    return b;
}

static struct block *block_for(struct arena *a, size_t n)
{
    struct block *b = a->newest;

    if (b != NULL && n <= b->n - b->used)
        return b;
    if (b != NULL && n > LARGE_N) {
        b->older = block_new(n, b->older);
        return b->older;
    }
    a->newest = block_new(n > BLOCK_N ? n : BLOCK_N, b);
    return a->newest;
}

/* No limit is looked at: for cleanups, which must not get lost. n is a multiple of ALIGN. */
static void *take(struct arena *a, size_t n)
{
    struct block *b = block_for(a, n);
    void *p = b->data + b->used;

    b->used += n;
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t left = a->max - a->total;

    if (n == 0)
        n = 1;
    if (n > SIZE_MAX / 2 || n > left) {
        a->failed = true;
        return NULL;
    }
    n = (n + ALIGN - 1) / ALIGN * ALIGN;
    a->total += n < left ? n : left;
    return take(a, n);
}

void *arena_array(struct arena *a, size_t n, size_t each)
{
    size_t all;

    if (!num_mul(n, each, &all)) {
        a->failed = true;
        return NULL;
    }
    return arena_alloc(a, all);
}

char *arena_copy(struct arena *a, struct str s)
{
    char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;

    if (p != NULL && s.n > 0)
        memcpy(p, s.p, s.n);
    return p;
}

struct str arena_str(struct arena *a, struct str s)
{
    const char *p = arena_copy(a, s);

    return p == NULL ? STR_NONE : (struct str){p, s.n};
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    char *p;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        a->failed = true;
        return NULL;
    }
    p = arena_alloc(a, (size_t)n + 1);
    if (p == NULL)
        return NULL;
    va_start(ap, fmt);
    (void)vsnprintf(p, (size_t)n + 1, fmt, ap); /* the same text again: it fits */
    va_end(ap);
    return p;
}

void arena_on_free(struct arena *a, void (*fn)(void *ctx), void *ctx)
{
    struct cleanup *c = take(a, (sizeof(*c) + ALIGN - 1) / ALIGN * ALIGN);

    *c = (struct cleanup){a->cleanups, fn, ctx};
    a->cleanups = c;
}
