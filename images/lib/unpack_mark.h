/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack_mark - what the layer being unpacked has made itself, so that its whiteouts spare it
 *
 * A name is remembered as (inode of its directory, name): two paths that lead to one place through
 * links of a lower layer are one. An inode can be given anew after its directory was removed, but
 * then by this layer, whose own everything in it is.
 *
 * Tests:     tests/unit/images/lib/test_unpack.c
 */
#ifndef MR_IMAGE_UNPACK_MARK_H
#define MR_IMAGE_UNPACK_MARK_H

#include <stdbool.h>

#include "runtime/base/attr.h"

struct err;
struct unpack_mark;

must_check struct unpack_mark *unpack_mark_new(void);
void unpack_mark_free(struct unpack_mark *m);  /* NULL is fine */
void unpack_mark_reset(struct unpack_mark *m); /* a new layer begins */

must_check int unpack_mark_add(struct unpack_mark *m, int dir_fd, const char *base,
                               struct err *err);
/* beneath_parent; directories that it has to make are marked. */
must_check int unpack_mark_parent(struct unpack_mark *m, int root_fd, const char *path,
                                  const char **base, struct err *err);

/* Removes the name with all beneath it, except what is marked. */
must_check int unpack_mark_clear(struct unpack_mark *m, int dir_fd, const char *base,
                                 struct err *err);
/* Removes all in the directory, except what is marked. dir_fd may be O_PATH. */
must_check int unpack_mark_clear_dir(struct unpack_mark *m, int dir_fd, struct err *err);

/* One component that stays in its directory. */
bool path_is_hideable(const char *name);

#endif
