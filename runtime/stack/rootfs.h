/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootfs - the root file system and the program of a service's image, unpacked once per digest
 *
 * Tests:     tests/stack/test_up_down.py
 */
#ifndef MR_STACK_ROOTFS_H
#define MR_STACK_ROOTFS_H

#include "runtime/base/attr.h"

struct arena;
struct err;

struct rootfs {
    const char *path;    /* absolute, to be mounted read-only */
    const char *program; /* the image's entry point */
    const char *digest;  /* of its manifest */
};

/* `images` is an OCI image layout, `cache` a directory for what is unpacked. */
must_check int rootfs_get(struct arena *a, const char *images, const char *cache, const char *name,
                          struct rootfs *out, struct err *err);

#endif
