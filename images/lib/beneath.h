/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beneath - paths from an archive, resolved inside a directory as if it were "/"
 *
 * Every path goes through openat2 with RESOLVE_IN_ROOT: an absolute path, "..", and a symbolic link
 * that an archive has put there before all stay inside. The last component is never followed.
 *
 * Tests:     tests/unit/images/lib/test_unpack.c
 */
#ifndef MR_IMAGE_BENEATH_H
#define MR_IMAGE_BENEATH_H

#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;

#define BENEATH_DEPTH_MAX 256 /* components of a path */

/* Appends name as a relative, clean path: without leading slashes, "." and doubled slashes; the
 * root itself becomes ".". A ".." is an error: no honest layer has one. */
must_check int beneath_clean(struct str name, struct buf *out, struct err *err);

/* openat2 of a path inside root_fd; links inside are followed, also the last one unless flags hold
 * O_NOFOLLOW. */
must_check int beneath_open(int root_fd, const char *path, int flags, struct err *err);

/* The directory (O_PATH) that holds `path`, which is one that beneath_clean made, and not ".".
 * *base looks into path. */
must_check int beneath_parent(int root_fd, const char *path, const char **base, struct err *err);

#endif
