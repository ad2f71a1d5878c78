/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp - rules to a BPF program (pure), and a program into the kernel
 *
 * The program is made by the parent before clone, with libseccomp; the child only loads it.
 * Names of system calls that libseccomp does not know, or that an architecture does not have, are
 * left out, as every runtime does: a profile written for newer kernels must work.
 *
 * Tests:     tests/unit/runtime/kernel/test_seccomp.c, tests/oci/test_seccomp.py
 */
#ifndef MR_KERNEL_SECCOMP_H
#define MR_KERNEL_SECCOMP_H

#include <linux/filter.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"

struct buf;
struct err;

#define SECCOMP_ARGS_MAX 6

struct seccomp_rule {
    const char *const *names;
    size_t names_n;
    uint32_t action; /* SCMP_ACT_x */
    struct scmp_arg_cmp args[SECCOMP_ARGS_MAX];
    size_t args_n; /* all must hold */
};

struct seccomp_rules {
    uint32_t default_action;
    const uint32_t *arches; /* SCMP_ARCH_x, beside the native one */
    size_t arches_n;
    const struct seccomp_rule *v;
    size_t n;
};

struct seccomp_program {
    struct sock_filter *code; /* owned; seccomp_done */
    unsigned short n;
};

/* Has libseccomp heard of a system call of that name, on any architecture? */
bool seccomp_knows(const char *name);
must_check int seccomp_compile(const struct seccomp_rules *r, struct seccomp_program *out,
                               struct err *err);
/* All that the program follows from, the library's version included: alike keys, alike programs. */
void seccomp_key(const struct seccomp_rules *r, struct buf *out);
void seccomp_copy(const struct seccomp_program *from, struct seccomp_program *out);
void seccomp_done(struct seccomp_program *p);

/* Loads it for this process. Needs no_new_privs or CAP_SYS_ADMIN. */
must_check int seccomp_apply(const struct seccomp_program *p, unsigned flags, struct err *err);

/* What is done with the notify descriptor; it is closed afterwards. */
struct seccomp_hand {
    int (*fn)(void *ctx, int listener_fd, struct err *err);
    void *ctx;
};

/* Loads it with a listener and hands that over. From the moment the filter is there, any system
 * call of this thread may wait for the listener's answer; therefore a second thread, which is not
 * under the filter and gone on return, calls hand.fn, and this one makes no system call meanwhile.
 * fn must not allocate. */
must_check int seccomp_apply_listen(const struct seccomp_program *p, unsigned flags,
                                    const struct seccomp_hand *hand, struct err *err);

#endif
