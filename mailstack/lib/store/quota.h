/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota - how much a home may hold and holds (Maildir++ `maildirsize`)
 *
 * The file's first line is the limit ("2147483648S", or "0S" for none), each further line a
 * difference "BYTES COUNT"; the sum is what is used. It is changed under flock, so that deliveries
 * at the same time cannot exceed the limit together; other programs that append to it are seen. The
 * sum is taken anew from the directories when the file is missing, broken or grown beyond
 * QUOTA_FILE_MAX, and before a message is refused if the sum is older than QUOTA_STALE_S.
 *
 * The limit told last stands in the file; where none was told, the default counts.
 *
 * Tests:     tests/unit/mailstack/lib/store/test_quota.c
 */
#ifndef MR_STORE_QUOTA_H
#define MR_STORE_QUOTA_H

#include <stdint.h>

#include "runtime/base/attr.h"

struct err;

#define QUOTA_FILE     "maildirsize"
#define QUOTA_FILE_MAX 5120 /* Maildir++'s own figure */
#define QUOTA_STALE_S  900  /* likewise */
#define QUOTA_NOT_TOLD UINT64_MAX

struct quota {
    uint64_t limit; /* bytes; 0: none */
    uint64_t used;
    uint64_t count; /* messages */
};

/* told: the account's limit in bytes as authd knows it, 0 for none, or QUOTA_NOT_TOLD. */
must_check int quota_get(int home_fd, uint64_t told, uint64_t dflt, struct quota *out,
                         struct err *err);
/* Adds one message of `bytes`, or EDQUOT with nothing changed. Give it back with quota_add(-...) if
 * the message does not become one. */
must_check int quota_reserve(int home_fd, uint64_t told, uint64_t dflt, uint64_t bytes,
                             struct err *err);
/* Adds a difference; either may be negative. Never refuses; if it fails, the sum is off until the
 * next recount, which most callers can live with. */
int quota_add(int home_fd, uint64_t dflt, int64_t bytes, int64_t count, struct err *err);

#endif
