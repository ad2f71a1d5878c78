/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_v2 - what cgroup v2 needs besides: controllers passed down, the device program
 *
 * Tests:     tests/unit/runtime/kernel/test_cgroup_v2.c, tests/oci/test_cgroup.py
 */
#ifndef MR_KERNEL_CGROUP_V2_H
#define MR_KERNEL_CGROUP_V2_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct cgroup_devices;
struct cgroup_hier;
struct err;

/* After a level was made: passes all controllers that are available there on to its children, the
 * level above included where it is the mount's root (base: bytes of the mount's path). The leaf
 * keeps its own for itself, as it will hold processes. What cannot be passed on is found out when a
 * limit is written. */
must_check int cgroup_v2_level(const char *path, size_t base, bool leaf, struct err *err);

/* It passes controllers down, so it can hold no processes itself. */
bool cgroup_v2_is_inner(const struct cgroup_hier *h);
/* Makes h the group that the process is in, if that lies beneath h. */
must_check int cgroup_v2_follow(struct arena *a, struct cgroup_hier *h, pid_t pid, struct err *err);
/* Gives the group to a user, as far as the kernel says that this is safe: its directory, and the
 * files by which processes and controllers are handed down; not the limits. */
must_check int cgroup_v2_give(const struct cgroup_hier *h, uid_t uid, struct err *err);
/* The path of the v2 line of /proc/PID/cgroup; pure. */
struct str cgroup_v2_line(struct str text);

#define CGROUP_V2_INSNS_MAX 4096
/* No more for so many rules: each asks for type, access (three), major and minor, and returns
 * (two); six to load what they look at, and two that return what no rule decides. */
#define CGROUP_V2_INSNS(rules) (8 + 8 * (rules))

/* The eBPF program that decides on devices; pure. Returns the number of instructions, or -1 if they
 * do not fit. */
int cgroup_v2_program(const struct cgroup_devices *d, struct bpf_insn *out, size_t max);
/* Loads and attaches it. */
must_check int cgroup_v2_devices(const struct cgroup_hier *h, const struct cgroup_devices *d,
                                 struct err *err);

#endif
