/* SPDX-License-Identifier: Apache-2.0 */
/*
 * home - from an address to the directory of its mailbox
 *
 * "Alice@Example.org" lives in "example.org/alice". ASCII letters are folded to lower case;
 * letters, digits and "._-+=" stand for themselves, every other byte (and a leading dot) becomes
 * %XX. So no address can leave the volume and no two addresses that differ in more than case share
 * a home.
 *
 * Limits:    each of the two names is at most HOME_NAME_MAX bytes after encoding.
 * Tests:     tests/unit/mailstack/lib/store/test_home.c
 * Fuzz:      tests/fuzz/mailstack/lib/store/fuzz_home.c
 */
#ifndef MR_STORE_HOME_H
#define MR_STORE_HOME_H

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;
struct store;

#define HOME_NAME_MAX 240
#define HOME_PATH_MAX (2 * HOME_NAME_MAX + 2)

/* Appends "DOMAIN/LOCALPART". EINVAL if the address has no or an empty part. Pure. */
must_check int home_path(struct str address, struct buf *out, struct err *err);

/* The home's directory; ENOENT if there is none. */
must_check int home_open(const struct store *st, struct str address, struct err *err);
/* The same, made where it is missing: INBOX, the special folders, their subscriptions. */
must_check int home_make(const struct store *st, struct str address, struct err *err);

#endif
