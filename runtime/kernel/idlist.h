/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idlist - lists of CPUs or memory nodes, "0-3,7", to the bit masks the kernel takes
 *
 * Limits:    IDLIST_BITS numbers, more than any kernel is built for.
 * Memory:    no allocation; may be called between fork and exec.
 * Tests:     tests/unit/runtime/kernel/test_idlist.c
 * Fuzz:      tests/fuzz/runtime/kernel/fuzz_idlist.c
 */
#ifndef MR_KERNEL_IDLIST_H
#define MR_KERNEL_IDLIST_H

#include <limits.h>

#include "runtime/base/attr.h"

struct err;

#define IDLIST_BITS 8192
#define IDLIST_WORD (sizeof(unsigned long) * CHAR_BIT)

struct idlist {
    unsigned long v[IDLIST_BITS / IDLIST_WORD];
};

/* Spaces around numbers are fine, an empty list is not. */
must_check int idlist_parse(const char *text, struct idlist *out, struct err *err);
/* All bits set: the kernel takes of it what there is. */
void idlist_fill(struct idlist *out);
/* The highest number in it, or -1. */
long idlist_top(const struct idlist *l);

#endif
