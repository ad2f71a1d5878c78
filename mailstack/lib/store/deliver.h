/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver - one message into one folder, durably
 *
 *     deliver_begin    a file in tmp/
 *     deliver_write    its content, CRLF or LF; stored with LF, as Maildir programs expect it
 *     deliver_flush    the content is on stable storage
 *     deliver_publish  under the folder's lock: a UID, and the rename into new/ (or cur/)
 *     deliver_settle   the directory is on stable storage: only now may 250 be said
 *     deliver_done     always; takes back what was not published
 *
 * The steps are apart so that a message for several recipients can be written to all of them first
 * and flushed together afterwards. A crash before deliver_publish leaves a file in tmp/ that
 * folder_sweep removes; after it, a message.
 *
 * Errors:    ENOSPC and EDQUOT (of the file system) keep their code in err->code.
 * Tests:     tests/unit/mailstack/lib/store/test_deliver.c, tests/faults/test_delivery_kill.py
 */
#ifndef MR_STORE_DELIVER_H
#define MR_STORE_DELIVER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"

#include "mailstack/lib/store/maildir.h"
#include "mailstack/lib/store/uid.h"

struct err;
struct store;

#define DELIVER_CHUNK 65536 /* bytes gathered before a write(2) */

struct deliver {
    const struct store *st;
    int folder_fd;
    struct uid uid; /* of the folder */
    int fd;         /* of the file, -1 after its flush */
    char base[MAILDIR_NAME_MAX + 1];
    struct buf out;
    bool cr; /* a CR was seen whose LF, if it is one, is still to come */
    bool published;
    uint64_t size;   /* as stored */
    uint64_t lone_n; /* LFs stored without a CR in front: size + lone_n is the size with CRLF */
    char last;       /* byte stored last */
};

/* folder_fd becomes the delivery's, also on failure; home_fd stays the caller's and open. */
must_check int deliver_begin(struct deliver *d, const struct store *st, int home_fd, int folder_fd,
                             struct err *err);
must_check int deliver_write(struct deliver *d, struct str bytes, struct err *err);
/* What is gathered is written; size is final. */
must_check int deliver_end(struct deliver *d, struct err *err);
must_check int deliver_flush(struct deliver *d, struct err *err);

struct deliver_as {
    bool in_cur;                 /* with flags, into cur/; else into new/ without */
    uint32_t flags;              /* of maildir.h */
    const struct timespec *date; /* NULL: now */
};

/* *uid and *validity are what it got. */
must_check int deliver_publish(struct deliver *d, const struct deliver_as *as, uint32_t *uid,
                               uint32_t *validity, struct err *err);
must_check int deliver_settle(struct deliver *d, struct err *err);
void deliver_done(struct deliver *d);

#endif
