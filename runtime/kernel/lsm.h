/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lsm - the label or profile that a process gets at execve: SELinux, AppArmor
 *
 * Written through a verified procfs (proc.h), for a procfs of the container's making could swallow
 * the write, or lead it to another file (CVE-2019-19921, CVE-2025-52881).
 *
 * Tests:     tests/unit/runtime/kernel/test_lsm.c, tests/oci/test_labels.py
 */
#ifndef MR_KERNEL_LSM_H
#define MR_KERNEL_LSM_H

#include <stdbool.h>

#include "runtime/base/attr.h"

struct err;

enum lsm {
    LSM_APPARMOR,
    LSM_SELINUX
};

/* The running kernel enforces it. */
bool lsm_is_on(enum lsm kind);
/* For the next execve of this process. proc_fd: of proc_open. */
must_check int lsm_set_exec(int proc_fd, enum lsm kind, const char *label, struct err *err);
/* For keys that this process makes (SELinux), until its next execve. */
must_check int lsm_set_keys(int proc_fd, const char *label, struct err *err);
/* Of a file or directory that is open (SELinux). */
must_check int lsm_set_file(int fd, const char *label, struct err *err);

#endif
