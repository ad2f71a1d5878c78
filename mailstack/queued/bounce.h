/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounce - reports to the sender: what failed, what takes long, what was relayed (RFC 3461, 3464)
 *
 * A report is a message of its own from <>, and comes into the spool before the reported one is
 * marked. Its name is made from the first recipient it tells of: after a crash in between it is
 * found there and not made a second time. Nobody reports to <>.
 *
 * Where the sender is one of our own domains and an account submitted the message, that account
 * hears of it: the sender may be an alias.
 *
 *     failed     unless NOTIFY is there without FAILURE
 *     relayed,
 *     delivered  NOTIFY=SUCCESS, and the next server does not report by itself
 *     delayed    NOTIFY=DELAY, once (retry.h)
 *
 * Limits:    the original comes whole with RET=FULL up to BOUNCE_FULL_MAX, else its header, of
 *            which BOUNCE_HEAD_MAX bytes are read.
 * Tests:     tests/mail/test_queued.py
 */
#ifndef MR_QUEUED_BOUNCE_H
#define MR_QUEUED_BOUNCE_H

#include "runtime/base/attr.h"

struct message;

#define BOUNCE_FULL_MAX (1U << 20)
#define BOUNCE_HEAD_MAX (256U << 10)

/* Makes the reports that are owed and marks the recipients (dirty). -1: the spool took none, the
 * log says why; to be tried again. */
must_check int bounce_report(struct message *m);

#endif
