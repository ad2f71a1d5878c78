/* SPDX-License-Identifier: Apache-2.0 */
/*
 * environ - the environment of the program, kept out of the memory of a child
 *
 * What the program was called with may hold secrets of the host. A child that can be looked into by
 * a container (/proc/PID/environ, /proc/PID/mem) must not have them, be it for a moment only.
 *
 * Lifetime:  the strings are blank between environ_hide and environ_show; their places stay.
 * Limits:    one thread; strings that can be written to, as the kernel and setenv make them.
 * Memory:    a mapping of its own, that no child inherits; may be called between fork and exec.
 * Tests:     tests/unit/runtime/kernel/test_environ.c, tests/oci/attack/test_descriptors.py
 */
#ifndef MR_KERNEL_ENVIRON_H
#define MR_KERNEL_ENVIRON_H

#include <stddef.h>

#include "runtime/base/attr.h"

struct err;

struct environ_hidden {
    char *p; /* NULL: there was nothing to hide */
    size_t n;
};

/* Blanks all strings, and keeps them where only this process has them. */
must_check int environ_hide(struct environ_hidden *h, struct err *err);
/* They are back. */
void environ_show(struct environ_hidden *h);
/* Blanks them for good. */
void environ_forget(void);

#endif
