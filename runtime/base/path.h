/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path - lexical operations on paths; no file access
 *
 * Tests:     tests/unit/runtime/base/test_path.c
 */
#ifndef MR_BASE_PATH_H
#define MR_BASE_PATH_H

#include <stdbool.h>

#include "runtime/base/str.h"

struct buf;

/* Appends p without ".", "..", doubled and trailing slashes. ".." at the root stays at the root; a
 * relative path may begin with "..". Empty becomes ".". */
void path_clean(struct str p, struct buf *out);
bool path_is_absolute(struct str p);
bool path_is_clean(struct str p);   /* path_clean would not change it */
bool path_has_dotdot(struct str p); /* a component of it is ".." */
/* Appends base/name cleaned; an absolute name replaces base. */
void path_join(struct str base, struct str name, struct buf *out);
struct str path_base(struct str p); /* what follows the last slash */
struct str path_dir(struct str p);  /* what precedes it: "/" for "/a", "." for "a" */
/* One component that cannot leave its directory: not empty, not "." or "..", no '/', no NUL. */
bool path_is_name(struct str p);

#endif
