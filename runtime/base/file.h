/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file - whole files: read up to a limit, replace atomically and durably
 *
 * dir_fd may be AT_FDCWD. Durable means: written, flushed, renamed, directory flushed.
 *
 * Tests:     tests/unit/runtime/base/test_file.c
 */
#ifndef MR_BASE_FILE_H
#define MR_BASE_FILE_H

#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;

/* Appends the whole content to out. EMSGSIZE if it has more than out->max bytes. */
must_check int file_read(int dir_fd, const char *path, struct buf *out, struct err *err);

/* Replaces (or creates) path with content and mode: readers see the old or the new, never half.
 * File and directory are flushed. */
must_check int file_replace(int dir_fd, const char *path, struct str content, mode_t mode,
                            struct err *err);
/* The same without flushes, for what lives on tmpfs or can be made again. */
must_check int file_put(int dir_fd, const char *path, struct str content, mode_t mode,
                        struct err *err);
/* Writes to an existing file in one write(2), as the control files of /proc and cgroups want it. */
must_check int file_poke(int dir_fd, const char *path, struct str content, struct err *err);

must_check int file_sync(int fd, const char *name, struct err *err);
must_check int file_sync_dir(int dir_fd, const char *path, struct err *err);

/* mkdir -p with the mode for what it makes. */
must_check int file_mkdir_p(int dir_fd, const char *path, mode_t mode, struct err *err);
/* rm -r beneath dir_fd, without following links or crossing a mount; absent is fine. */
must_check int file_remove_tree(int dir_fd, const char *path, struct err *err);

#endif
