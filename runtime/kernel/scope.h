/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope - a group that systemd makes for us: a transient unit, asked for over D-Bus
 *
 * linux.cgroupsPath "SLICE:PREFIX:NAME" stands for the unit PREFIX-NAME.scope in SLICE. systemd
 * makes the group when the unit starts, with a process in it; delegated groups are then ours to
 * write to. Root speaks to the system's instance, others to that of their session.
 *
 * Tests:     tests/unit/runtime/kernel/test_scope.c, tests/oci/test_systemd.py,
 *            tests/oci/test_manager.py
 */
#ifndef MR_KERNEL_SCOPE_H
#define MR_KERNEL_SCOPE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"

struct arena;
struct dbus_value;
struct err;

struct scope {
    const char *slice; /* "system.slice" */
    const char *unit;  /* "runc-ID.scope" */
};

enum scope_kind {
    SCOPE_U64,
    SCOPE_BOOL,
    SCOPE_TEXT,    /* text */
    SCOPE_BYTES,   /* bytes, a mask of CPUs or nodes */
    SCOPE_DEVICES, /* devices: what was there before is forgotten */
    SCOPE_VALUE    /* value */
};

struct scope_device {
    const char *path;   /* "/dev/char/1:3", "char-136", "block-*" */
    const char *access; /* of "rwm" */
};

struct scope_property {
    const char *name;
    enum scope_kind kind;
    unsigned since; /* the first version of systemd that knows it; 0: any. Others are not told. */
    uint64_t number;
    const char *text;
    const void *bytes;
    size_t bytes_n;
    const struct scope_device *devices;
    size_t devices_n;
    const struct dbus_value *value;
};

#define SCOPE_PROPERTIES_MAX 64

struct scope_properties {
    struct scope_property v[SCOPE_PROPERTIES_MAX];
    size_t n;
};

/* path NULL: the default slice and the id. Anything that is no slice and unit is an error. */
must_check int scope_parse(struct arena *a, const char *path, const char *id, struct scope *out,
                           struct err *err);

/* Starts the unit with the process in it, and waits until it has started. One of that name that
 * failed before is forgotten. */
must_check int scope_start(const struct scope *s, const char *description, pid_t pid,
                           const struct scope_properties *p, struct err *err);
must_check int scope_change(const char *unit, const struct scope_properties *p, struct err *err);
/* Has systemd move a process into the unit's group, or into `sub` ("/a/b") beneath it: from a
 * login's session an ordinary user may not do that itself. */
must_check int scope_attach(const char *unit, const char *sub, pid_t pid, struct err *err);
/* Ends what is left of it; an absent unit is no error. */
must_check int scope_stop(const char *unit, struct err *err);
/* Where the process is now, of systemd's own hierarchy: an absolute group path, in the arena. */
must_check int scope_path(struct arena *a, pid_t pid, const char **out, struct err *err);

#endif
