/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root - a mounted tree becomes the root of the process, and the old root goes
 *
 * Tests:     tests/oci/test_mounts.py
 */
#ifndef MR_KERNEL_ROOT_H
#define MR_KERNEL_ROOT_H

#include "runtime/base/attr.h"

struct err;

/* root_fd: the root of a mount that is attached in this mount namespace. The old root, which
 * must not be shared with the host, is detached with all beneath it; the working directory is the
 * new root. */
must_check int root_pivot(int root_fd, struct err *err);
/* Without pivot_root, which an initramfs refuses: the mount is moved over "/" and the process
 * changes root into it. Everything of the host stays mounted beneath, out of sight; /proc and /sys
 * of the host are detached first, as they could be reached again with CAP_SYS_ADMIN. */
must_check int root_move(int root_fd, struct err *err);

#endif
