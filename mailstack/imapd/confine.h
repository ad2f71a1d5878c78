/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine - a user's process keeps nothing but that user's home
 *
 * Tests:     tests/unit/mailstack/imapd/test_confine.c
 */
#ifndef MR_IMAPD_CONFINE_H
#define MR_IMAPD_CONFINE_H

#include <stddef.h>

#include "runtime/base/attr.h"

struct err;

enum confine_result {
    CONFINE_DONE,
    CONFINE_UNABLE, /* the kernel has no Landlock that allows renaming between directories */
};

/* From now on files are reached beneath home_fd only (Landlock); descriptors that are open stay.
 * -1 with err set. */
must_check int confine_to(int home_fd, enum confine_result *out, struct err *err);

/* Closes every descriptor but 0 to 2 and those listed. */
must_check int confine_keep_only(const int *fds, size_t n, struct err *err);

#endif
