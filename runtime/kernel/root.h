/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root - a mounted tree becomes the root of the process, and the old root goes
 *
 * Tests:     tests/oci/test_mounts.py, tests/oci/attack/test_root.py
 */
#ifndef MR_KERNEL_ROOT_H
#define MR_KERNEL_ROOT_H

#include "runtime/base/attr.h"

struct err;

/* The root of the mount namespace becomes that of the process, and its working directory. It is
 * another one where this process or a forebear changed root. */
must_check int root_of_namespace(struct err *err);

/* root_fd: the root of a mount that is attached in this mount namespace. The old root, which must
 * be the namespace's and not shared with the host, is detached with all beneath it; the working
 * directory is the new root. EINVAL: the kernel never detaches this root, an initramfs. */
must_check int root_pivot(int root_fd, struct err *err);
/* For an initramfs: the mount is moved over "/", which must be the namespace's, and the process
 * changes root into it. Everything of the host stays mounted beneath, and who may unmount gets
 * there; /proc and /sys of the host are detached first. */
must_check int root_move(int root_fd, struct err *err);
/* chroot to a tree that is attached elsewhere, or nowhere. */
must_check int root_change(int root_fd, struct err *err);

#endif
