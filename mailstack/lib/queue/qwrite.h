/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qwrite - a new message into the spool, and what became of its recipients behind it
 *
 * The promise of a 250 is qwrite_commit: the file is flushed, renamed from tmp/ to msg/, and the
 * directory flushed; whatever happens afterwards, the message is there. Before, nothing was
 * promised: qwrite_drop, or the sweep at the next start, takes it away.
 *
 *     full disk    an append or commit fails with ENOSPC; nothing is left behind
 *     crash        at any point: the whole message, or none
 *     a record     is one write at the end of the file; torn, it fails its check and is passed over
 *
 * Lifetime:  between qwrite_begin and qwrite_commit or qwrite_drop it owns a descriptor.
 * Tests:     tests/unit/mailstack/lib/queue/test_qwrite.c, tests/faults/test_queue_kill.py
 */
#ifndef MR_QUEUE_QWRITE_H
#define MR_QUEUE_QWRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/str.h"

struct qdir;
struct qmsg;

#define QWRITE_CHUNK 65536 /* collected before they are written */

struct qwrite {
    int fd; /* -1: none under way */
    uint64_t size;
    struct buf pending;
};

/* m has its id and whole envelope. */
must_check int qwrite_begin(struct qwrite *w, const struct qdir *q, struct qmsg *m,
                            struct err *err);
must_check int qwrite_content(struct qwrite *w, struct str bytes, struct err *err);
/* The promise. m->size is set. On failure nothing is left. */
must_check int qwrite_commit(struct qwrite *w, const struct qdir *q, struct qmsg *m,
                             struct err *err);

/* Several at once: they share the commits of the file system's journal and the flush of the
 * directory, each of which may be a turn of a disk. failed.text is empty where it went well. */
struct qwrite_one {
    struct qwrite *w;
    struct qmsg *m;
    struct err failed;
};

void qwrite_commit_all(const struct qdir *q, struct qwrite_one *all, size_t n);
void qwrite_drop(struct qwrite *w, const struct qdir *q, const struct qmsg *m);

/* Appends the records of these recipients in one write. Not yet durable: a power cut may forget
 * them, which for a retry means to try again sooner; and behind QFILE_RETRIES_MAX bytes of records
 * retries are not written at all. For an end, *flush_fd (if not NULL) becomes a
 * descriptor for qwrite_flush_all. */
must_check int qwrite_records(const struct qdir *q, const struct qmsg *m, const size_t *rcpts,
                              size_t rcpts_n, int *flush_fd, struct err *err);
/* Makes durable what these descriptors wrote, and closes them; -1 among them is passed over. */
must_check int qwrite_flush_all(int *fds, size_t n, struct err *err);

#endif
