/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps - what the kinds of steps do, by subject; the table of them is in steps.c
 *
 * Each runs in the new process: 0, or -1 with the sentence that its maker will be sent. What
 * `index` counts is said beside the kind in plan.h.
 *
 * Memory:    no allocation, for it is between clone and execve.
 * Tests:     tests/oci/test_mounts.py, tests/oci/test_run.py
 */
#ifndef MR_CONTAINER_STEPS_H
#define MR_CONTAINER_STEPS_H

#include <stdbool.h>
#include <stddef.h>

struct device;
struct err;
struct init;
struct mount_new;
struct oci_config;

/* steps_ns.c */
int step_unshare(struct init *in, size_t index, struct err *err);
int step_cgroup_enter(struct init *in, size_t index, struct err *err);
/* Of an exec, through the pidfd: the namespaces, and the root of the container's init. */
int join_container(struct init *in, int flags, struct err *err);
int step_join(struct init *in, size_t index, struct err *err);
int step_become_root(struct init *in, size_t index, struct err *err);
int step_session(struct init *in, size_t index, struct err *err);
int step_keyring(struct init *in, size_t index, struct err *err);
int step_unshare_cgroup(struct init *in, size_t index, struct err *err);
int step_unshare_time(struct init *in, size_t index, struct err *err);
int step_loopback(struct init *in, size_t index, struct err *err);
int step_netdev_settle(struct init *in, size_t index, struct err *err);
int step_hostname(struct init *in, size_t index, struct err *err);
int step_domainname(struct init *in, size_t index, struct err *err);
int step_sysctl(struct init *in, size_t index, struct err *err);

/* steps_mount.c */
int step_propagation(struct init *in, size_t index, struct err *err);
int step_root(struct init *in, size_t index, struct err *err);
int step_mount(struct init *in, size_t index, struct err *err);
/* The file system of a mount that is no bind: mount_prepare. */
int fresh_prepare(const struct init *in, size_t index, struct err *err);
int step_mount_writable(struct init *in, size_t index, struct err *err);
int step_mount_readonly(struct init *in, size_t index, struct err *err);
int step_unmount(struct init *in, size_t index, struct err *err);
int step_root_readonly(struct init *in, size_t index, struct err *err);
int step_pivot(struct init *in, size_t index, struct err *err);
int step_move_root(struct init *in, size_t index, struct err *err);
int step_root_propagation(struct init *in, size_t index, struct err *err);
int step_leave(struct init *in, size_t index, struct err *err);

/* steps_dev.c */
int step_check_dev(struct init *in, size_t index, struct err *err);
int step_device(struct init *in, size_t index, struct err *err);
int step_device_bind(struct init *in, size_t index, struct err *err);
int step_link(struct init *in, size_t index, struct err *err);
/* A device of config.json as the kernel room has it. */
struct device device_of_config(const struct oci_config *c, size_t index);

/* steps_mask.c */
/* The empty file system that is put over directories: mount_prepare. */
int mask_prepare(const struct init *in, struct err *err);
int step_mask(struct init *in, size_t index, struct err *err);
int step_readonly(struct init *in, size_t index, struct err *err);

/* steps_cgroup.c: the cgroup mounts of a container */
int mount_cgroup(struct init *in, size_t index, int target_fd, struct err *err);
/* Of v1, the file system with a directory for each group: mount_prepare. */
int groups_prepare(const struct init *in, struct err *err);
/* Does the container see its group as the top of the tree, and may it write there? */
bool may_divide_cgroup(const struct oci_config *c);

/* handed.c */
int step_take_mounts(struct init *in, size_t index, struct err *err);

/* steps_pid.c */
int step_enter_pid(struct init *in, size_t index, struct err *err);
/* A procfs of the pid namespace that is entered later; its descriptor. */
int pid_mount_proc(const struct init *in, const struct mount_new *n, struct err *err);
/* Closes what is neither among `kept` nor given to the process by the caller, who may have left
 * open something of the host's: before others can look into the process. */
int close_all_else(const struct init *in, const int *kept, size_t n, struct err *err);

/* steps_io.c */
int step_terminal(struct init *in, size_t index, struct err *err);
int step_stdio(struct init *in, size_t index, struct err *err);
int step_descriptors(struct init *in, size_t index, struct err *err);

/* steps_home.c */
int step_home(struct init *in, size_t index, struct err *err);

/* steps_limits.c */
int step_rlimit(struct init *in, size_t index, struct err *err);
int step_personality(struct init *in, size_t index, struct err *err);
int step_cpus(struct init *in, size_t index, struct err *err);
int step_scheduler(struct init *in, size_t index, struct err *err);
int step_ioprio(struct init *in, size_t index, struct err *err);
int step_mempolicy(struct init *in, size_t index, struct err *err);

/* steps_cwd.c */
int step_make_cwd(struct init *in, size_t index, struct err *err);
int step_cwd(struct init *in, size_t index, struct err *err);
/* What step_cwd put off: a directory that only its owner may enter. */
int enter_cwd_as_user(const struct init *in, struct err *err);

/* steps_user.c */
int step_label(struct init *in, size_t index, struct err *err);
int step_filter(struct init *in, size_t index, struct err *err);
int step_bounding(struct init *in, size_t index, struct err *err);
int step_user(struct init *in, size_t index, struct err *err);
int step_caps(struct init *in, size_t index, struct err *err);
int step_no_new_privs(struct init *in, size_t index, struct err *err);

#endif
