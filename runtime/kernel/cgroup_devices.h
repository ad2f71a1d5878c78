/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_devices - a list of device rules brought into the form the kernel decides by; pure
 *
 * Rules come in order, each allowing or denying, as cgroup v1 takes them one by one. What they
 * amount to is one default and a set of exceptions: this is worked out here, the way the v1
 * controller does, so that v1 and v2 decide alike.
 *
 * Tests:     tests/unit/runtime/kernel/test_cgroup_devices.c
 */
#ifndef MR_KERNEL_CGROUP_DEVICES_H
#define MR_KERNEL_CGROUP_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"

enum {
    CGROUP_DEVICE_READ = 1,
    CGROUP_DEVICE_WRITE = 2,
    CGROUP_DEVICE_MKNOD = 4,
    CGROUP_DEVICE_ALL = 7
};

struct cgroup_device {
    char type;     /* 'a', 'c', 'b' */
    int64_t major; /* -1: any */
    int64_t minor;
    unsigned access;
};

#define CGROUP_DEVICES_MAX 512

struct cgroup_devices {
    bool allow; /* what is decided where no exception matches */
    struct cgroup_device v[CGROUP_DEVICES_MAX];
    size_t n;
};

/* Starts as "deny everything". */
void cgroup_devices_init(struct cgroup_devices *d);
/* The next rule. false if there is no room for it. */
must_check bool cgroup_devices_rule(struct cgroup_devices *d, bool allow,
                                    const struct cgroup_device *rule);

#define CGROUP_DEVICE_TEXT_MAX 64
/* "c 1:3 rwm" */
void cgroup_device_format(const struct cgroup_device *d, char out[CGROUP_DEVICE_TEXT_MAX]);

#endif
