/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qread - a message out of the spool
 *
 * qread_open gives a descriptor whose message lies at m->head_n, m->size bytes of it, to be read
 * with pread; the file's name may go meanwhile.
 *
 * Errors:    EBADMSG for a file that is damaged (and cannot be: it was flushed before it got its
 *            name; a failing disk can do it), else the kernel's.
 * Tests:     tests/unit/mailstack/lib/queue/test_qwrite.c
 */
#ifndef MR_QUEUE_QREAD_H
#define MR_QUEUE_QREAD_H

#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;
struct qdir;
struct qmsg;

/* The envelope and the state of every recipient into m, which is initialised here (and done on
 * failure). *bad: records that were passed over. */
must_check int qread_load(const struct qdir *q, const char *id, struct qmsg *m, size_t *bad,
                          struct err *err);
must_check int qread_open(const struct qdir *q, const struct qmsg *m, struct err *err);
/* Appends at most `max` bytes of the message's beginning. */
must_check int qread_content(const struct qdir *q, const struct qmsg *m, size_t max,
                             struct buf *out, struct err *err);

#endif
