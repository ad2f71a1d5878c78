/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf - what a seccomp program answers to a system call, without a kernel
 */
#ifndef MR_TESTS_BPF_H
#define MR_TESTS_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

/* The SECCOMP_RET_x value. Fails the test if the program is not sound. */
uint32_t bpf_run(const struct sock_filter *code, size_t n, const struct seccomp_data *data);

#endif
