/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount - mounts by descriptor: clone, make, change, attach
 *
 * A mount is a descriptor until it is attached; its source is opened by whoever may see it and its
 * target is a descriptor that dir.h resolved. No path of the container is ever given to mount(2).
 *
 * Needs:     Linux 5.12 (mount_setattr).
 * Memory:    no allocation; may be called between fork and exec.
 * Tests:     tests/unit/runtime/kernel/test_mount.c
 */
#ifndef MR_KERNEL_MOUNT_H
#define MR_KERNEL_MOUNT_H

#include <stdint.h>

#include "runtime/base/attr.h"

struct err;

enum mount_reach {
    MOUNT_ONE, /* the mount itself */
    MOUNT_TREE /* and all beneath it */
};

struct mount_change {
    uint64_t set; /* MOUNT_ATTR_x */
    uint64_t clear;
    uint64_t propagation; /* MS_PRIVATE ..., or 0 */
};

/* A detached copy of what is mounted at path (bind). dir_fd with path "" is the descriptor's own
 * file. */
must_check int mount_clone(int dir_fd, const char *path, enum mount_reach reach, struct err *err);

/* A new, detached mount of a file system. data: "key=value,flag,..." or NULL. sb_flags: those MS_x
 * that belong to the super block (MS_SYNCHRONOUS ...); attrs: MOUNT_ATTR_x. What the file system
 * itself says about a failure is in the message. */
struct mount_new {
    const char *type;
    const char *source; /* or NULL */
    const char *data;
    const char *context; /* SELinux label of all files in it, or NULL */
    unsigned long sb_flags;
    uint64_t attrs;
};

must_check int mount_new(const struct mount_new *m, struct err *err);
/* The same in two parts, of which the first costs more and may be done by another process: the file
 * system, as a descriptor of fsopen(2), and then its mount. Mounts are listed in the order of the
 * second, which closes *fs_fd, and leaves -1; with -1 it does all. */
must_check int mount_prepare(const struct mount_new *m, struct err *err);
must_check int mount_finish(int *fs_fd, const struct mount_new *m, struct err *err);

must_check int mount_set(int mount_fd, enum mount_reach reach, const struct mount_change *c,
                         struct err *err);
/* Shows the files of a detached mount, which was never attached, with the ids that the user
 * namespace maps theirs to. */
must_check int mount_idmap(int mount_fd, enum mount_reach reach, int userns_fd, struct err *err);
/* Attaches a detached mount (or moves one) on top of what target_fd names. */
must_check int mount_attach(int mount_fd, int target_fd, struct err *err);
/* The same upon a name right in the directory, which is no link. */
must_check int mount_attach_at(int mount_fd, int dir_fd, const char *name, struct err *err);

/* MS_RDONLY, MS_NOSUID ... as MOUNT_ATTR_x; bits that have no attribute are left out. */
uint64_t mount_attrs(unsigned long ms_flags);
/* What mount_set needs for flags set and cleared by mount(2)'s names. */
struct mount_change mount_change_of(unsigned long ms_set, unsigned long ms_clear);

#endif
