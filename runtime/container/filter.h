/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter - the seccomp section to a program for the kernel
 *
 * Tests:     tests/oci/test_seccomp.py, tests/unit/runtime/container/test_filter.c
 */
#ifndef MR_CONTAINER_FILTER_H
#define MR_CONTAINER_FILTER_H

#include <stdbool.h>

#include "runtime/base/attr.h"

struct arena;
struct err;
struct oci_config;
struct oci_seccomp;
struct seccomp_program;

/* Its notify descriptor goes to the program at listenerPath (listener.h). */
bool filter_listens(const struct oci_seccomp *s);

/* Where the configuration wants it (OCI_STRICT_SYSCALLS): libseccomp knows all the names. */
must_check int filter_check_names(const struct oci_config *c, struct err *err);
/* cache: the directory beneath which compiled programs are kept, or NULL. With s->rules_text the
 * program is kept under that, too. s must not be without its rules (rules_skipped). */
must_check int filter_make(struct arena *a, const char *cache, const struct oci_seccomp *s,
                           struct seccomp_program *out, struct err *err);
/* The program that was kept under s->rules_text, default action and architectures, that is, of a
 * section that was loaded whole, checked, and has no listener. Its code is in the arena. */
bool filter_find(struct arena *a, const char *cache, const struct oci_seccomp *s,
                 struct seccomp_program *out);

#endif
