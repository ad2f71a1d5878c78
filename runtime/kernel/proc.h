/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc - what /proc tells and takes, through one verified descriptor
 *
 * A /proc inside a container may be anything (CVE-2019-19921). proc_open gives the caller's own one
 * and verifies that it is procfs and its root; everything is then reached from that descriptor
 * without crossing into another mount.
 *
 * Tests:     tests/unit/runtime/kernel/test_proc.c
 * Fuzz:      tests/fuzz/runtime/kernel/fuzz_proc_stat.c
 */
#ifndef MR_KERNEL_PROC_H
#define MR_KERNEL_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

/* The root of a procfs that shows this process, by O_PATH. */
must_check int proc_open(struct err *err);

/* Writes text to a file beneath the procfs, "self/oom_score_adj". */
must_check int proc_write(int proc_fd, const char *path, const char *text, struct err *err);

/* Sets "net.ipv4.ip_forward" or "net/ipv4/ip_forward" for the namespaces of this process. */
must_check int proc_sysctl(int proc_fd, const char *key, const char *value, struct err *err);

/* Of proc_pid_stat(5). Start time and pid together name a process for ever. */
struct proc_stat {
    char state;     /* "R", "S", "Z" ... */
    uint64_t start; /* clock ticks from boot to its start */
    bool executed;  /* since it was forked; of a zombie, too */
    int status;     /* of a zombie, as waitpid gives it; 0 where the caller may not see it */
    uint64_t heeds; /* signals that it blocks, ignores or catches: N is bit N - 1; below 32 */
};

/* Of the text of /proc/PID/stat; pure. */
must_check int proc_stat_parse(struct str text, struct proc_stat *out, struct err *err);
/* Of a process; ESRCH if it is gone. */
must_check int proc_stat(pid_t pid, struct proc_stat *out, struct err *err);
/* Alive: exists, with that start time, and is no zombie. -1 where that could not be found out. */
must_check int proc_alive(pid_t pid, uint64_t start, bool *alive, struct err *err);

/* A pidfd of the process with that pid and start time; ESRCH if it is gone. */
must_check int proc_pidfd(pid_t pid, uint64_t start, struct err *err);

/* The root directory of the process with that pid, of which pid_fd is, by O_PATH; ESRCH if it is
 * gone. */
must_check int proc_open_root(int proc_fd, pid_t pid, int pid_fd, struct err *err);

/* Opens /proc/PID/ns/NAME. */
must_check int proc_open_ns(pid_t pid, const char *name, struct err *err);

/* Is what the path leads to the namespace NAME that this process is in? */
bool proc_is_own_ns(const char *path, const char *name);

/* Ids in ascending order. */
bool proc_is_among(pid_t pid, const pid_t *sorted, size_t n);

#endif
