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
#include "runtime/base/str.h"

struct err;
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
void qwrite_drop(struct qwrite *w, const struct qdir *q, const struct qmsg *m);

/* Appends the records of these recipients in one write. QWRITE_FLUSH: durable when it returns, for
 * an end; without, a power cut may forget it, which for a retry means to try again sooner. */
enum qwrite_how {
    QWRITE_LATER,
    QWRITE_FLUSH
};

must_check int qwrite_records(const struct qdir *q, const struct qmsg *m, const size_t *rcpts,
                              size_t rcpts_n, enum qwrite_how how, struct err *err);

#endif
