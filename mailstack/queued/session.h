/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - LMTP in (RFC 2033), from smtpd and whoever else the supervisor lets near
 *
 * LHLO, MAIL, RCPT, DATA, BDAT, RSET, NOOP, VRFY, QUIT with PIPELINING, 8BITMIME, SMTPUTF8,
 * ENHANCEDSTATUSCODES, SIZE, CHUNKING and DSN (RFC 3461). The message with all its recipients is
 * one file of the spool; after it is committed each recipient gets its 250, and not before.
 *
 * XOWNER: a parameter of MAIL, XOWNER=ADDRESS, names the account that submitted the message;
 * reports to a sender of our own domains go to it (bounce.h). Only who is let near this socket may
 * say so.
 *
 *     452 4.3.1   the disk, or the queue, is full       451 4.3.0   the spool cannot be written
 *     552 5.3.4   larger than QUEUED_MESSAGE_SIZE_MAX   554 5.6.0   a bare CR or LF in the message
 *
 * Limits:    SESSIONS_MAX connections; SESSION_IDLE_MS between commands, SESSION_DATA_MS within a
 *            message; SESSION_ERRORS_MAX bad commands.
 * Tests:     tests/mail/test_queued.py
 */
#ifndef MR_QUEUED_SESSION_H
#define MR_QUEUED_SESSION_H

#include "runtime/base/attr.h"

struct err;
struct queued;

#define SESSIONS_MAX       256
#define SESSION_IDLE_MS    600000
#define SESSION_DATA_MS    60000
#define SESSION_ERRORS_MAX 20

/* fd becomes the session's. */
must_check int session_accept(struct queued *q, int fd, struct err *err);
/* Says 421 to those between messages; the others end with theirs. */
void session_drain_all(struct queued *q);

#endif
