/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list - intrusive doubly linked list
 *
 * A list head is a node of its own. A node that is in no list points to itself, so list_del on it
 * is harmless.
 *
 * Tests:     tests/unit/runtime/base/test_list.c
 */
#ifndef MR_BASE_LIST_H
#define MR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"

struct list {
    struct list *prev;
    struct list *next;
};

static inline void list_init(struct list *l)
{
    l->prev = l;
    l->next = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

/* The first node of a list that is not empty. The analyzer does not follow what list_del does to
 * the links and takes the first node for the same each time: it sees a function it knows nothing
 * of. */
#ifdef __clang_analyzer__
struct list *list_first(const struct list *l);
#else
static inline struct list *list_first(const struct list *l)
{
    return l->next;
}
#endif

/* Puts node in front of at: at the end of the list whose head is `at`. */
static inline void list_add_tail(struct list *at, struct list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

static inline void list_add_head(struct list *at, struct list *node)
{
    list_add_tail(at->next, node);
}

static inline void list_del(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#define list_of(node, type, member) container_of(node, type, member)

/* `it` is a struct list *; the body may delete `it`, because the one after it is read first. */
#define list_for_each(it, next_, head)                                    \
    for (struct list *it = (head)->next, *next_ = it->next; it != (head); \
         it = next_, next_ = it->next)

#endif
