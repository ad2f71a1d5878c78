/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device - device nodes and links in /dev
 *
 * Memory:    no allocation; may be called between fork and exec.
 * Tests:     tests/oci/test_run.py, tests/oci/attack/test_devices.py
 */
#ifndef MR_KERNEL_DEVICE_H
#define MR_KERNEL_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"

struct err;

struct device {
    const char *path; /* absolute, in the container */
    mode_t mode;      /* S_IFCHR, S_IFBLK or S_IFIFO with permission bits */
    uint32_t major;
    uint32_t minor;
    uid_t uid;
    gid_t gid;
};

/* Makes the node beneath the root. One that is there already must be the same device; it is left as
 * it is, and anything else in its place is an error. */
must_check int device_make(int root_fd, const struct device *d, struct err *err);
/* The same in the directory of d->path, which is open. */
must_check int device_make_in(int dir_fd, const struct device *d, struct err *err);
/* In a user namespace nodes cannot be made: the host's own node of that path is bound in its place,
 * if it is the same device. */
must_check int device_bind(int root_fd, const struct device *d, struct err *err);

/* A detached mount of a node that is made for the purpose as `name` in dir_fd: for who may not make
 * nodes. device_attach puts it in place; until then the name must stay. */
must_check int device_node(int dir_fd, const char *name, const struct device *d, struct err *err);
must_check int device_attach(int root_fd, const struct device *d, int mount_fd, struct err *err);

/* /dev/null beneath the root, if that is the device and no link leads to it: opened to read and
 * write, or -1. What the image has in its place is not opened at all: it could be a file of which
 * the process was to have no descriptor, or a device that notices. */
int device_open_null(int root_fd);

/* Is the descriptor the device /dev/null? */
bool device_is_null(int fd);

/* A symbolic link at path to target; one that is there already (of any kind) stays. */
must_check int device_link(int root_fd, const char *path, const char *target, struct err *err);
must_check int device_link_in(int dir_fd, const char *path, const char *target, struct err *err);

#endif
