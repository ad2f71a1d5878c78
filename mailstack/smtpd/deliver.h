/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver - what becomes of a message that has arrived, and the reply that says so
 *
 * Header looked through and completed, the filter asked, remote targets handed to queued, local
 * ones to lmtpd, in this order: so that a queue that takes nothing makes no duplicate of what
 * lmtpd has already. The reply is 250 only when every target's copy was taken over:
 *
 *   every local target failed, and there is no remote one: 451 if any might work later, else 554
 *   (552 where the first says so) with the first text;
 *   some failed: queued takes those, retries, and tells the sender in the end; 451 if it cannot.
 *
 * From deliver_begin on the transaction belongs to itself. The session hears of the end through
 * session_told; a client that goes away while copies are being made does not stop that.
 *
 * Tests:     tests/mail/test_smtpd.py
 */
#ifndef MR_SMTPD_DELIVER_H
#define MR_SMTPD_DELIVER_H

#include "mailstack/smtpd/txn.h"

void deliver_begin(struct txn *t);
/* The client is gone: ends the transaction unless copies are being made. */
void deliver_abandon(struct txn *t);

#endif
