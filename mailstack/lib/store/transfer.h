/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer - messages from one folder of a home to another: IMAP COPY and MOVE
 *
 * A copy is a hard link where the file system has them: a message file never changes. A move is a
 * rename, so at every moment the message is in one of the two. The target's lock is held from
 * transfer_begin to transfer_end; the source's is not needed.
 *
 * A copy that is not finished is undone by transfer_abort; what was moved stays moved.
 *
 * Tests:     tests/unit/mailstack/lib/store/test_transfer.c
 */
#ifndef MR_STORE_TRANSFER_H
#define MR_STORE_TRANSFER_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/store/keyword.h"
#include "mailstack/lib/store/uid.h"

struct err;
struct mailbox;
struct store;

enum transfer_how {
    TRANSFER_COPY,
    TRANSFER_MOVE
};

struct transfer {
    const struct store *st;
    int home_fd; /* the caller's */
    int folder_fd;
    struct uid uid; /* validity: the target's */
    struct keywords keywords;
    enum transfer_how how;
    char **made; /* names in cur/ of what was copied */
    size_t made_n;
    uint64_t bytes; /* of what was copied */
};

/* ENOENT: there is no such folder. */
must_check int transfer_begin(struct transfer *t, const struct mailbox *from, struct str to,
                              enum transfer_how how, struct err *err);
/* Message i of `from`; *uid is its UID in the target. ENOENT: it is gone. EDQUOT: a copy would
 * exceed the quota. */
must_check int transfer_one(struct transfer *t, const struct mailbox *from, size_t i, uint32_t *uid,
                            struct err *err);
must_check int transfer_end(struct transfer *t, struct err *err); /* durable when it returns 0 */
void transfer_abort(struct transfer *t);

#endif
