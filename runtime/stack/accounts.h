/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accounts - edits the accounts file: one member changed, all else kept, replaced atomically
 *
 * Two edits at once wait for each other (a lock of the file's directory). Members keep their order
 * and keys this program does not know; the layout is two spaces of indent.
 *
 * Tests:     tests/unit/runtime/stack/test_accounts.c
 */
#ifndef MR_STACK_ACCOUNTS_H
#define MR_STACK_ACCOUNTS_H

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define ACCOUNTS_PASSWORD_MAX 512 /* bytes, as crypt(3) takes them */

enum accounts_how {
    ACCOUNTS_ADD,    /* must not be there; the file is made where there is none */
    ACCOUNTS_CHANGE, /* must be there */
};

/* hash is a crypt(3) string. */
must_check int accounts_set(const char *file, const char *address, const char *hash,
                            enum accounts_how how, struct err *err);
must_check int accounts_del(const char *file, const char *address, struct err *err);

/* A yescrypt hash of the password, free() it. The password is not empty, has no control characters
 * and at most ACCOUNTS_PASSWORD_MAX bytes. */
must_check int accounts_hash(struct str password, char **out, struct err *err);

#endif
