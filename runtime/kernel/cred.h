/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cred - whom the process is: user, groups, no_new_privs, session keyring
 *
 * Tests:     tests/oci/test_caps.py
 */
#ifndef MR_KERNEL_CRED_H
#define MR_KERNEL_CRED_H

#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"

struct err;

struct cred {
    uid_t uid;
    gid_t gid;
    const uint32_t *groups; /* additional ones */
    size_t groups_n;
};

enum cred_groups {
    CRED_GROUPS_SET,
    CRED_GROUPS_KEEP /* those that there are: it is wished, or setgroups is denied here */
};

/* Becomes that user for good (real, effective, saved), keeping the permitted capabilities; the
 * effective ones are raised again, so that caps_apply can follow. */
must_check int cred_become(const struct cred *c, enum cred_groups how, struct err *err);
must_check int cred_no_new_privs(struct err *err);
/* Joins a new session keyring, which has no name of its own: to ask for one by name would be to
 * join what somebody else has made under that name. A kernel without keyrings is fine. */
must_check int cred_new_keyring(struct err *err);

#endif
