/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copyup - copies the content of a directory into a fresh tmpfs (mount option tmpcopyup)
 *
 * Directories, files, links, and device nodes with owner, mode and modification time; extended
 * attributes and hard links between files are not kept. Links are never followed.
 *
 * Limits:    COPYUP_DEPTH_MAX levels.
 * Memory:    no allocation; may be called between fork and exec.
 * Tests:     tests/unit/runtime/kernel/test_copyup.c
 */
#ifndef MR_KERNEL_COPYUP_H
#define MR_KERNEL_COPYUP_H

#include "runtime/base/attr.h"

struct err;

#define COPYUP_DEPTH_MAX 64

/* Both are directories; from_fd may be O_PATH. */
must_check int copyup(int from_fd, int to_fd, struct err *err);

#endif
