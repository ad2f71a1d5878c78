/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem - allocation that does not fail
 *
 * Out of memory writes one line to standard error and aborts. Therefore: limit first, allocate
 * second; nothing from outside sizes an allocation before it was compared with a named maximum.
 *
 * Tests:     tests/unit/runtime/base/test_mem.c
 */
#ifndef MR_BASE_MEM_H
#define MR_BASE_MEM_H

#include <stddef.h>

#include "runtime/base/attr.h"

must_check void *mem_new(size_t n);                        /* zeroed */
must_check void *mem_array(size_t n, size_t each);         /* zeroed; n * each overflowing aborts */
must_check void *mem_grow(void *p, size_t n, size_t each); /* as realloc; new part not zeroed */
must_check char *mem_dup_c(const char *c);
no_return void mem_out(void);

/* mem_type(struct thing) allocates one. */
#define mem_type(type) ((type *)mem_new(sizeof(type)))

#endif
