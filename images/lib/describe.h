/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe - images as text for people and as JSON for programs
 *
 * Tests:     tests/unit/images/lib/test_image.c
 */
#ifndef MR_IMAGE_DESCRIBE_H
#define MR_IMAGE_DESCRIBE_H

#include <stddef.h>

struct buf;
struct image_info;

void describe_list(const struct image_info *v, size_t n, struct buf *out); /* one line each */
void describe_list_json(const struct image_info *v, size_t n, struct buf *out);
void describe_image(const struct image_info *i, struct buf *out);
void describe_image_json(const struct image_info *i, struct buf *out);

#endif
