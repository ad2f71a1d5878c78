/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idmap - the id maps of a new user namespace, written from outside
 *
 * Tests:     tests/unit/runtime/kernel/test_idmap.c, tests/oci/test_userns.py
 */
#ifndef MR_KERNEL_IDMAP_H
#define MR_KERNEL_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"

struct buf;
struct err;

struct idmap {
    uint32_t inside;
    uint32_t outside;
    uint32_t n;
};

struct idmaps {
    const struct idmap *v;
    size_t n;
};

/* The text that /proc/PID/uid_map takes. */
void idmap_format(struct idmaps m, struct buf *out);

/* The maps consist of the single id, which an unprivileged caller may map by itself. */
bool idmap_is_single(struct idmaps m, uint32_t outside);

/* This process is in a user namespace that somebody made: its user 0 is an ordinary user to the
 * host, as beneath a rootless podman. */
bool idmap_is_inside(void);

/* What our id `inside` is in the namespace above, where others see it so: itself in the first one,
 * nobody's where it is not mapped. */
uint32_t idmap_outside(uint32_t inside);

/* The user namespace of a process (0: of this one) has given up setgroups for good, as that of an
 * unprivileged user must. */
bool idmap_denies_groups(pid_t pid);

/* A user namespace that nobody is in, with these maps: what an id-mapped mount is given. Needs
 * root. Returns its descriptor. */
must_check int idmap_userns(struct idmaps uids, struct idmaps gids, struct err *err);

/* Writes both maps of pid. What the caller may not write by itself is written by newuidmap and
 * newgidmap, where they are installed. setgroups is denied where the kernel demands it, and then
 * *groups_denied is set. */
must_check int idmap_write(pid_t pid, struct idmaps uids, struct idmaps gids, bool *groups_denied,
                           struct err *err);

#endif
