/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rand - random bytes from the kernel (getrandom); never fails, never predictable
 *
 * Tests:     tests/unit/runtime/base/test_rand.c
 */
#ifndef MR_BASE_RAND_H
#define MR_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *p, size_t n);
uint64_t rand_u64(void);
uint64_t rand_below(uint64_t n); /* 0 .. n-1, unbiased; n > 0 */
/* n lower-case hex digits and a NUL into out[n + 1]. */
void rand_hex(char *out, size_t n);

#endif
