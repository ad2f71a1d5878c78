/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup - one group in every hierarchy: cgroup v2, v1, and the hybrid of both
 *
 * A `struct cgroup` names the container's group in each hierarchy that is mounted beneath
 * /sys/fs/cgroup. It is found from a path and the caller's own place (cgroup_locate), or from what
 * an earlier call wrote down (cgroup_describe, cgroup_recall), so that a container is found again
 * whoever asks.
 *
 * Lifetime:  paths live in the arena given.
 * Limits:    CGROUP_HIERS_MAX hierarchies.
 * Tests:     tests/unit/runtime/kernel/test_cgroup.c, tests/oci/test_cgroup.py
 * Fuzz:      tests/fuzz/runtime/kernel/fuzz_cgroup.c
 */
#ifndef MR_KERNEL_CGROUP_H
#define MR_KERNEL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"
#include "runtime/kernel/cgroup_hier.h"

struct arena;
struct buf;
struct err;

#define CGROUP_HIERS_MAX 24

struct cgroup {
    struct cgroup_hier v[CGROUP_HIERS_MAX];
    size_t n;
    bool unified; /* cgroup v2 alone */
};

/* --- where it is (cgroup_find.c) -------------------------------------------------------------- */

/* path: absolute (beneath the mount of each hierarchy) or relative (beneath the caller's own group
 * in each; on v2, where a group that holds processes can have no children with limits, beside it).
 * ".." is refused. Nothing is made. */
must_check int cgroup_locate(struct arena *a, const char *path, struct cgroup *out,
                             struct err *err);

/* The same including systemd's own hierarchy, for a group that it made. */
must_check int cgroup_locate_systemd(struct arena *a, const char *path, struct cgroup *out,
                                     struct err *err);

/* The same from given texts; pure. */
struct cgroup_host {
    struct str self;      /* /proc/self/cgroup */
    bool unified;         /* cgroup2 is all there is at /sys/fs/cgroup */
    const char *v2_mount; /* where cgroup2 is mounted, or NULL */
    bool systemd;         /* with the hierarchy "name=systemd" */
};

must_check int cgroup_parse(struct arena *a, const struct cgroup_host *host, const char *path,
                            struct cgroup *out, struct err *err);

/* The hierarchy of a controller ("memory"; where all is v2, that one), or NULL. */
const struct cgroup_hier *cgroup_find(const struct cgroup *g, const char *controller);
/* The v2 hierarchy, which in a hybrid has few controllers or none; or NULL. */
const struct cgroup_hier *cgroup_find_v2(const struct cgroup *g);
bool cgroup_is_unified(void); /* cgroup v2 is all there is on this host */

/* One line a hierarchy, "controllers:mount:path", and back. */
void cgroup_describe(const struct cgroup *g, struct buf *out);
must_check int cgroup_recall(struct arena *a, struct str text, struct cgroup *out, struct err *err);

/* --- made, entered, removed (cgroup.c) -------------------------------------------------------- */

/* Which hierarchies a call is about. */
enum cgroup_part {
    CGROUP_ALL,
    CGROUP_V1,
    CGROUP_V2
};

/* Makes the group there and checks that it is fit for a new container: one that holds processes or
 * is frozen is refused (EBUSY). A failure removes what was made. On v2 all available controllers
 * are passed down to it; where it is made first and the v1 groups afterwards, this is done then,
 * while the process that was cloned into it is busy. */
must_check int cgroup_make(const struct cgroup *g, enum cgroup_part part, struct err *err);
/* The same for a group that was made for us and may hold a process. */
must_check int cgroup_adopt(const struct cgroup *g, struct err *err);
/* Removes what cgroup_make made, if nothing is in it. */
void cgroup_unmake(const struct cgroup *g, enum cgroup_part part);
/* Removes the group at once if no process and no other group is in it; false: something is left. */
bool cgroup_remove_empty(const struct cgroup *g);
/* Removes the group and the groups beneath it; waits a little for the last process to go. All
 * hierarchies are tried; the first failure is told. Absent is fine. */
must_check int cgroup_remove(const struct cgroup *g, struct err *err);
/* A descriptor of the v2 group for CLONE_INTO_CGROUP, or -1 without an error if there is none. */
int cgroup_open_v2(const struct cgroup *g);

enum cgroup_enter {
    CGROUP_ENTER_ALL,
    CGROUP_ENTER_V1 /* it is in the v2 group already */
};

/* Moves a process (0: the caller) in. */
must_check int cgroup_enter(const struct cgroup *g, pid_t pid, enum cgroup_enter what,
                            struct err *err);

/* The same for a process with one thread that puts itself in: opened by who may (and can see them),
 * used by itself. On v1 that spares what moving another process costs, a wait of the whole kernel
 * (an RCU grace period: many milliseconds on a quiet machine). */
struct cgroup_doors {
    int fds[CGROUP_HIERS_MAX]; /* -1: not open */
    bool v2[CGROUP_HIERS_MAX];
    size_t n;
};

/* As many doors as the group has hierarchies, all of them shut. */
void cgroup_doors_init(const struct cgroup *g, struct cgroup_doors *out);
/* Those that are still shut, after cgroup_doors_init; a failure leaves open what was opened. The
 * path is looked up now. Allocates nothing. */
must_check int cgroup_doors_open(const struct cgroup *g, struct cgroup_doors *d,
                                 enum cgroup_enter what, struct err *err);
/* By one of v1, which stays open. */
must_check int cgroup_door_enter(int door_fd, struct err *err);
/* Allocates nothing; closes them. */
must_check int cgroup_doors_enter(struct cgroup_doors *d, enum cgroup_enter what, struct err *err);
void cgroup_doors_close(struct cgroup_doors *d);

/* --- the processes in it (cgroup_procs.c) ----------------------------------------------------- */

/* All processes of the group and the groups beneath it, in ascending order; array in the arena. */
must_check int cgroup_pids(const struct cgroup *g, struct arena *a, pid_t **pids, size_t *n,
                           struct err *err);
/* signo to all of them, once; SIGKILL until there is none left, or EBUSY after some seconds. */
must_check int cgroup_signal(const struct cgroup *g, int signo, struct err *err);
/* Returns when the kernel says that all are frozen, or thawed; EBUSY if it does not in time. */
must_check int cgroup_freeze(const struct cgroup *g, bool freeze, struct err *err);
bool cgroup_is_frozen(const struct cgroup *g);
/* On v1 a frozen process does not die, and somebody may have moved it into another, frozen group:
 * takes it back into this one, which thaws it. */
void cgroup_reclaim(const struct cgroup *g, pid_t pid);
/* On v1: so that what was killed can die, thaws the group and all beneath it, which a container may
 * have frozen that may write there. */
void cgroup_thaw(const struct cgroup *g);

#endif
