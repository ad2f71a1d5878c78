/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uid - the UIDs of a folder, and the lock of those who change it
 *
 * The file `mailstack-uid` holds UIDVALIDITY, a durable upper edge and the next UID. UIDs below the
 * edge are given by changing `next` without a flush; when the edge is reached it is moved by
 * UID_BLOCK and flushed before the first UID of the new block is used. `next` is stamped with the
 * kernel's boot id: after a power cut (another boot) it may be stale, and the edge counts instead.
 * So a UID is never given twice, and a delivery costs no flush for it.
 *
 * Locking: flock on this file. A message gets its UID and its final name under the same hold, so
 * who reads `next` under the lock and then the directory sees every UID below it.
 *
 * Loss:      if the file is gone or broken, UIDVALIDITY and the highest UID are taken from the
 *            names of the messages (maildir.h), and a block is skipped.
 * Tests:     tests/unit/mailstack/lib/store/test_uid.c
 */
#ifndef MR_STORE_UID_H
#define MR_STORE_UID_H

#include <stdint.h>

#include "runtime/base/attr.h"

struct err;
struct store;

#define UID_BLOCK 512
#define UID_FILE  "mailstack-uid"

struct uid {
    const struct store *st;
    int home_fd;   /* the home, for a new UIDVALIDITY; the caller's */
    int folder_fd; /* the folder's directory; the caller's */
    int fd;
    uint32_t validity; /* as of the last uid_lock */
    uint32_t next;
    uint32_t edge; /* first UID beyond the durable block */
};

/* Opens or makes the file; fills in st, home_fd, folder_fd. */
must_check int uid_open(struct uid *u, const struct store *st, int home_fd, int folder_fd,
                        struct err *err);
void uid_close(struct uid *u);

/* Waits for the lock and reads; between the two no other process changes this folder. */
must_check int uid_lock(struct uid *u, struct err *err);
void uid_unlock(struct uid *u);

/* Takes n consecutive UIDs, n >= 1; the lock is held. EOVERFLOW at the end of the 32-bit range. */
must_check int uid_take(struct uid *u, uint32_t n, uint32_t *first, struct err *err);

#endif
