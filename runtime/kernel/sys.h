/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys - system calls that glibc does not wrap, in their plainest form
 *
 * Each returns what the kernel returned as syscall(2) gives it: -1 with errno on failure.
 */
#ifndef MR_KERNEL_SYS_H
#define MR_KERNEL_SYS_H

#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline int sys_openat2(int dir_fd, const char *path, uint64_t flags, uint64_t mode,
                              uint64_t resolve)
{
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};

    return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
}

static inline pid_t sys_clone3(const struct clone_args *args)
{
    return (pid_t)syscall(SYS_clone3, args, sizeof *args);
}

static inline int sys_pivot_root(const char *new_root, const char *put_old)
{
    return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static inline int sys_seccomp(unsigned op, unsigned flags, const void *arg)
{
    return (int)syscall(SYS_seccomp, op, flags, arg);
}

static inline long sys_keyctl(int op, const char *name)
{
    return syscall(SYS_keyctl, op, name, 0UL, 0UL, 0UL);
}

static inline int sys_capget(struct __user_cap_header_struct *h, struct __user_cap_data_struct *d)
{
    return (int)syscall(SYS_capget, h, d);
}

static inline int sys_capset(struct __user_cap_header_struct *h,
                             const struct __user_cap_data_struct *d)
{
    return (int)syscall(SYS_capset, h, d);
}

static inline int sys_bpf(int cmd, const void *attr, unsigned size)
{
    return (int)syscall(SYS_bpf, cmd, attr, size);
}

static inline int sys_setgroups(size_t n, const gid_t *groups)
{
    return (int)syscall(SYS_setgroups, n, groups);
}

#endif
