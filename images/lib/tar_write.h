/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_write - tar archives: ustar, with a pax header where ustar cannot say it
 *
 * The same entries give the same bytes: owner and group are 0, without names; the rest is as told.
 *
 * Tests:     tests/unit/images/lib/test_tar.c
 */
#ifndef MR_IMAGE_TAR_WRITE_H
#define MR_IMAGE_TAR_WRITE_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;
struct sink;
struct source;

struct tar_item {
    struct str name; /* without a leading slash; a directory's with or without one at its end */
    uint32_t mode;
    int64_t mtime_s;
};

must_check int tar_write_dir(struct sink *to, const struct tar_item *item, struct err *err);
/* Copies exactly size bytes of content. */
must_check int tar_write_file(struct sink *to, const struct tar_item *item, struct source *content,
                              uint64_t size, struct err *err);
must_check int tar_write_symlink(struct sink *to, const struct tar_item *item, struct str target,
                                 struct err *err);
/* The two zero blocks. Does not end the sink. */
must_check int tar_write_end(struct sink *to, struct err *err);

#endif
