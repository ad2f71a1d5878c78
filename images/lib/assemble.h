/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assemble - a recipe becomes an image of one layer, byte for byte the same from the same sources
 *
 * Entries are sorted, owned by 0:0, and have the time SOURCE_DATE_EPOCH names, or 0; gzip holds no
 * name and no time; documents have their members in a fixed order.
 *
 * Tests:     tests/unit/images/lib/test_assemble.c
 */
#ifndef MR_IMAGE_ASSEMBLE_H
#define MR_IMAGE_ASSEMBLE_H

#include <stdint.h>

#include "runtime/base/attr.h"

#include "images/lib/image.h"

struct arena;
struct err;
struct recipe;

struct assemble {
    const char *programs; /* directory of the built programs */
    const char *files;    /* directory of the static files */
    const char *version;  /* for the label org.opencontainers.image.version; NULL: none */
    int64_t time_s;       /* assemble_time */
};

/* SOURCE_DATE_EPOCH, or 0 where it is not set. */
must_check int assemble_time(int64_t *out, struct err *err);

/* Puts the image into the store and names it as the recipe does. digest: of its manifest. */
must_check int assemble_image(struct image_store *s, struct arena *a, const struct recipe *r,
                              const struct assemble *how, const char **digest, struct err *err);

#endif
