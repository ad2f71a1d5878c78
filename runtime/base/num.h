/* SPDX-License-Identifier: Apache-2.0 */
/*
 * num - checked arithmetic and strict text to number
 *
 * The whole of the text must be the number: no sign where none belongs, no space, no leading '+',
 * no prefix, no empty text. The error says what was found and what range was expected.
 *
 * Tests:     tests/unit/runtime/base/test_num.c
 * Fuzz:      tests/fuzz/runtime/base/fuzz_num.c
 */
#ifndef MR_BASE_NUM_H
#define MR_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

/* false, with *out untouched, if the result does not fit. */
must_check bool num_add(size_t a, size_t b, size_t *out);
must_check bool num_mul(size_t a, size_t b, size_t *out);

must_check int num_parse_u64(struct str s, uint64_t min, uint64_t max, uint64_t *out,
                             struct err *err);
must_check int num_parse_u32(struct str s, uint32_t min, uint32_t max, uint32_t *out,
                             struct err *err);
must_check int num_parse_i64(struct str s, int64_t min, int64_t max, int64_t *out,
                             struct err *err); /* a leading '-' is allowed */
must_check int num_parse_octal(struct str s, uint32_t max, uint32_t *out, struct err *err);
must_check int num_parse_hex(struct str s, uint64_t max, uint64_t *out, struct err *err);

/* "4096", "50K", "50M", "2G", "1T" (powers of 1024, upper or lower case) to bytes. */
must_check int num_parse_size(struct str s, uint64_t max, uint64_t *out, struct err *err);
/* "90", "90s", "5m", "4h", "5d" to seconds. */
must_check int num_parse_seconds(struct str s, uint64_t max, uint64_t *out, struct err *err);

#define NUM_TEXT_MAX 32
/* "512", "1.5K", "20.3M": for people. */
void num_format_size(uint64_t bytes, char out[NUM_TEXT_MAX]);

#endif
