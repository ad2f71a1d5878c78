/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dir - paths resolved beneath a root by the kernel, and what is missing of them made
 *
 * A container's image decides what lies beneath the root: any component may be a symbolic link, and
 * another process may exchange it at any time (CVE-2021-30465). Therefore nothing here looks at a
 * path and uses it afterwards: the result is a descriptor, resolved by openat2(RESOLVE_IN_ROOT),
 * and the caller works on the descriptor.
 *
 * Limits:    paths below PATH_MAX, 40 symbolic links.
 * Memory:    no allocation; may be called between fork and exec.
 * Tests:     tests/unit/runtime/kernel/test_dir.c
 */
#ifndef MR_KERNEL_DIR_H
#define MR_KERNEL_DIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"

struct err;

/* Opens a path as a process would see it whose root is root_fd; magic links are refused. flags as
 * of open(2), O_CLOEXEC is added. */
must_check int dir_open_beneath(int root_fd, const char *path, int flags, struct err *err);
/* The same without a message: -1 with errno. For paths that may be absent. */
must_check int dir_try_beneath(int root_fd, const char *path, int flags);

enum dir_kind {
    DIR_DIRECTORY,
    DIR_FILE
};

/* Opens (O_PATH) what is at the path, first making what is missing: directories (0755), the last
 * component a directory or an empty file (0644). Dangling links are followed, within the root. */
must_check int dir_make_beneath(int root_fd, const char *path, enum dir_kind last, struct err *err);

/* The same, but a last component that is a symbolic link is what is opened. */
must_check int dir_make_nofollow(int root_fd, const char *path, enum dir_kind last,
                                 struct err *err);

/* Splits off the last component: opens the parent, making it where it is missing, and copies the
 * component to `name` (name_max bytes with its NUL). "/" and a path that ends in "." or ".." are
 * refused. */
must_check int dir_open_parent(int root_fd, const char *path, char *name, size_t name_max,
                               struct err *err);

/* Is the file system of the descriptor of this kind (statfs f_type)? */
bool dir_is_on(int fd, uint64_t magic);
/* Is it a directory whose entries nobody else can make or replace: owned by this user or by root,
 * and not to be written by others (but where only owners may remove what they made)? */
bool dir_is_private(int fd);
/* Is it (a directory or a file) this user's own, and closed to all others? */
bool dir_is_secret(int fd);
/* Do two descriptors name the same file? */
bool dir_is_same(int a_fd, int b_fd);

#endif
