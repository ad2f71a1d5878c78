/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qdir - the spool as a directory: names, lock, what is in it
 *
 *     SPOOL/tmp/ID    being written; nothing in it was promised, it is emptied at start
 *     SPOOL/msg/ID    promised; one file a message (qfile.h)
 *     SPOOL/bad/ID    could not be read; kept for a person to look at
 *     SPOOL/lock      held by the one process that works on the spool
 *
 * A message is in msg/ from the rename that ends qwrite_commit until qdir_remove. The removal is
 * not flushed: the record that every recipient is done was, and a file that comes back after a
 * power cut with such records is removed again.
 *
 * Names are the time of arrival in microseconds in base 32 and three random characters: they sort
 * by age. The reports on a message are named after it, ID-1, ID-2: a report that was made just
 * before a crash is found again, and not made twice.
 *
 * Tests:     tests/unit/mailstack/lib/queue/test_qdir.c
 */
#ifndef MR_QUEUE_QDIR_H
#define MR_QUEUE_QDIR_H

#include <stdbool.h>

#include "runtime/base/attr.h"

#include "mailstack/lib/queue/qfile.h"

struct err;

struct qdir {
    int tmp_fd;
    int msg_fd;
    int bad_fd;
    int lock_fd;
};

/* Makes what is missing, takes the lock, empties tmp/. EWOULDBLOCK: another process has it. */
must_check int qdir_open(struct qdir *q, const char *path, struct err *err);
void qdir_close(struct qdir *q);

void qdir_new_id(char out[QFILE_ID_MAX + 1]);
bool qdir_has(const struct qdir *q, const char *id);
/* Calls fn for each message; stops with its result when that is not 0. */
must_check int qdir_scan(const struct qdir *q, int (*fn)(void *ctx, const char *id), void *ctx,
                         struct err *err);
must_check int qdir_remove(const struct qdir *q, const char *id, struct err *err);
/* Out of the way, into bad/. */
must_check int qdir_set_aside(const struct qdir *q, const char *id, struct err *err);

#endif
